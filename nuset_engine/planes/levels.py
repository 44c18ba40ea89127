"""Slices whose background lies higher or lower than that of others: an offset or a haze that changes over a stack.

Statistics are those of the stack, so each slice is brought to one level before. That is done only where levels differ
by a fair part of the nuclei's contrast in all percentiles: nuclei cover more of some slices than of others, and so does
a black margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FloatsN, PlaneF32, PlaneYX
from nuset_engine.planes.faulty_lines import WindowedPlane
from nuset_engine.planes.lazy import LazyPlanes
from nuset_engine.planes.quantiles import median, percentiles

PERCENTS = (1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 99.0)
BRIGHT, DARK = 1, 5  # which of them is the level, for nuclei of either kind
MOST_PX = 1 << 14  # pixels of a slice that are looked at
DIFFERENT = 0.4  # of the contrast; in stacks of one offset levels differ by 0.03, by up to 0.35 where all is nuclei
LIVELY = 0.1  # of the largest contrast: a slice with less, as a lost one, tells nothing of levels


class Levelled:
    """A plane (Y, X) of which windows are taken so much lower.

    Parameters
    ----------
    plane : (Y, X) any real dtype, or such without lines
    excess : float
    """

    def __init__(self, plane: WindowedPlane, excess: float) -> None:
        self._plane, self._excess = plane, excess
        self.shape: tuple[int, int] = (plane.shape[0], plane.shape[1])

    def __getitem__(self, window: tuple[slice, ...]) -> PlaneF32:
        part = self._plane[window].astype(np.float32)
        part -= np.float32(self._excess)
        return part


@dataclass(frozen=True)
class Level:
    """The level of the background: a percentile of each plane, and what it is to be."""

    percent: float
    value: float

    def excess(self, plane: WindowedPlane) -> float:
        """By how much the background of a plane (Y, X) lies above it (below it, if negative)."""
        values = _sample(plane)
        return percentiles(values, [self.percent])[0] - self.value if values.size else 0.0


def common_level(planes: Sequence[PlaneYX], inverted: bool) -> Level | None:
    """The level to which slices are to be brought; None where theirs hardly differ.

    Parameters
    ----------
    planes : sequence of (Y, X)
        Slices that stand for all.
    inverted : bool
        Whether nuclei are dark.
    """
    samples = [values for z in range(len(planes)) if (values := _sample(planes[z])).size] if len(planes) > 1 else []
    found = np.array([percentiles(values, PERCENTS) for values in samples]).reshape(-1, len(PERCENTS))
    contrast = np.maximum(found[:, 6] - found[:, 2], found[:, 4] - found[:, 0])  # of bright nuclei, and of dark ones
    known = found[contrast > LIVELY * contrast.max(initial=0.0)]
    if len(known) < 2 or np.ptp(known, axis=0).min() <= DIFFERENT * contrast.max():
        return None
    level = DARK if inverted else BRIGHT
    return Level(PERCENTS[level], median(known[:, level]))


def levelled(planes: Sequence[PlaneYX], level: Level) -> Sequence[PlaneYX]:
    """The planes brought to this level, each when it is asked for."""

    def one(z: int) -> PlaneF32:
        plane = planes[z]
        return Levelled(plane, level.excess(plane))[:, :]

    return LazyPlanes(one, len(planes))


def _sample(plane: WindowedPlane) -> FloatsN:
    """Finite values (N,) float64 of a plane (Y, X), evenly taken."""
    stride = max(1, int(np.ceil(np.sqrt(plane.shape[0] * plane.shape[1] / MOST_PX))))
    values = plane[::stride, ::stride].ravel().astype(np.float64)
    return values[np.isfinite(values)]
