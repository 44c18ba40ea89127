"""Whether a plane was drawn by a program, as labels and masks are, and not recorded by a camera.

Light makes noise: neighbours in an image differ. Labels are flat: each value fills a region, and the next one is as
likely to be far from it as near. Images that are saturated, clipped or stored in few steps are flat in places as well,
but between their plateaus lie the steps in between; images that were enlarged are flat in a thousand small squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nuset_engine.arrays import AnyFloatsN, LabelsYX, PlaneYX

Drawn = Literal["labels", "mask", "two values"]

_FLAT = 0.5  # of a pixel's right and lower neighbours, how many have its value; in a disc of five pixels it is 0.7
_FLAT_VALUES = 0.8  # of all values: those of noise, or of what lies between plateaus, are not flat
_LEAPS = 0.3  # of all borders: those between values that are no neighbours in order
_LEAST_LABELS = 4  # values; fewer are told by nothing from a clipped image in few steps
_REGIONS = 4  # for each value: labels are in one piece, but for an overlap or a cut
_MOST_VALUES = 1 / 9  # of the pixels: labels are larger


@dataclass(frozen=True)
class _Flatness:
    """How a plane's values lie, by their rank."""

    shares: AnyFloatsN  # of equal neighbours, by value
    leaps: float

    @property
    def is_flat(self) -> bool:
        return float(np.mean(self.shares >= _FLAT)) >= _FLAT_VALUES


def drawn(plane: PlaneYX) -> Drawn | None:
    """Return what a plane is, where it is no image of light; None where it is one, or nothing tells.

    ``labels`` are regions of a value each, four or more. A ``mask`` has two to four values in flat regions, and ``two
    values`` are in no regions, such as outlines: both may be images all the same, clipped or dark ones.

    Parameters
    ----------
    plane : (Y, X) of any dtype
    """
    if _is_noise(plane):
        return None
    ranks, count = _ranked(plane)
    if count < 2 or count > max(_LEAST_LABELS, _MOST_VALUES * plane.size):
        return None
    found = _flatness(ranks, count)
    if found.is_flat and count >= _LEAST_LABELS and found.leaps >= _LEAPS:
        return "labels" if _regions(ranks) <= _REGIONS * count else None
    if found.is_flat and count <= _LEAST_LABELS:
        return "mask"
    return "two values" if count == 2 else None


def _is_noise(plane: PlaneYX) -> bool:
    """Say of most images at once that they are some: neighbours differ, or there are fractions."""
    if min(plane.shape) < 2 or float(np.mean(plane[:, 1:] == plane[:, :-1])) < _FLAT:
        return True
    return plane.dtype.kind == "f" and not bool(np.all(plane == np.rint(plane)) and np.all(np.isfinite(plane)))


def _ranked(plane: PlaneYX) -> tuple[LabelsYX, int]:
    """Return the rank of each pixel's value among those that there are, and how many these are."""
    if plane.dtype.kind in "ub" and plane.dtype.itemsize <= 2:  # without sorting the pixels
        values = plane.astype(np.uint16)
        there = np.bincount(values.ravel()) > 0
        return (np.cumsum(there) - 1)[values], int(np.count_nonzero(there))
    different, ranks = np.unique(plane, return_inverse=True)
    return ranks.reshape(plane.shape), len(different)


def _flatness(ranks: LabelsYX, count: int) -> _Flatness:
    equal, pairs = np.zeros(count), np.zeros(count)
    leaps = borders = 0
    for one, other in ((ranks[:, :-1], ranks[:, 1:]), (ranks[:-1], ranks[1:])):
        same = one == other
        equal += np.bincount(one[same].ravel(), minlength=count)
        pairs += np.bincount(one.ravel(), minlength=count)
        steps = np.abs(one[~same] - other[~same])
        borders, leaps = borders + steps.size, leaps + int(np.count_nonzero(steps > 1))
    return _Flatness(equal / np.maximum(pairs, 1), leaps / max(1, borders))


def _regions(ranks: LabelsYX) -> int:
    """Return in how many pieces the values are."""
    from skimage.measure import label

    return int(label(ranks, background=-1, connectivity=1).max())
