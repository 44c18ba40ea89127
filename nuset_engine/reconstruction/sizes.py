"""How large nuclei are, and which have a size that is wanted."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, LabelsZYX
from nuset_engine.reconstruction.params import VolumeParams
from nuset_engine.voxels import VoxelSize


def diameters_um(labels: LabelsZYX, voxel_um: VoxelSize) -> FloatsN:
    """(N,) float64: of the sphere of the same volume; of a single plane, of the circle of the same area.

    Parameters
    ----------
    labels : (Z, Y, X) uint32
        1..N without holes.
    voxel_um : (z, y, x)
        Ones where the size of a voxel is not known; diameters are in pixels then.
    """
    counts = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    for plane in labels:
        counts += np.bincount(plane.ravel(), minlength=len(counts))
    if len(labels) == 1:
        across: FloatsN = np.sqrt(4 / np.pi * counts[1:] * voxel_um[1] * voxel_um[2])
    else:
        across = np.cbrt(6 / np.pi * counts[1:] * np.prod(voxel_um))
    return across


def kept_by_size(labels: LabelsZYX, voxel_um: VoxelSize, params: VolumeParams) -> FlagsN:
    """(N,) bool: nuclei of at least `min_diameter_um` and at most `max_diameter_um`; arguments as `diameters_um`."""
    low, high = params.min_diameter_um, params.max_diameter_um
    if low is None and high is None:
        return np.ones(int(labels.max(initial=0)), bool)
    diameters = diameters_um(labels, voxel_um)
    kept: FlagsN = (diameters >= (low or 0.0)) & (diameters <= (np.inf if high is None else high))
    return kept
