"""Overlap of two label images as a sparse table: who shares how many pixels with whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FloatsN, IntsN, Labels, MatrixNM, ValuesN
from nuset_engine.errors import EngineError

_DENSE_LIMIT = 1 << 22  # entries up to which counting in a dense table is faster than sorting


@dataclass(frozen=True)
class Overlap:
    """Pairs of objects of two label images of one shape that share pixels; background is no object.

    Attributes
    ----------
    labels_a, labels_b : (N,), (M,) int64
        Labels present, ascending.
    areas_a, areas_b : (N,), (M,) int64
        Their pixel counts.
    rows, columns : (P,) int64
        Indices into `labels_a` and `labels_b` of the pairs that share pixels, ordered by row, then column.
    shared : (P,) int64
        Number of pixels they share.
    """

    labels_a: IntsN
    labels_b: IntsN
    areas_a: IntsN
    areas_b: IntsN
    rows: IntsN
    columns: IntsN
    shared: IntsN

    @property
    def iou(self) -> FloatsN:
        """(P,) float64 intersection over union of the pairs."""
        return self.shared / (self.areas_a[self.rows] + self.areas_b[self.columns] - self.shared)

    @property
    def over_smaller(self) -> FloatsN:
        """(P,) float64 shared pixels over those of the smaller object."""
        return self.shared / np.minimum(self.areas_a[self.rows], self.areas_b[self.columns])

    @property
    def share_of_a(self) -> FloatsN:
        """(P,) float64 part of the object of `a` that lies in that of `b`."""
        return self.shared / self.areas_a[self.rows]

    @property
    def share_of_b(self) -> FloatsN:
        """(P,) float64 part of the object of `b` that lies in that of `a`."""
        return self.shared / self.areas_b[self.columns]

    def dense(self, values: ValuesN) -> MatrixNM:
        """(N, M) float64 matrix of a pair property (P,), 0 where a pair shares nothing; for small images and tests."""
        matrix = np.zeros((len(self.labels_a), len(self.labels_b)))
        matrix[self.rows, self.columns] = values
        return matrix


def overlap(a: Labels, b: Labels) -> Overlap:
    """Count the pixels that objects of two label images share.

    Parameters
    ----------
    a, b : integer arrays of the same shape, any number of dimensions
        0 is background; labels need not be consecutive.

    Raises
    ------
    EngineError
        If the shapes differ, or an array is not of integers or holds negative labels.
    """
    if a.shape != b.shape:
        raise EngineError(f"Label images of shapes {a.shape} and {b.shape} cannot be compared; give two of one shape.")
    labels_a, index_a = compact(a)
    labels_b, index_b = compact(b)
    areas_a = np.bincount(index_a, minlength=len(labels_a) + 1)[1:]
    areas_b = np.bincount(index_b, minlength=len(labels_b) + 1)[1:]
    rows, columns, shared = shared_pixels(index_a, index_b, len(labels_a), len(labels_b))
    return Overlap(labels_a, labels_b, areas_a, areas_b, rows, columns, shared)


def shared_pixels(a: Labels, b: Labels, n: int, m: int) -> tuple[IntsN, IntsN, IntsN]:
    """Pairs of labels 1..n of `a` and 1..m of `b`, flat images of one size, that share pixels.

    Returns
    -------
    rows, columns, shared : (P,) int64
        As in `Overlap`.
    """
    both = np.flatnonzero((a > 0) & (b > 0))
    key = (a[both].astype(np.int64) - 1) * m + b[both].astype(np.int64) - 1
    if n * m <= _DENSE_LIMIT:
        counts = np.bincount(key, minlength=n * m)
        pairs = np.flatnonzero(counts)
        shared = counts[pairs]
    else:
        pairs, shared = np.unique(key, return_counts=True)
    rows, columns = np.divmod(pairs, max(m, 1))
    return rows, columns, shared


def compact(labels: Labels) -> tuple[IntsN, Labels]:
    """Labels present, ascending (N,) int64, and the flat image of their ranks 1..N with 0 as background.

    Raises
    ------
    EngineError
        If the array is not of integers or holds negative labels.
    """
    if labels.dtype.kind not in "iub":
        raise EngineError(f"A label image of type {labels.dtype} has no objects; convert it to whole numbers first.")
    flat = labels.ravel()
    if flat.dtype.kind == "b":
        flat = flat.view(np.uint8)
    if flat.dtype.kind == "i" and flat.min(initial=0) < 0:
        raise EngineError("A label image holds negative values; objects must be numbered from 1, background is 0.")
    top = int(flat.max(initial=0))
    if top > _DENSE_LIMIT:
        values, ranks = np.unique(flat, return_inverse=True)
        background = bool(values[0] == 0)
        return values[background:].astype(np.int64), ranks.reshape(-1) + (0 if background else 1)
    found = np.bincount(flat, minlength=top + 1) > 0
    found[0] = False
    if found.sum() == top:
        return np.arange(1, top + 1), flat
    rank_of = np.cumsum(found, dtype=np.int64) * found
    return np.flatnonzero(found), rank_of[flat]
