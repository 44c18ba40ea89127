"""One pass of the network over planes of any size: maps and proposals at network resolution."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from nuset_engine.arrays import InputsNYXC, PlaneF32
from nuset_engine.inference.maps import PlaneMaps
from nuset_engine.inference.predictor import Prediction, Predictor
from nuset_engine.inference.proposals import EMPTY, joined, suppress
from nuset_engine.inference.tiling import Tile, tiles
from nuset_engine.planes.normalize import IntensityStatistics, normalize

CELL_PX = 8
TOGETHER_CELLS = 8  # rows of cells that are looked at before the next ones are


class Windowed(Protocol):
    """A plane of which windows can be had, such as an array or a `ScaledPlane`."""

    shape: tuple[int, int]

    def __getitem__(self, window: tuple[slice, slice]) -> PlaneF32: ...


@dataclass(frozen=True)
class Reading:
    """How the network is read: normalisation, whether the planes are slices of a stack, tile edge in network pixels,
    least score and overlap of proposals.

    The statistics are the same for all tiles and planes, so that nothing depends on how an image was cut.
    """

    statistics: IntensityStatistics
    stacked: bool
    tile: int
    min_score: float
    nms_iou: float

    def inputs(self, planes: Sequence[PlaneF32], predictor: Predictor) -> InputsNYXC:
        """The network's inputs (N, Y, X, C) for planes of equal shape, their lower and right edges mirrored."""
        shape = predictor.padded(planes[0].shape)
        edges = [(0, padded - own) for padded, own in zip(shape, planes[0].shape, strict=True)]
        filled = [np.pad(plane, edges, mode="symmetric") if shape != plane.shape else plane for plane in planes]
        together = np.stack(filled) if len(filled) > 1 else filled[0][None]
        return normalize(together, self.statistics, self.stacked, predictor.channels)

    def predictions(self, planes: Sequence[PlaneF32], predictor: Predictor) -> list[Prediction]:
        """What the network says of planes (Y, X) of equal shape."""
        height, width = planes[0].shape
        return [
            replace(one, foreground=one.foreground[:height, :width], ridge=one.ridge[:height, :width])
            for one in predictor.predict(self.inputs(planes, predictor))
        ]


def shows_nothing(window: PlaneF32, statistics: IntensityStatistics) -> bool:
    """True where a window (Y, X) is background from edge to edge, so that the network need not look at it.

    The mean over any 8 x 8 pixels, a ninth of a nucleus of the trained size, stays within a fraction of the noise and
    of one percent of the contrast above the background. What the network is trained to see is brighter by far.
    """
    limit = statistics.background + 0.4 * statistics.noise + 0.01 * statistics.contrast
    if min(window.shape) < CELL_PX:
        return bool(window.max(initial=-np.inf) <= limit)
    height, width = (n - n % CELL_PX for n in window.shape)
    tops, lefts = {0, window.shape[0] - height}, {0, window.shape[1] - width}  # cells along all four edges
    for top, left in itertools.product(tops, lefts):
        part = window[top : top + height, left : left + width]
        for row in range(0, height, TOGETHER_CELLS * CELL_PX):  # a window that shows something often does so soon
            some = part[row : row + TOGETHER_CELLS * CELL_PX]
            cells = some.reshape(len(some) // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX).mean(axis=(1, 3))
            if cells.max() > limit:
                return False
    return True


def _nothing(shape: tuple[int, int]) -> PlaneMaps:
    return PlaneMaps(np.zeros(shape, np.float32), np.zeros(shape, np.float32), EMPTY)


def _whole(prediction: Prediction, reading: Reading) -> PlaneMaps:
    found = prediction.proposals(reading.min_score)
    height, width = prediction.foreground.shape
    inside = np.all((found.centres >= 0) & (found.centres < (height, width)), axis=1)
    return PlaneMaps(prediction.foreground, prediction.ridge, suppress(found.where(inside), reading.nms_iou))


def _read_tile(plane: Windowed, part: Tile, reading: Reading, predictor: Predictor) -> PlaneMaps:
    """Maps of a tile's core; proposals in the plane's frame, none suppressed yet."""
    window = plane[part.window]
    if shows_nothing(window, reading.statistics):
        return _nothing((part.core_y[1] - part.core_y[0], part.core_x[1] - part.core_x[0]))
    (prediction,) = reading.predictions([window], predictor)
    found = prediction.proposals(reading.min_score).shifted(part.y[0], part.x[0])
    start, stop = np.array([part.core_y, part.core_x]).T
    # A proposal belongs to the tile in whose core its middle lies; the half-open cores share none.
    own = np.all((found.centres >= start) & (found.centres < stop), axis=1)
    return PlaneMaps(prediction.foreground[part.inner], prediction.ridge[part.inner], found.where(own))


@dataclass(frozen=True)
class Band:
    """Maps of some rows of a plane, from its left to its right edge; proposals in the plane's frame, none suppressed.

    Attributes
    ----------
    rows : (int, int)
        First row, and the one after the last.
    maps : PlaneMaps
    """

    rows: tuple[int, int]
    maps: PlaneMaps


def bands(plane: Windowed, reading: Reading, predictor: Predictor) -> Iterator[Band]:
    """The maps of a plane of any size from top to bottom, one row of tiles after the other."""
    for rows, row in itertools.groupby(tiles(plane.shape, reading.tile), key=lambda part: part.core_y):
        shape = (rows[1] - rows[0], plane.shape[1])
        band = PlaneMaps(np.empty(shape, np.float32), np.empty(shape, np.float32), EMPTY)
        parts = []
        for part in row:
            maps = _read_tile(plane, part, reading, predictor)
            band.foreground[:, part.core[1]], band.ridge[:, part.core[1]] = maps.foreground, maps.ridge
            parts.append(maps.proposals)
        yield Band(rows, PlaneMaps(band.foreground, band.ridge, joined(parts)))


def _tiled(plane: Windowed, reading: Reading, predictor: Predictor) -> PlaneMaps:
    foreground, ridge = np.empty(plane.shape, np.float32), np.empty(plane.shape, np.float32)
    parts = []
    for part in tiles(plane.shape, reading.tile):
        maps = _read_tile(plane, part, reading, predictor)
        foreground[part.core], ridge[part.core] = maps.foreground, maps.ridge
        parts.append(maps.proposals)
    return PlaneMaps(foreground, ridge, suppress(joined(parts), reading.nms_iou))


def run_network(
    planes: Sequence[PlaneF32],
    statistics: IntensityStatistics,
    predictor: Predictor,
    *,
    stacked: bool,
    tile: int,
    min_score: float,
    nms_iou: float,
) -> list[PlaneMaps]:
    """Maps and proposals of planes of equal shape, (Y, X) float32 at network resolution.

    Small ones go through the network as one batch, larger ones in tiles of at most `tile` pixels; those that show
    nothing but background do not go through it. See `Reading` for the rest.
    """
    reading = Reading(statistics, stacked, tile, min_score, nms_iou)
    shape = (planes[0].shape[0], planes[0].shape[1])
    if max(shape) > tile:
        return [_tiled(plane, reading, predictor) for plane in planes]
    found = [_nothing(shape)] * len(planes)
    busy = [index for index, plane in enumerate(planes) if not shows_nothing(plane, statistics)]
    if busy:
        batch = reading.predictions([planes[index] for index in busy], predictor)
        for index, prediction in zip(busy, batch, strict=True):
            found[index] = _whole(prediction, reading)
    return found
