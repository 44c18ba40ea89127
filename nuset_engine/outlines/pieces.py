"""The pieces that labels have fallen into, found by the runs of equal pixels in rows: these are few."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from nuset_engine.arrays import IntsN, LabelsYX, RowsN


def pieces_of(labels: LabelsYX) -> tuple[RowsN, IntsN]:
    """Pixels of labels, and the piece of its label that each belongs to.

    Pixels of the same label that touch, if only at a corner, are of one piece.

    Parameters
    ----------
    labels : (Y, X) int
        0 is the background.

    Returns
    -------
    places : (M,) int
        Places in the flat plane, in order.
    pieces : (M,) int
        From 1, without gaps.
    """
    flat, width = labels.ravel(), labels.shape[1]
    begins = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins[::width] = True
    first = np.flatnonzero(begins)
    length = np.diff(first, append=flat.size)
    some = flat[first] != 0
    first, length = first[some], length[some]
    touching = _touching(first, length, flat[first], width)
    links = coo_matrix((np.ones(len(touching[0]), bool), touching), shape=(len(first), len(first)))
    _, piece = connected_components(links, directed=False)
    return np.flatnonzero(flat != 0), np.repeat(piece + 1, length)


def _touching(first: RowsN, length: RowsN, label: IntsN, width: int) -> tuple[RowsN, RowsN]:
    """Runs (P,), and the run (P,) of the same label in the next row that each touches."""
    row, column = np.divmod(first, width)
    start = row * (width + 2) + column  # with a gap after each row, so that its end is no neighbour of the next one
    end = start + length - 1
    below = width + 2
    low = np.searchsorted(end, start - 1 + below)
    many = np.maximum(np.searchsorted(start, end + 1 + below, side="right") - low, 0)
    upper = np.repeat(np.arange(len(first)), many)
    lower = np.arange(len(upper)) + np.repeat(low - (np.cumsum(many) - many), many)
    same = label[upper] == label[lower]
    return upper[same], lower[same]
