"""Columns or rows that a camera or a scanner lost: dead, hot or stuck ones, over all of a plane or a part of it.

A line, up to three pixels wide, is at fault where it lies above or below what is on both sides of it, all along, by
more than that changes from side to side and on the way to it: what a lens has drawn is blurred, and its neighbours
differ from theirs as much. What is shown instead is in between them. Where such lines are many, they are the image.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nuset_engine.arrays import AnyFloats, FlagsN, FloatsN, MatrixNM, Pixels, PlaneYX, RowsN
from nuset_engine.planes.quantiles import percentiles

ROWS, COLUMNS = 0, 1
WIDTHS_PX = (1, 2, 3)
BLOCK = 16  # places along a line that are looked at together
MOST_BLOCKS = 16  # in which a line is looked at
ONE_SIDED = 0.75  # of the places that differ from the line before, those above less those below: worth a closer look
LEAST_PX = 40  # of a line, and
LEAST_SHARE = 1 / 8  # of its length, are at fault
AGAINST = 4  # places that tell of a fault are outweighed by one that tells of none
AS_USUAL = 0.25  # of what its usual value would be off: a place that is less off tells of none
SHARP = 2.5  # times as far off as its neighbours are from each other, and from theirs
SHARP_IF_STUCK = 1.5  # where it has one value all along
LEAST = 0.03  # of the contrast that a part of a line is off
ALL = 0.95  # of a line: if so much of it is off, be it a little, that is no chance
SUDDEN = 5.0  # times the upper quartile of what lines differ by from the ones before
MOST_LINES = 1 / 16  # of a plane's lines
MOST_PX = 1 << 16  # pixels that the contrast is taken from


class WindowedPlane(Protocol):
    """A plane (Y, X) of which windows can be had, such as an array or one that is mended."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width."""

    def __getitem__(self, window: tuple[slice, ...]) -> PlaneYX:
        """The rows and columns of a window."""


@dataclass(frozen=True, order=True)
class FaultyLine:
    """Lines side by side that show nothing, over a part of their length.

    Attributes
    ----------
    axis : int
        `ROWS` or `COLUMNS`.
    first, width : int
        The first of the lines, and how many there are.
    start, stop : int
        The part of their length, in pixels.
    """

    axis: int
    first: int
    width: int
    start: int
    stop: int


class MendedLines:
    """A plane (Y, X) of which windows are taken with its neighbours' values in place of faulty rows, or columns.

    Parameters
    ----------
    plane : (Y, X) any real dtype
        Its own values, in its own dtype, are never changed.
    axis : int
        `ROWS` or `COLUMNS`.
    faults : sequence of FaultyLine
        Those along this axis.
    """

    def __init__(self, plane: WindowedPlane, axis: int, faults: Sequence[FaultyLine]) -> None:
        self._plane, self._axis, self._faults = plane, axis, faults
        self.shape: tuple[int, int] = (plane.shape[0], plane.shape[1])

    def __getitem__(self, window: tuple[slice, ...]) -> PlaneYX:
        part: PlaneYX = np.array(self._plane[window])
        places = [np.arange(*w.indices(n)) for w, n in zip(window, self.shape, strict=True)]
        lines, along = places[self._axis], places[1 - self._axis]
        shown = part if self._axis == ROWS else part.T
        for fault in self._faults:
            here = np.flatnonzero((lines >= fault.first) & (lines < fault.first + fault.width))
            there = np.flatnonzero((along >= fault.start) & (along < fault.stop))
            if here.size:
                shown[np.ix_(here, there)] = self._between(fault, lines[here], window[1 - self._axis])[:, there]
        return part

    def _between(self, fault: FaultyLine, lines: RowsN, along: slice) -> PlaneYX:
        """What some of the faulty lines (N,) show instead, (N, M), from the lines before and after them."""
        before, after = (self._line(place, along) for place in (fault.first - 1, fault.first + fault.width))
        kind = before.dtype
        before, after = before.astype(np.float64), after.astype(np.float64)
        before, after = (np.where(np.isfinite(a), a, b) for a, b in ((before, after), (after, before)))
        way = (lines - fault.first + 1)[:, None] / (fault.width + 1)
        between = (1 - way) * before + way * after
        whole: PlaneYX = between if kind.kind == "f" else np.rint(between)
        return whole.astype(kind)

    def _line(self, place: int, along: slice) -> Pixels:
        one = slice(place, place + 1)
        return self._plane[(one, along) if self._axis == ROWS else (along, one)].ravel()


def mended(plane: PlaneYX, faults: Sequence[FaultyLine]) -> PlaneYX | MendedLines:
    """A plane (Y, X) without its faults, of which windows can be taken; the plane itself where there are none."""
    windows: PlaneYX | MendedLines = plane
    for axis in (COLUMNS, ROWS):  # where they cross, the rows' neighbours are mended already
        if of_axis := [fault for fault in faults if fault.axis == axis]:
            windows = MendedLines(windows, axis, of_axis)
    return windows


def common_faults(planes: Sequence[PlaneYX]) -> tuple[FaultyLine, ...]:
    """The faults that most of some planes (Y, X) of a stack have: they are the camera's, not the slice's."""
    parts: dict[tuple[int, int, int], list[FaultyLine]] = defaultdict(list)
    for z in range(len(planes)):
        for fault in faulty_lines(planes[z]):
            parts[fault.axis, fault.first, fault.width].append(fault)
    return tuple(
        FaultyLine(*lines, min(part.start for part in found), max(part.stop for part in found))
        for lines, found in sorted(parts.items())
        if 2 * len(found) > len(planes)
    )


def faulty_lines(plane: PlaneYX) -> tuple[FaultyLine, ...]:
    """The faulty lines along both axes of a plane (Y, X)."""
    found = [known for axis in (ROWS, COLUMNS) for known in _along(plane if axis == ROWS else plane.T, axis)]
    if not found:
        return ()
    least = LEAST * _contrast(plane, [fault for fault, _ in found])
    length = {axis: plane.shape[1 - axis] for axis in (ROWS, COLUMNS)}
    return tuple(sorted(f for f, off in found if off.mean() > least or len(off) >= ALL * length[f.axis]))


def _along(lines: PlaneYX, axis: int) -> list[tuple[FaultyLine, FloatsN]]:
    """Those among lines (N, M) whose fault is much larger than what lines differ by; none where they are many."""
    found = [known for first, width in _suspects(lines) if (known := _examined(lines, axis, first, width))]
    if not found:
        return []
    some = _some(lines)
    steps = np.median(np.diff(np.where(np.isfinite(some), some, 0).astype(np.float64), axis=1), axis=0)
    usual = percentiles(np.abs(steps), (75,))[0]
    found = [(fault, off) for fault, off in found if off.mean() > SUDDEN * usual]
    return found if sum(fault.width for fault, _ in found) <= MOST_LINES * len(lines) else []


def _some(lines: PlaneYX) -> PlaneYX:
    """Values (K, N) side by side of lines (N, M) at some places, a whole number of blocks, along them."""
    some = np.ascontiguousarray(lines[:, :: -(-lines.shape[1] // (BLOCK * MOST_BLOCKS))].T)
    return some[: len(some) // BLOCK * BLOCK]


def _suspects(lines: PlaneYX) -> list[tuple[int, int]]:
    """First line and width of those lines (N, M) that are above, or below, their neighbours along a part or all."""
    some = _some(lines)
    if len(lines) < 3 or len(some) < 2 * BLOCK:
        return []
    rising, falling = some[:, 1:] > some[:, :-1], some[:, 1:] < some[:, :-1]
    above = _together(rising.view(np.int8) - falling.view(np.int8))
    differing = _together((rising | falling).view(np.int8))
    steps = np.sign(above) * ((np.abs(above) >= ONE_SIDED * differing) & (differing >= BLOCK))
    found = []
    for width in WIDTHS_PX:
        there_and_back = (steps[:, :-width] * steps[:, width:] < 0).any(axis=0)
        found += [(int(place) + 1, width) for place in np.flatnonzero(there_and_back)]
    return found


def _together(signs: PlaneYX) -> PlaneYX:
    """Sums of int8 (places, N) over each two blocks side by side and, last, over all."""
    of_blocks = signs.reshape(-1, BLOCK, signs.shape[1]).sum(axis=1, dtype=np.int8)
    return np.concatenate([of_blocks[1:] + of_blocks[:-1], of_blocks.sum(axis=0, dtype=np.int16, keepdims=True)])


def _examined(lines: PlaneYX, axis: int, first: int, width: int) -> tuple[FaultyLine, FloatsN] | None:
    """The part of some of the lines (N, M) that is at fault, and how far off (K,) its places are; None for no fault."""
    near = np.array([first - 1 - width, first - 1, first + width, first + 2 * width])
    within = (near >= 0) & (near < len(lines))
    both = lines[[*np.where(within, near, first - 1), *range(first, first + width)]].astype(np.float64)
    known = np.isfinite(both).all(axis=0)
    around, inner = np.split(np.where(known, both, 0.0), [len(near)])
    off = _outside(around[1:3], inner)
    part = _heaviest(np.where(off > 0, 1, np.where(off < 0, -AGAINST, 0)))
    if not (telling := _telling(off, part)).size:
        return None
    level, stuck = np.median(inner[:, telling], keepdims=True), np.ptp(inner[:, telling]) == 0
    usual = np.where(known, _outside(around[1:3], level), 0.0)
    against = known & (inner != level).any(axis=0) if stuck else (off < 0) | (off < AS_USUAL * usual)
    part = _heaviest(np.where(against, -AGAINST, np.where(off > 0, 1, 0)))
    telling = _telling(off, part)
    if len(telling) < max(LEAST_PX, LEAST_SHARE * lines.shape[1]):
        return None
    before, across, after = np.abs(np.diff(around[:, telling], axis=0)).mean(axis=1)
    beside = min(before if within[0] else np.inf, after if within[3] else np.inf)
    inside = float(np.abs(np.diff(inner[:, telling], axis=0)).mean()) if width > 1 else 0.0
    if off[telling].mean() <= (SHARP_IF_STUCK if stuck else SHARP) * max(beside, inside, across / 2):
        return None
    return FaultyLine(axis, first, width, *part), off[telling]


def _outside(sides: MatrixNM, inner: AnyFloats) -> FloatsN:
    """(M,) how far lines (N, M) lie outside of what is on both sides (2, M); negative where one lies in between."""
    outside: FloatsN = np.maximum(sides.min(axis=0) - inner.max(axis=0), inner.min(axis=0) - sides.max(axis=0))
    return outside


def _telling(off: FloatsN, part: tuple[int, int]) -> RowsN:
    """(K,) the places of a part of (M,) that lie outside of what is on both sides."""
    return part[0] + np.flatnonzero(off[slice(*part)] > 0)


def _heaviest(weights: RowsN) -> tuple[int, int]:
    """Where the part of (N,) with the largest sum begins and ends."""
    total = np.concatenate([[0], np.cumsum(weights)])
    stop = int(np.argmax(total - np.minimum.accumulate(total)))
    start = stop - int(np.argmin(total[: stop + 1][::-1]))
    return start, stop


def _contrast(plane: PlaneYX, faults: Sequence[FaultyLine]) -> float:
    """From the darkest to the brightest hundredth of a plane (Y, X) but for these lines."""
    good: list[FlagsN] = [np.ones(n, bool) for n in plane.shape]
    for fault in faults:
        good[fault.axis][fault.first : fault.first + fault.width] = False
    stride = max(1, int(np.sqrt(plane.size / MOST_PX)))
    values = plane[np.ix_(*(np.flatnonzero(lines)[::stride] for lines in good))].ravel()
    values = values[np.isfinite(values)].astype(np.float64)
    low, high = percentiles(values, (1, 99)) if values.size else (0.0, 0.0)
    return high - low
