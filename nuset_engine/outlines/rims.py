"""How the image falls across the outline of each nucleus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import AnyFloatsN, FlagsN, FloatsN, LabelsYX, MatrixNM, PlaneF32, RowsN

INSIDE_PX, OUTSIDE_PX = 6, 8
"""So far in and out the image is looked at, in network pixels; a nucleus of the usual size has a radius of 12."""
OFFSETS = range(-INSIDE_PX, OUTSIDE_PX + 1)
RIM = slice(0, 4)  # these offsets are the nucleus just inside its rim
AROUND = slice(-4, None)  # these are what surrounds it
SPARSE = 3  # every third pixel of an outline is enough
CLEAR_PX = 3  # what is nearer than this to another nucleus shows that one too
LEAST_RAYS = 3
FLAT = 1e-3  # gradient of the probability below which an outline has no direction


@dataclass(frozen=True, eq=False)
class Rays:
    """Points on the outlines of nuclei, each with the direction out of its nucleus.

    Attributes
    ----------
    shape : (int, int)
        Of the plane.
    owner : (R,) int
        Label of the nucleus.
    y, x : (R,) float
        Where the probability is the threshold, between pixels.
    down, along : (R,) float
        Unit vector outwards.
    """

    shape: tuple[int, int]
    owner: RowsN
    y: AnyFloatsN
    x: AnyFloatsN
    down: AnyFloatsN
    along: AnyFloatsN

    def at(self, offset: float) -> tuple[RowsN, FlagsN]:
        """The pixel (R,) of each ray so far out, as a place in the flat plane, and whether it lies in the plane."""
        row = np.rint(self.y + offset * self.down).astype(np.int64)
        column = np.rint(self.x + offset * self.along).astype(np.int64)
        within = (row >= 0) & (row < self.shape[0]) & (column >= 0) & (column < self.shape[1])
        return np.where(within, row * self.shape[1] + column, 0), within

    def meets_another(self, labels: LabelsYX, offset: float) -> FlagsN:
        """Where each ray (R,) lies in another nucleus so far out."""
        place, within = self.at(offset)
        there = labels.ravel()[place]
        met: FlagsN = within & (there != 0) & (there != self.owner)
        return met


def rays(labels: LabelsYX, probability: PlaneF32, threshold: float) -> Rays:
    """Rays from every `SPARSE`-th pixel of the outlines to the background, none at the edge of the plane."""
    height, width = labels.shape
    flat, certain = labels.ravel(), probability.ravel()
    inside = labels != 0
    within = inside[1:-1, 1:-1]
    open_ = within & ~(inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:])
    row, column = (place + 1 for place in np.divmod(np.flatnonzero(open_), max(width - 2, 1)))
    here = (row * width + column)[(row + column) % SPARSE == 0]
    down, along = (certain[here - step] - certain[here + step] for step in (width, 1))
    steep = np.hypot(down, along)
    clear = steep > FLAT
    here, down, along, steep = here[clear], down[clear], along[clear], steep[clear]
    beyond = np.clip(2 * (certain[here] - threshold) / steep, 0, 1)
    row, column = np.divmod(here, width)
    down, along = down / steep, along / steep
    owner = flat[here].astype(np.int64)
    return Rays((height, width), owner, row + beyond * down, column + beyond * along, down, along)


def profiles(shown: PlaneF32, labels: LabelsYX, out: Rays, count: int) -> MatrixNM:
    """Mean of the image across the outline of each nucleus.

    Parameters
    ----------
    shown : (Y, X) float32
    labels : (Y, X) int
    out : Rays
    count : int
        Of nuclei, 1..count.

    Returns
    -------
    (count + 1, len(OFFSETS)) float64
        NaN where fewer than `LEAST_RAYS` reach: they end near other nuclei and at the edge of the plane.
    """
    sums, many = np.zeros((2, count + 1, len(OFFSETS)))
    values = shown.ravel()
    free = np.ones(len(out.owner), bool)
    for index, offset in enumerate(OFFSETS):
        if offset > 0:
            free &= ~out.meets_another(labels, offset + CLEAR_PX)
        elif offset == 0:
            for ahead in range(1, CLEAR_PX + 1):
                free &= ~out.meets_another(labels, ahead)
        place, within = out.at(offset)
        seen = free & within
        sums[:, index] = np.bincount(out.owner[seen], values[place[seen]], count + 1)
        many[:, index] = np.bincount(out.owner[seen], None, count + 1)
    return np.where(many >= LEAST_RAYS, sums / np.maximum(many, 1), np.nan)


def crossings(profile: MatrixNM, share: float) -> FloatsN:
    """Where each profile falls below a share of its contrast.

    Parameters
    ----------
    profile : (N, len(OFFSETS)) float64
    share : float
        Of the difference between the nucleus just inside its rim and what surrounds it.

    Returns
    -------
    (N,) float64
        Pixels out of the outline, at the first fall; NaN where it does not fall or is not known.
    """
    rim, around = _mean(profile[:, RIM]), _mean(profile[:, AROUND])
    level = around + share * (rim - around)
    above, below = profile[:, :-1] >= level[:, None], profile[:, 1:] < level[:, None]
    falls = above & below & (rim > around)[:, None]
    first = falls.argmax(axis=1)
    rows = np.arange(len(profile))
    high, low = profile[rows, first], profile[rows, first + 1]
    step = np.where(high > low, high - low, 1.0)
    return np.where(falls.any(axis=1), first - INSIDE_PX + (high - level) / step, np.nan)


def _mean(some: MatrixNM) -> FloatsN:
    """Mean (N,) of what is known."""
    known = np.isfinite(some)
    many = known.sum(axis=1)
    return np.where(many > 0, np.where(known, some, 0).sum(axis=1) / np.maximum(many, 1), np.nan)
