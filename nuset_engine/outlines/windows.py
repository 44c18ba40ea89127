"""Windows about some nuclei of a plane, so that what concerns these alone does not go over all of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nuset_engine.arrays import FlagsN, LabelsYX, PairsN2, RowsN
from nuset_engine.outlines.pieces import runs_in

Window = tuple[slice, slice]


def windows_about(labels: LabelsYX, some: FlagsN, room: int) -> list[Window]:
    """Rows and columns of windows that share no pixel; each of some nuclei lies in one of them, with room around it.

    Parameters
    ----------
    labels : (Y, X) int
        1..N.
    some : (N + 1,) bool
    room : int
        Pixels, fewer at the edges of the plane.
    """
    first, length, label = runs_in(labels)
    chosen = some[label]
    row, column = np.divmod(first[chosen], labels.shape[1])
    numbers, owner = np.unique(label[chosen], return_inverse=True)
    rows, columns = (
        _spans(start, stop, owner, len(numbers), room, size)
        for start, stop, size in zip((row, column), (row + 1, column + length[chosen]), labels.shape, strict=True)
    )
    return [(high, wide) for high, own in _parted(rows) for wide, _ in _parted(columns[own])]


def _spans(start: RowsN, stop: RowsN, owner: RowsN, count: int, room: int, size: int) -> PairsN2:
    """(count, 2) from the least start to the largest stop (R,) of each owner, with room, within an axis."""
    spans = np.tile(np.array([size, 0], np.int64), (count, 1))
    np.minimum.at(spans[:, 0], owner, start - room)
    np.maximum.at(spans[:, 1], owner, stop + room)
    return np.clip(spans, 0, size)


def _parted(spans: PairsN2) -> Iterator[tuple[slice, RowsN]]:
    """Spans (N, 2) from start to stop that hold those that overlap, in order, and which ones these are."""
    order = np.argsort(spans[:, 0], kind="stable")
    start, stop = spans[order, 0], np.maximum.accumulate(spans[order, 1])
    begins = np.flatnonzero(np.append(True, start[1:] >= stop[:-1])) if len(order) else order
    for first, last in zip(begins, np.append(begins[1:], len(order)), strict=False):
        yield slice(int(start[first]), int(stop[last - 1])), order[first:last]
