"""Which slices of a stack show anything: those that its statistics may be taken from.

A layer of cells can lie in a tenth of a stack, and the rest be empty; a slice can be lost, or be white from one flash.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nuset_engine.arrays import FloatsN, MatrixNM, PlaneYX, RowsN
from nuset_engine.planes.quantiles import median, percentiles

LOOKED_AT = 32  # slices of a stack, at most
BLOCK_PX = 4  # what a slice shows is seen in squares of so many pixels: noise is less there, a hot pixel nothing
BLOCKS = 128  # along each axis, at most
FEW = 4  # so many squares must be as bright, or as dark
NOISE = 5.0  # standard deviations of a square by noise alone that pass for nothing
OF_QUARTILE = 2.22  # standard deviation over the lower quartile of the differences of two, of noise
LEAST_SQUARES = 100  # of fewer no background is made out
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
    seen = np.array([_seen(np.asarray(planes[int(z)])) for z in looked])
    lively = _liveliness(seen)
    second, first = np.sort(lively)[-2:]
    live = looked[lively >= SHOWING * (min(first, OUTSHONE * second) or first)]
    chosen = spread if np.isin(spread, live).all() else _spread(live, wanted)
    return [int(z) for z in chosen]


def _spread(numbers: RowsN, wanted: int) -> RowsN:
    """At most `wanted` of these numbers (N,), evenly spread and away from the ends."""
    if len(numbers) <= wanted:
        return numbers
    chosen: RowsN = numbers[np.unique(np.linspace(0, len(numbers) - 1, wanted + 2)[1:-1].round().astype(int))]
    return chosen


def liveliness(plane: PlaneYX) -> float:
    """How far the brightest or darkest places of a plane (Y, X) are from its background, but for what noise does."""
    return float(_liveliness(np.array([_seen(plane)]))[0])


def _liveliness(seen: MatrixNM) -> FloatsN:
    """(N,) of planes of which (N, 3) is what `_seen` gives.

    Where neighbours share their noise, squares have more of it than pixels tell. So do they where nuclei are crowded:
    that of the emptier planes holds for all.
    """
    far, of_pixels, of_squares = seen.T
    some = of_squares[of_squares > 0]
    usual = percentiles(some, (25,))[0] if some.size else 0.0
    lively: FloatsN = np.maximum(0.0, far - NOISE * np.maximum(of_pixels, usual))
    return lively


def _seen(plane: PlaneYX) -> tuple[float, float, float]:
    """How far the brightest or the darkest squares of a plane (Y, X) are from its background, and the noise of a square
    as its pixels, and as its neighbours, tell.
    """
    height, width = (n // BLOCK_PX * BLOCK_PX for n in plane.shape)
    down, along = (-(-n // (BLOCK_PX * BLOCKS)) for n in plane.shape)
    squares = plane[:height, :width].reshape(height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX)
    few = squares[::down, :, ::along].swapaxes(1, 2)
    shape = few.shape[:2]
    few = few.reshape(-1, BLOCK_PX**2).astype(np.float64)
    finite = np.isfinite(few).all(axis=1)
    if finite.sum() < 2 * FEW:
        return 0.0, 0.0, 0.0
    few[~finite] = np.nan
    few -= few[finite.argmax(), 0]  # an offset that is large against what is on it
    noise = 1.4826 * median(np.abs(few[finite, 0] - few[finite, BLOCK_PX + 1])) / 2**0.5
    inner = BLOCK_PX**2 - 2
    light = ((few.sum(axis=1) - few.max(axis=1) - few.min(axis=1)) / inner).reshape(shape)
    steps = np.abs(light[1:, 1:] - light[:-1, :-1])
    steps = steps[np.isfinite(steps)]
    rough = OF_QUARTILE * percentiles(steps, (25,))[0] if steps.size else 0.0
    light = np.sort(_flat(light)[finite])
    middle = median(light)
    far = max(light[-FEW] - middle, middle - light[FEW - 1])
    return far, noise / inner**0.5, rough


def _flat(light: MatrixNM) -> FloatsN:
    """Squares (N, M) as (N * M,), without the smooth surface of an uneven background."""
    rows, columns = (np.linspace(-1, 1, n) for n in light.shape)
    ones = np.ones(light.shape)
    u, v = rows[:, None] * ones, columns * ones
    terms = np.stack([ones, u, v, u * u, u * v, v * v], axis=-1).reshape(-1, 6)
    values: FloatsN = light.ravel()
    known = np.isfinite(values)
    if known.sum() < LEAST_SQUARES:
        return values
    design, ordered = terms[known], np.sort(values[known])
    believed = np.clip(values[known], ordered[FEW - 1], ordered[-FEW])  # a surface follows a single hot one far
    flat: FloatsN = values - terms @ np.linalg.lstsq(design.T @ design, design.T @ believed, rcond=None)[0]
    return flat
