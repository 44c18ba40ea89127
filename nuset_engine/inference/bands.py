"""Labels of a plane too large to be held as maps: it is read from top to bottom, a few bands of it at a time.

The network sees every pixel as often as in a plane that is held whole. Nuclei are separated block by block, each block
with room around it; a nucleus belongs to the block in which its middle lies.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.arrays import ScoresN
from nuset_engine.inference.instances import PlaneLabels, at_source
from nuset_engine.inference.maps import PlaneMaps, Separated
from nuset_engine.inference.passes import Band, Reading, bands
from nuset_engine.inference.predictor import Predictor
from nuset_engine.inference.proposals import joined, suppress
from nuset_engine.inference.review import reviewed
from nuset_engine.inference.watershed import drop
from nuset_engine.params import LEARNED, SegmentationParams
from nuset_engine.planes.resample import steps
from nuset_engine.planes.scaled_plane import ScaledPlane

LARGEST_WHOLE_PX = 2048 * 2048  # network pixels; smaller planes are separated whole
BLOCK_PX = 1536  # width of a block without the room around it, in network pixels
ROOM_PX = math.ceil(5 * TRAINED_DIAMETER_PX)  # around a block: the largest nuclei that the anchors know, and a margin
EXACT = 1e-6  # of a pixel: what rounding may do to an edge
SURE_PX = 2.0  # the middle of a nucleus may differ by this much between two blocks that see all of it


def label_by_bands(
    plane: ScaledPlane, reading: Reading, predictor: Predictor, params: SegmentationParams
) -> PlaneLabels:
    """Labels (Y, X) of a plane of any size; beside them, memory grows with the plane's width alone."""
    canvas = Canvas(plane.source_shape, plane.shape, params)
    height, width = plane.shape
    for rows, kept in _with_room(bands(plane, reading, predictor), height):
        high = max(0, rows[0] - ROOM_PX), min(height, rows[1] + ROOM_PX)
        for left in range(0, width, BLOCK_PX):
            columns = left, min(left + BLOCK_PX, width)
            wide = max(0, columns[0] - ROOM_PX), min(width, columns[1] + ROOM_PX)
            found = predictor.separated(_cut(kept, high, wide, reading.nms_iou), params)
            if not reading.stacked or params.outline != LEARNED:
                found = reviewed(found, plane[slice(*high), slice(*wide)], reading, predictor, params)
            canvas.paint(_own(found, (high[0], wide[0]), rows, columns), (high[0], wide[0]))
    return canvas.result()


def _with_room(parts: Iterable[Band], height: int) -> Iterator[tuple[tuple[int, int], Sequence[Band]]]:
    """Rows of each band in turn, and the bands that reach `ROOM_PX` above and below them."""
    kept: deque[Band] = deque()
    waiting: deque[tuple[int, int]] = deque()
    for band in parts:
        kept.append(band)
        waiting.append(band.rows)
        while waiting and min(waiting[0][1] + ROOM_PX, height) <= band.rows[1]:
            rows = waiting.popleft()
            while kept[0].rows[1] <= rows[0] - ROOM_PX:
                kept.popleft()
            yield rows, kept


def _cut(kept: Sequence[Band], rows: tuple[int, int], columns: tuple[int, int], nms_iou: float) -> PlaneMaps:
    """The maps between two rows and two columns, proposals in their own frame."""
    parts = []
    for band in kept:
        low, high = (min(max(row - band.rows[0], 0), band.rows[1] - band.rows[0]) for row in rows)
        parts.append((band, slice(low, high), slice(*columns)))
    foreground = np.concatenate([band.maps.foreground[y, x] for band, y, x in parts])
    ridge = np.concatenate([band.maps.ridge[y, x] for band, y, x in parts])
    found = joined([band.maps.proposals for band in kept]).shifted(-rows[0], -columns[0])
    here = np.all((found.centres >= 0) & (found.centres < foreground.shape), axis=1)
    return PlaneMaps(foreground, ridge, suppress(found.where(here), nms_iou))


def _own(found: Separated, origin: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]) -> Separated:
    """The nuclei whose middle lies between two rows and two columns of the plane, and little beyond."""
    inside = np.flatnonzero(found.labels)
    owner = found.labels.ravel()[inside]
    count = len(found.scores) + 1
    area = np.maximum(np.bincount(owner, None, count), 1)
    own = np.ones(count, bool)
    for values, first, (low, high) in zip(
        np.divmod(inside, found.labels.shape[1]), origin, (rows, columns), strict=True
    ):
        middle = np.bincount(owner, values, count) / area + 0.5 + first
        own &= (middle >= low - SURE_PX) & (middle < high + SURE_PX)
    labels, scores = drop(found.labels, found.scores, own[1:])
    return Separated(labels, scores, found.probability)


class Canvas:
    """Labels of a plane, painted block by block at the source's resolution.

    Parameters
    ----------
    shape : (int, int)
        Of the source.
    network_shape : (int, int)
        Of the plane at network resolution.
    params : SegmentationParams
    """

    def __init__(self, shape: tuple[int, int], network_shape: tuple[int, int], params: SegmentationParams) -> None:
        self._labels = np.zeros(shape, np.int32)
        self._scores: list[ScoresN] = []
        self._count = 0
        self._step = steps(network_shape, shape)
        self._params = params

    def paint(self, found: Separated, origin: tuple[int, int]) -> None:
        """Add nuclei; one that lies mostly on what is painted is there already, because two blocks saw its middle.

        Parameters
        ----------
        found : Separated
            Of a part of the plane at network resolution.
        origin : (int, int)
            Where in the plane the part begins.
        """
        window = tuple(
            slice(math.ceil(first / step - EXACT), min(size, math.floor((first + length) / step + EXACT)))
            for first, length, step, size in zip(
                origin, found.labels.shape, self._step, self._labels.shape, strict=True
            )
        )
        labels = at_source(found, origin, self._step, (window[0], window[1]), self._params)
        canvas = self._labels[window]
        free = canvas == 0
        count = len(found.scores) + 1
        total, visible = np.bincount(labels.ravel(), None, count), np.bincount(labels[free], None, count)
        new = 2 * visible >= np.maximum(total, 1)
        new[0] = False
        number = np.zeros(count, np.int32)
        number[new] = self._count + np.arange(1, new.sum() + 1)
        painted = free & new[labels]
        canvas[painted] = number[labels[painted]]
        self._count += int(new.sum())
        self._scores.append(found.scores[new[1:]])

    def result(self) -> PlaneLabels:
        """All nuclei, 1..n."""
        return PlaneLabels(self._labels, np.concatenate(self._scores) if self._scores else np.zeros(0, np.float32))
