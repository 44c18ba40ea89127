"""The size of a voxel, as everything that has a length speaks of it."""

from __future__ import annotations

VoxelSize = tuple[float, float, float]
"""(z, y, x) in micrometres."""

Box = tuple[slice, slice, slice]
"""A part of a stack: its slices, rows and columns, all of them with a beginning and an end."""
