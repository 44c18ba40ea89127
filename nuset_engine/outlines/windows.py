"""Windows about some nuclei of a plane, so that what concerns these alone does not go over all of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import FlagsN, LabelsYX, PairsN2, RowsN

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
    boxes = [box for box, chosen in zip(ndi.find_objects(labels, len(some) - 1), some[1:], strict=True) if chosen]
    rows, columns = (
        np.array([(max(0, box[axis].start - room), min(size, box[axis].stop + room)) for box in boxes if box], np.int64)
        for axis, size in enumerate(labels.shape)
    )
    return [
        (high, wide) for high, own in _parted(rows.reshape(-1, 2)) for wide, _ in _parted(columns.reshape(-1, 2)[own])
    ]


def _parted(spans: PairsN2) -> Iterator[tuple[slice, RowsN]]:
    """Spans (N, 2) from start to stop that hold those that overlap, in order, and which ones these are."""
    order = np.argsort(spans[:, 0], kind="stable")
    start, stop = spans[order, 0], np.maximum.accumulate(spans[order, 1])
    begins = np.flatnonzero(np.append(True, start[1:] >= stop[:-1])) if len(order) else order
    for first, last in zip(begins, np.append(begins[1:], len(order)), strict=False):
        yield slice(int(start[first]), int(stop[last - 1])), order[first:last]
