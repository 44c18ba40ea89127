"""Nuclei that are known to be in mitosis as labels of events, and where nothing is known of events."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from nuset_engine.arrays import IntsN, LabelsZYX, MaskZYX
from nuset_engine.corrections.seen import usual_diameter
from nuset_engine.voxels import VoxelSize

MARGIN = 0.25
"""How far around what is not known nothing is said, over the usual diameter."""
SMALLEST_SECTION = 0.3
"""Sections under this share of a nucleus' largest one are caps, which nobody could name."""


def event_labels(
    labels: LabelsZYX, events: Collection[int], unknown: Collection[int], spacing: VoxelSize
) -> tuple[LabelsZYX, MaskZYX]:
    """Return the events of a stack alone, and where it is known whether there is one.

    Parameters
    ----------
    labels : (Z, Y, X) integers
        All nuclei.
    events : collection of int
        Those that are events.
    unknown : collection of int
        Those that may be; of them, of what is around them, and of caps of events nothing is said. All others, and what
        lies between, are no events.
    spacing : (z, y, x)
        Of the voxels.

    Returns
    -------
    events : (Z, Y, X)
        Labels of events as they were, else 0.
    seen : (Z, Y, X) bool
    """
    from scipy import ndimage

    found = np.where(np.isin(labels, _array(events)), labels, 0).astype(labels.dtype)
    hidden = np.isin(labels, _array(unknown))
    for event in sorted(events):
        mine = found == event
        areas = mine.reshape(len(labels), -1).sum(axis=1)
        cap = mine & (areas < SMALLEST_SECTION * areas.max(initial=0))[:, None, None]
        hidden |= cap
        found[cap] = 0
    if not hidden.any():
        return found, np.ones(labels.shape, bool)
    near = ndimage.distance_transform_edt(~hidden, sampling=spacing) <= MARGIN * usual_diameter(labels, spacing)
    told = (labels > 0) & ~hidden
    return found, ~near | told


def _array(labels: Collection[int]) -> IntsN:
    return np.array(sorted(labels), np.int64)
