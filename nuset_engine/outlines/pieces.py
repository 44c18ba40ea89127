"""The pieces that labels or a mask have fallen into, found by the runs of equal pixels in rows: these are few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from nuset_engine.arrays import FlagsN, IntsN, LabelsYX, MaskYX, PairsN2, RowsN


@dataclass(frozen=True, eq=False)
class Pieces:
    """Runs of equal pixels in the rows of a plane, in order, without the background, and the pieces that they form.

    Attributes
    ----------
    width : int
        Of the plane.
    first, length : (R,) int
        Place of each run's first pixel in the flat plane, and so many pixels it has.
    of : (R,) int
        The piece of each run, numbered from 0 in the order of their first pixels.
    count : int
        Of pieces.
    """

    width: int
    first: RowsN
    length: RowsN
    of: RowsN
    count: int

    @property
    def areas(self) -> IntsN:
        """(count,) pixels of each piece."""
        return np.bincount(self.of, self.length, self.count).astype(np.int64)

    def each(self, values: IntsN) -> IntsN:
        """A value (R,) of each run for each of its pixels (M,), in order."""
        return np.repeat(values, self.length)

    def places(self) -> RowsN:
        """Places (M,) of all pixels in the flat plane, in order."""
        return self.each(self.first - (np.cumsum(self.length) - self.length)) + np.arange(self.length.sum())

    def among(self, chosen: FlagsN) -> Pieces:
        """The runs of some pieces (count,) bool alone; the pieces keep their numbers."""
        runs = chosen[self.of]
        return Pieces(self.width, self.first[runs], self.length[runs], self.of[runs], self.count)

    def run_at(self, places: RowsN) -> RowsN:
        """The run (N,) that holds each of some places (N,) in the flat plane, each of which lies in one."""
        return np.searchsorted(self.first, places, side="right") - 1

    def boxes(self) -> tuple[PairsN2, PairsN2]:
        """First row and column, and those after the last, (count, 2) each, of the pieces that have runs here."""
        row, column = np.divmod(self.first, self.width)
        low, high = np.full((self.count, 2), np.iinfo(np.int64).max), np.zeros((self.count, 2), np.int64)
        for axis, (start, stop) in enumerate(((row, row + 1), (column, column + self.length))):
            np.minimum.at(low[:, axis], self.of, start)
            np.maximum.at(high[:, axis], self.of, stop)
        return low, high


def runs_in(labels: LabelsYX | MaskYX) -> tuple[RowsN, RowsN, IntsN]:
    """Runs of equal pixels in the rows of labels (Y, X), or of a mask, in order, without the background.

    Returns
    -------
    first, length : (R,) int
        Place of each run's first pixel in the flat plane, and so many pixels it has.
    label : (R,) int or bool
    """
    flat, width = labels.ravel(), labels.shape[1]
    begins = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins[::width] = True
    first = np.flatnonzero(begins)
    length = np.diff(first, append=flat.size)
    label = flat[first]
    some = label != 0
    return first[some], length[some], label[some]


def pieces_in(labels: LabelsYX | MaskYX, corners: bool = True) -> Pieces:
    """The pieces of labels (Y, X), or of a mask.

    Parameters
    ----------
    labels : (Y, X) int or bool
        0 is the background.
    corners : bool
        Pixels of the same label that touch at a corner alone are of one piece, too.
    """
    first, length, label = runs_in(labels)
    width = labels.shape[1]
    touching = _touching(first, length, label, width, int(corners))
    links = coo_matrix((np.ones(len(touching[0]), bool), touching), shape=(len(first), len(first)))
    count, piece = connected_components(links, directed=False)
    return Pieces(width, first, length, piece, count)


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
    found = pieces_in(labels)
    return found.places(), found.each(found.of + 1)


def _touching(first: RowsN, length: RowsN, label: IntsN, width: int, aside: int) -> tuple[RowsN, RowsN]:
    """Runs (P,), and the run (P,) of the same label in the next row that each touches, or by so much aside."""
    row, column = np.divmod(first, width)
    start = row * (width + 2) + column  # with a gap after each row, so that its end is no neighbour of the next one
    end = start + length - 1
    below = width + 2
    low = np.searchsorted(end, start - aside + below)
    many = np.maximum(np.searchsorted(start, end + aside + below, side="right") - low, 0)
    upper = np.repeat(np.arange(len(first)), many)
    lower = np.arange(len(upper)) + np.repeat(low - (np.cumsum(many) - many), many)
    same = label[upper] == label[lower]
    return upper[same], lower[same]
