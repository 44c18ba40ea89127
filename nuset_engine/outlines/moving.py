"""Outlines moved in or out between pixels, that of each nucleus by its own way."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import AnyFloatsN, FlagsN, FloatsN, LabelsYX, MaskYX, PlaneF32, RowsN
from nuset_engine.outlines.growing import grown
from nuset_engine.outlines.pieces import pieces_of
from nuset_engine.outlines.windows import Window

FARTHEST_PX = 4.0  # that an outline is moved, in network pixels: a third of a usual nucleus' radius
WIDE = 5  # edge of the squares by which a probability is smoothed, twice, to have a direction so far off
ROOM_PX = math.ceil(FARTHEST_PX) + 2  # about a nucleus, in which all lies that moving its outline changes
FLAT = 1e-4
TOGETHER_ROWS = 32  # are smoothed at a time: what fits into a processor's cache


def moved(
    labels: LabelsYX,
    probability: PlaneF32,
    way: FloatsN,
    threshold: float,
    windows: Sequence[Window] | None = None,
) -> tuple[LabelsYX, PlaneF32]:
    """Nuclei with their outlines moved: each place near one takes the probability of the place that it comes from.

    Where two nuclei touch nothing moves, and one that grows ends where another one begins. What is moved stays in one
    piece, and one of which nothing would be left stays as it was.

    Parameters
    ----------
    labels : (Y, X) int
        1..N.
    probability : (Y, X) float32
    way : (N + 1,) float64
        How far outwards each label's outline goes, in pixels, at most `FARTHEST_PX` either way; 0 of the background.
    threshold : float
        Where in the probability outlines lie.
    windows : sequence of (slice, slice), optional
        Share no pixel; each nucleus that moves lies in one of them, with `ROOM_PX` around it. All of the plane where
        not given.

    Returns
    -------
    labels : (Y, X) int32
    probability : (Y, X) float32
    """
    windows = [(slice(0, labels.shape[0]), slice(0, labels.shape[1]))] if windows is None else windows
    out, certain = labels.astype(np.int32), probability.copy()
    reach = math.ceil(max(float(way.max()), 0)) + 1
    near = [_near_outlines(probability, (way != 0)[labels[window]], reach, window) for window in windows]
    here, down, along = (np.concatenate(parts) for parts in zip(*near, strict=True))
    row, column = np.divmod(here, labels.shape[1])
    owner = _owners(labels, row, column, down, along, reach)
    by = way[owner]
    # What lies in the foreground and belongs to no nucleus was dropped: it is no room to grow into.
    some = (by != 0) & ((labels.ravel()[here] > 0) | (probability.ravel()[here] <= threshold))
    here, owner, by = here[some], owner[some], by[some]
    y, x = row[some] + by * down[some], column[some] + by * along[some]
    there = ndi.map_coordinates(probability, [y, x], order=1, mode="nearest")
    # What grows keeps all that it has, and what shrinks gains nothing, also where it is so thin that the place lies
    # on its other side.
    own, known = labels.ravel()[here] > 0, certain.ravel()[here]
    inside = np.where(by > 0, own | (there > threshold), own & (there > threshold))
    level = np.where(by > 0, np.maximum(there, known), np.minimum(there, known))
    certain.ravel()[here] = np.where(inside, level, np.minimum(level, threshold))
    out.ravel()[here] = np.where(inside, owner, 0)
    there_is = np.zeros(len(way), bool)
    for window in windows:
        there_is |= _in_one_piece(out[window], certain[window], labels[window], way != 0, threshold)
    back = (way != 0) & ~there_is
    if back.any():
        all_of_it = back[labels]
        out[all_of_it], certain[all_of_it] = labels[all_of_it], probability[all_of_it]
    return out, certain


def _in_one_piece(labels: LabelsYX, probability: PlaneF32, before: LabelsYX, some: FlagsN, threshold: float) -> FlagsN:
    """Leave of `some` nuclei one piece, that with most of what they had `before`; which ones there are (N + 1,).

    A nucleus that shrinks may fall apart at a neck, and one that grows meets what lies behind another one.
    """
    flat = labels.ravel()
    inside, piece = pieces_of(labels)
    had = np.bincount(piece, before.ravel()[inside] > 0, minlength=1)
    owner = np.zeros(len(had), np.int64)
    owner[piece] = flat[inside]
    in_order = np.argsort(had, kind="stable")
    main = np.zeros(len(some), np.int64)
    main[owner[in_order]] = in_order  # the last one counts
    stray = some[owner] & (main[owner] != np.arange(len(had)))
    gone = np.divmod(inside[stray[piece]], labels.shape[1])
    labels[gone] = 0
    probability[gone] = np.minimum(probability[gone], threshold)
    return main > 0


def _near_outlines(
    probability: PlaneF32, some: MaskYX, reach: int, window: Window
) -> tuple[RowsN, AnyFloatsN, AnyFloatsN]:
    """Flat places (N,) in the plane near outlines, and the unit vector (N,), (N,) inwards from each.

    They lie up to so far from some pixels (Y, X) of a window, and not at its edge.
    """
    near = grown(some, reach)
    near[[0, -1]] = near[:, [0, -1]] = False
    width = near.shape[1]
    smooth = _smooth(probability, window).ravel()
    here = np.flatnonzero(near)
    level = smooth[here]
    here = here[(level > FLAT) & (level < 1 - FLAT)]
    down, along = (smooth[here + step] - smooth[here - step] for step in (width, 1))
    steep = np.maximum(np.hypot(down, along), 1e-9)
    row, column = np.divmod(here, width)
    there = (row + window[0].start) * probability.shape[1] + column + window[1].start
    return there, down / steep, along / steep


def _smooth(plane: PlaneF32, window: Window) -> PlaneF32:
    """A window (Y, X) of the plane, each pixel the mean of a square of `WIDE` pixels about it, twice; mirrored at the
    plane's edges.

    By sums of shifted rows and columns, a few rows at a time, in a third of the time that scipy's filter takes.
    """
    wanted = [(w.start - (WIDE - 1), w.stop + WIDE - 1, size) for w, size in zip(window, plane.shape, strict=True)]
    cut = tuple(slice(max(start, 0), min(stop, size)) for start, stop, size in wanted)
    beyond = [(max(-start, 0), max(stop - size, 0)) for start, stop, size in wanted]
    mirrored = np.pad(plane[cut], beyond, mode="symmetric")
    out = np.empty((window[0].stop - window[0].start, window[1].stop - window[1].start), np.float32)
    for top in range(0, len(out), TOGETHER_ROWS):
        rows = mirrored[top : top + TOGETHER_ROWS + 2 * (WIDE - 1)]
        out[top : top + TOGETHER_ROWS] = _summed(_summed(rows))
    out *= np.float32(1 / WIDE**4)
    return out


def _summed(plane: PlaneF32) -> PlaneF32:
    """(Y - 4, X - 4) sums of the squares of `WIDE` pixels in a plane (Y, X)."""
    two = plane[:-1] + plane[1:]
    down = two[:-3] + two[2:-1] + plane[WIDE - 1 :]
    two = down[:, :-1] + down[:, 1:]
    out: PlaneF32 = two[:, :-3] + two[:, 2:-1] + down[:, WIDE - 1 :]
    return out


def _owners(labels: LabelsYX, row: RowsN, column: RowsN, down: AnyFloatsN, along: AnyFloatsN, reach: int) -> RowsN:
    """The nucleus (N,) of each place: that in which it lies, or the first one inwards of it; 0 where there is none."""
    owner = labels[row, column].astype(np.int64)
    free = np.flatnonzero(owner == 0)
    for ahead in range(1, reach + 1):
        y = _within(row[free] + ahead * down[free], labels.shape[0])
        found = labels[y, _within(column[free] + ahead * along[free], labels.shape[1])]
        owner[free] = found
        free = free[found == 0]
    return owner


def _within(places: AnyFloatsN, size: int) -> RowsN:
    """The nearest pixels (N,) along an axis."""
    return np.clip(np.rint(places).astype(np.int64), 0, size - 1)
