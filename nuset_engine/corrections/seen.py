"""Which part of a stack a person looked at, who spoke of some of its nuclei."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from nuset_engine.arrays import LabelsZYX, MaskZYX
from nuset_engine.corrections.drawing import VoxelIndex
from nuset_engine.voxels import VoxelSize

MARGIN = 0.5
"""How far around a nucleus the background was looked at, over the usual diameter."""


def seen_part(
    labels: LabelsZYX, spoken_of: Collection[int], places: Sequence[VoxelIndex], spacing: VoxelSize
) -> MaskZYX:
    """Return where somebody looked: at nuclei, places, and what is around them and nearer to no other nucleus.

    Who spoke of all nuclei saw the whole stack.

    Parameters
    ----------
    labels : (Z, Y, X) integers
    spoken_of : collection of int
        Nuclei.
    places : sequence of (z, y, x)
        Voxels, such as of nuclei that are none.
    spacing : (z, y, x)
        Of the voxels.

    Returns
    -------
    (Z, Y, X) bool
    """
    from scipy import ndimage

    mine = np.isin(labels, np.array(sorted(spoken_of), np.int64))
    other = (labels > 0) & ~mine
    if not other.any():
        return np.full(labels.shape, bool(len(spoken_of) or len(places)))
    start = mine.copy()
    for place in places:
        if all(0 <= at < size for at, size in zip(place, labels.shape, strict=True)):
            start[place] = True
    if not start.any():
        return start
    near = ndimage.distance_transform_edt(~start, sampling=spacing)
    away = ndimage.distance_transform_edt(~other, sampling=spacing)
    return (near <= MARGIN * usual_diameter(labels, spacing)) & (near < away)


def usual_diameter(labels: LabelsZYX, spacing: VoxelSize) -> float:
    """Median diameter of the nuclei, as balls or discs."""
    sizes = np.bincount(labels.ravel())[1:]
    size = float(np.median(sizes[sizes > 0]))
    if len(labels) == 1:
        return float(np.sqrt(4 / np.pi * size * spacing[1] * spacing[2]))
    return float(np.cbrt(6 / np.pi * size * np.prod(spacing)))
