"""Rows or columns of a plane that are lighter or darker as a whole: noise of a camera's lines, stripes of a scanner.

How much lighter one row is than the one before it is what most of its pixels say: nuclei, whatever they are like,
change few of them at once. That rows are striped is believed where all parts of the plane's width agree on it, and the
background goes along by as much: nuclei in rank and file leave it as it is, or move it more than the rest. Lines of a
part of the width are left; single lost ones are those of `faulty_lines`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import FloatsN, MatrixNM, PlacesN, PlaneF32, PlaneYX
from nuset_engine.planes.faulty_lines import COLUMNS, ROWS, WindowedPlane
from nuset_engine.planes.quantiles import percentiles

MOST_PX = 512  # pixels of a line that are looked at
PARTS = 4
LEAST_PART_PX = 12
INNER = 0.25  # of the differences to the line before, those beyond these quantiles do not count
SUDDEN = 5.0  # times the upper quartile of the differences: the edge of a frame or a lost line is no stripe
WIDTHS_PX = (17, 65, 129)  # faster than the first is hardly anything but lines; slower than the last, the background
DEGREE = 4  # of the polynomial that an uneven background is like from line to line
LEAST_LINES = 3  # so many times as many tell whether there are any: of fewer, a few nuclei agree by chance
AGREEING = 0.5  # correlation of the parts
BACKGROUND = (10.0, 35.0)  # percentiles of a line, from the background's end
SHARED = (0.75, 1.25)  # so much of a line's deviation is that of its background, too
LEAST = 0.01  # of the contrast: weaker lines do no harm


class Straightened:
    """A plane (Y, X) of which windows are taken without its lines, so far as all its parts agree on these.

    Parameters
    ----------
    plane : (Y, X) any real dtype
    axes : sequence of int
        Which lines: `ROWS`, `COLUMNS`.
    """

    def __init__(self, plane: WindowedPlane, axes: Sequence[int]) -> None:
        self._plane = plane
        self.shape: tuple[int, int] = (plane.shape[0], plane.shape[1])
        self._levels = {axis: levels for axis in axes if (levels := _levels(_along(plane, axis))) is not None}

    def __getitem__(self, window: tuple[slice, ...]) -> PlaneF32:
        part = self._plane[window].astype(np.float32)
        for axis, levels in self._levels.items():
            part -= np.expand_dims(levels[window[axis]], 1 - axis)
        return part


@dataclass(frozen=True)
class Stripes:
    """Along which axes most planes of a stack have lines: of `ROWS`, `COLUMNS`.

    Attributes
    ----------
    of_bright, of_dark : tuple of int
        Where nuclei are bright, and where they are dark: the background has to agree, and that is the other side.
    """

    of_bright: tuple[int, ...] = ()
    of_dark: tuple[int, ...] = ()


STRAIGHT = Stripes()


def striped(planes: Sequence[PlaneYX]) -> Stripes:
    """Look for lines along both axes of planes (Y, X)."""
    axes, found = (ROWS, COLUMNS), [_lines_of(planes[z]) for z in range(len(planes))]
    return Stripes(
        tuple(axis for axis in axes if 2 * sum(one[axis][0] for one in found) > len(planes)),
        tuple(axis for axis in axes if 2 * sum(one[axis][1] for one in found) > len(planes)),
    )


def _lines_of(plane: PlaneYX) -> list[tuple[bool, bool]]:
    """Whether a plane (Y, X) has lines along both axes, for bright and for dark nuclei.

    Where it seems to have both, each is looked for without the others: among lines of one direction, whose background
    is unsteady, nuclei in rank and file look like lines of the other one.
    """
    found = [_are_lines(_along(plane, axis)) for axis in (ROWS, COLUMNS)]
    if not all(any(along) for along in found):
        return found
    alone = [
        _are_lines(_along(Straightened(plane, (other,))[:, :], axis))
        for axis, other in ((ROWS, COLUMNS), (COLUMNS, ROWS))
    ]
    return [(one[0] and two[0], one[1] and two[1]) for one, two in zip(found, alone, strict=True)]


def _along(plane: WindowedPlane, axis: int) -> PlaneYX:
    """The lines of a plane as rows, of each of which a part is taken."""
    whole, some = slice(None), slice(None, None, max(1, plane.shape[1 - axis] // MOST_PX))
    return plane[whole, some] if axis == ROWS else plane[some, whole].T


def _levels(lines: PlaneYX) -> PlacesN | None:
    """(N,) by how much each of the lines (N, M) is too light; None where their parts agree on none."""
    px, _ = _agreed(lines, 1)
    return _fast(_course(lines), px).astype(np.float32) if px else None


def _are_lines(lines: PlaneYX) -> tuple[bool, bool]:
    """Whether all parts of the lines (N, M) say that they differ, in the same way, and the background with them: that
    of bright nuclei, and that of dark ones.
    """
    values = lines[::4].ravel()[::4]
    values = values[np.isfinite(values)].astype(np.float64)
    if not values.size:
        return False, False
    low, high = percentiles(values, (25, 99))
    px, common = _agreed(lines, LEAST_LINES)
    if common <= (LEAST * (high - low)) ** 2:
        return False, False
    return _backgrounds_follow(lines, px)


def _backgrounds_follow(lines: PlaneYX, px: int) -> tuple[bool, bool]:
    """Whether the darkest, and the brightest, of the lines (N, M) deviate by as much as the lines do, by what is faster
    than `px` lines.
    """
    course = _fast(_course(lines), px)
    values = np.where(np.isfinite(lines), lines, np.nan).astype(np.float64)
    known = np.isfinite(values).any(axis=1)
    percents = (*BACKGROUND, *(100 - percent for percent in BACKGROUND))
    follow = []
    for ends in np.nanpercentile(values[known], percents, axis=1):
        everywhere = np.interp(np.arange(len(lines)), np.flatnonzero(known), ends)
        share = np.mean(course * _fast(everywhere, px)) / np.mean(course**2)
        follow.append(bool(SHARED[0] < share < SHARED[1]))
    return all(follow[: len(BACKGROUND)]), all(follow[len(BACKGROUND) :])


def _agreed(lines: PlaneYX, times: int) -> tuple[int, float]:
    """The widest of `WIDTHS_PX` up to which all parts of the lines (N, M) deviate alike, and the variance in common.

    There are so many `times` as many lines, or more. Of strong ones slow deviations are seen, too, of weak ones the
    fast alone: nuclei are slow. 0 where the parts agree on nothing.
    """
    width = lines.shape[1] // PARTS
    widths = [px for px in WIDTHS_PX if len(lines) >= times * px]
    if width < LEAST_PART_PX or not widths:
        return 0, 0.0
    fast: dict[int, list[FloatsN]] = {px: [] for px in widths}
    common: dict[int, float] = {}
    for part in range(PARTS):  # most planes have no lines, and two parts of them tell
        course = _even(_course(lines[:, part * width : (part + 1) * width]))
        for px in widths:
            fast[px].append(_faster(course, px))
        common = {px: _common(fast[px]) for px in widths}
        widths = [px for px in widths if common[px] > 0]
        if not widths:
            return 0, 0.0
    return widths[-1], common[widths[-1]]


def _common(parts: Sequence[FloatsN]) -> float:
    """The variance that any two of these (N,) have in common; 0 where they have more of their own."""
    least = np.inf
    for one, other in combinations(parts, 2):
        common = float(np.mean(one * other))
        if common < AGREEING * float(np.sqrt(np.mean(one**2) * np.mean(other**2))):
            return 0.0
        least = min(least, common)
    return least


def _fast(course: FloatsN, wide_px: int) -> FloatsN:
    """(N,) without what is slower than so many lines."""
    return _faster(_even(course), wide_px)


def _even(course: FloatsN) -> FloatsN:
    """(N,) without a slope over all of it: its ends are no lines."""
    place = np.linspace(-1, 1, len(course))
    even: FloatsN = course - np.polyval(np.polyfit(place, course, DEGREE), place)
    return even


def _faster(even: FloatsN, wide_px: int) -> FloatsN:
    """(N,) without the mean of so many lines."""
    faster: FloatsN = even - ndi.uniform_filter1d(even, wide_px, mode="reflect")
    return faster


def _course(lines: PlaneYX) -> FloatsN:
    """(N,) by how much each of the lines (N, M) is lighter than the first one."""
    with np.errstate(invalid="ignore"):  # of infinite values
        steps = np.diff(lines.astype(np.float64), axis=0)
    step = _middling(steps)
    usual = SUDDEN * percentiles(np.abs(step), (75,))[0] if step.size else 0.0
    course: FloatsN = np.concatenate([[0.0], np.cumsum(np.clip(step, -usual, usual))])
    return course


def _middling(steps: MatrixNM) -> FloatsN:
    """(N,) mean of the inner half of the finite values of each row (N, M)."""
    finite = np.isfinite(steps)
    if finite.all():
        cut = int(INNER * steps.shape[1])
        inner = np.sort(steps, axis=1)[:, cut : steps.shape[1] - cut]
        return inner.mean(axis=1) if inner.size else np.zeros(len(steps))
    steps = np.sort(np.where(finite, steps, np.nan), axis=1)  # what has no value comes last
    known = finite.sum(axis=1, keepdims=True)
    cuts, place = (INNER * known).astype(int), np.arange(steps.shape[1])
    within = (place >= cuts) & (place < known - cuts)
    mean: FloatsN = np.where(within, steps, 0.0).sum(axis=1) / np.maximum(within.sum(axis=1), 1)
    return mean
