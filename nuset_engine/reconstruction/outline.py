"""Outlines of sections: distances, and whether two pieces look like one nucleus that was cut or two that touch."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import MaskYX, PlaneF64

TOUCHING_PX = 2  # pieces of one nucleus lie at most this far apart
CUT_CONTACT = 0.9  # contact over the smaller piece's width: two discs that touch have less, halves of a disc 1.4
CONTACT_RANGE = 0.3  # how far from it the shape is beyond doubt
SHAPE_VOTES = 2.0  # what a shape beyond doubt counts beside the votes of slices


def signed_distance(mask: MaskYX) -> PlaneF64:
    """Distance to a mask in pixels, negative inside it; far away everywhere for an empty mask."""
    from scipy import ndimage

    if not mask.any():
        return np.full(mask.shape, float(sum(mask.shape)))
    padded = np.pad(mask, 1)
    inside = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    return ndimage.distance_transform_edt(~mask) - inside


def apart_votes(first: MaskYX, second: MaskYX) -> float | None:
    """What the shape of two pieces says: up to `SHAPE_VOTES` for two nuclei, down to minus that for one that was cut.

    Parameters
    ----------
    first, second : (y, x) bool
        Masks of both pieces in one crop.

    Returns
    -------
    float or None
        None where the pieces do not touch.
    """
    from scipy import ndimage

    contact = first & (ndimage.distance_transform_edt(~second) <= TOUCHING_PX)
    y, x = np.nonzero(contact)
    if not len(y):
        return None
    length = np.hypot(np.ptp(y) + 1, np.ptp(x) + 1)
    width = np.sqrt(4 / np.pi * min(np.count_nonzero(first), np.count_nonzero(second)))
    return SHAPE_VOTES * float(np.clip((CUT_CONTACT - length / width) / CONTACT_RANGE, -1, 1))
