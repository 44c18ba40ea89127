"""Which slices of a stack show anything: those that its statistics may be taken from.

A layer of cells can lie in a tenth of a stack, and the rest be empty; a slice can be lost, or be white from one flash.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nuset_engine.arrays import PlaneYX, RowsN
from nuset_engine.planes.quantiles import median

LOOKED_AT = 32  # slices of a stack, at most
BLOCK_PX = 4  # what a slice shows is seen in squares of so many pixels: noise is less there, a hot pixel nothing
BLOCKS = 128  # along each axis, at most
FEW = 4  # so many squares must be as bright, or as dark
NOISE = 5.0  # standard deviations of a square by noise alone that pass for nothing
SHOWING = 0.02  # of the liveliest slice: what is less lively shows nothing
OUTSHONE = 10.0  # a slice this many times as lively as any other is no measure for them


def showing(planes: Sequence[PlaneYX], wanted: int) -> list[int]:
    """The numbers of `wanted` slices, evenly spread over the stack; where some show nothing, over those that do.

    Parameters
    ----------
    planes : sequence of (Y, X)
        Of at most `wanted` slices none is read, of more some, about `LOOKED_AT` at most.
    wanted : int

    Returns
    -------
    list of int
        In order, away from the ends; all of them where there are no more.
    """
    if len(planes) <= wanted:
        return list(range(len(planes)))
    spread = _spread(np.arange(len(planes)), wanted)
    looked = np.union1d(spread, np.linspace(0, len(planes) - 1, min(len(planes), LOOKED_AT)).round().astype(int))
    lively = np.array([liveliness(np.asarray(planes[int(z)])) for z in looked])
    second, first = np.sort(lively)[-2:]
    live = looked[lively >= SHOWING * (min(first, OUTSHONE * second) or first)]
    chosen = spread if np.isin(spread, live).all() else _spread(live, wanted)
    return [int(z) for z in chosen]


def _spread(numbers: RowsN, wanted: int) -> RowsN:
    """At most `wanted` of these numbers (N,), evenly spread and away from the ends."""
    if len(numbers) <= wanted:
        return numbers
    chosen: RowsN = numbers[np.linspace(0, len(numbers) - 1, wanted + 2)[1:-1].round().astype(int)]
    return chosen


def liveliness(plane: PlaneYX) -> float:
    """How far the brightest or the darkest places of a plane (Y, X) are from the middle, but for what noise does."""
    height, width = (n // BLOCK_PX * BLOCK_PX for n in plane.shape)
    down, along = (-(-n // (BLOCK_PX * BLOCKS)) for n in plane.shape)
    squares = plane[:height, :width].reshape(height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX)
    few = squares[::down, :, ::along].swapaxes(1, 2).reshape(-1, BLOCK_PX**2).astype(np.float64)
    few = few[np.isfinite(few).all(axis=1)]
    if len(few) < 2 * FEW:
        return 0.0
    few -= few[0, 0]  # an offset that is large against what is on it
    noise = 1.4826 * median(np.abs(few[:, 0] - few[:, BLOCK_PX + 1])) / 2**0.5
    inner = BLOCK_PX**2 - 2
    light = np.sort((few.sum(axis=1) - few.max(axis=1) - few.min(axis=1)) / inner)
    middle = median(light)
    far = max(light[-FEW] - middle, middle - light[FEW - 1])
    return float(max(0.0, far - NOISE * noise / inner**0.5))
