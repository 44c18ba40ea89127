"""By how much the outline of each nucleus is moved, and the nuclei with outlines moved."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FloatsN, LabelsYX, MatrixNM, PlaneF32
from nuset_engine.outlines.moving import FARTHEST_PX, ROOM_PX, moved
from nuset_engine.outlines.rims import crossings, profiles, rays
from nuset_engine.outlines.windows import windows_about

HALF_SHARE, FOOT_SHARE = 0.5, 0.2
"""What is left of the rim's contrast at an outline."""
HIGH, LOW = 0.75, 0.25  # the edge is as wide as the way between these shares
SHARP_PX, SOFT_PX = 4.0, 5.0  # edges so wide are left as they were learned, and outlined at half; between them, between
LEAST_PX = 0.1  # a shorter way is none
INWARDS = 1 / 3  # of its radius, or of half its width, a nucleus shrinks at most


def towards_half(profile: MatrixNM) -> FloatsN:
    """Way (N,) outwards in pixels to half of the contrast, or to a part of it, of nuclei whose own edge is soft."""
    wide = crossings(profile, LOW) - crossings(profile, HIGH)
    return np.clip((wide - SHARP_PX) / (SOFT_PX - SHARP_PX), 0, 1) * crossings(profile, HALF_SHARE)


def half_widths(labels: LabelsYX, count: int) -> FloatsN:
    """Radius (count + 1,) of nuclei that are round, less of those that are long: twice the area over the outline."""
    area = np.bincount(labels[labels != 0], minlength=count + 1)
    sides = np.zeros(count + 1)
    for first, second in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        border = first != second
        sides += np.bincount(first[border], minlength=count + 1) + np.bincount(second[border], minlength=count + 1)
    around = np.pi / 4 * np.maximum(sides, 1)  # a circle has so much less than the sides of its pixels
    return np.minimum(2 * area / around, np.sqrt(area / np.pi))


def placed(
    labels: LabelsYX, probability: PlaneF32, shown: PlaneF32, threshold: float, share: float | None
) -> tuple[LabelsYX, PlaneF32]:
    """Nuclei with the outline of each where its own rim says.

    Parameters
    ----------
    labels : (Y, X) int
        1..N.
    probability : (Y, X) float32
        Of the foreground.
    shown : (Y, X) float32
        The image.
    threshold : float
        Where in the probability the outlines lie.
    share : float or None
        Of the rim's contrast that is left at the outline; None: `towards_half`.

    Returns
    -------
    labels : (Y, X) int32
        With the same numbers; nuclei of which nothing is known stay as they are.
    probability : (Y, X) float32
    """
    count = int(labels.max(initial=0))
    profile = profiles(shown, labels, rays(labels, probability, threshold), count)
    way = towards_half(profile) if share is None else crossings(profile, share)
    way[0] = 0
    some = np.abs(way) > LEAST_PX
    if not some.any():
        return labels, probability
    windows = windows_about(labels, some, ROOM_PX)
    for window in windows:
        inwards = np.minimum(INWARDS * half_widths(labels[window], count), FARTHEST_PX)
        here = some & (inwards > 0)
        way[here] = np.clip(way[here], -inwards[here], FARTHEST_PX)
    return moved(labels, probability, np.where(np.abs(way) > LEAST_PX, way, 0), threshold, windows)
