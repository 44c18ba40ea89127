"""Rows or columns of a plane that are lighter or darker as a whole: noise of a camera's lines, stripes of a scanner.

How much lighter one row is than the one before it is what most of its pixels say: nuclei, whatever they are like,
change few of them at once. That rows are striped is believed where all parts of the plane's width agree on it, and the
background goes along: nuclei in rank and file leave it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import FloatsN, PlaneF32, PlaneYX
from nuset_engine.planes.quantiles import median, percentiles

MOST_PX = 512  # pixels of a line that are looked at
PARTS = 4
LEAST_PART_PX = 12
INNER = 0.25  # of the differences to the line before, those beyond these quantiles do not count
SUDDEN = 6.0  # times the usual difference: the edge of a frame or a lost line is no stripe
NARROW_PX, WIDE_PX = 17, 65  # faster than this is hardly anything but lines; slower, hardly lines
TAKEN_PX = 129  # what is slower than this is the background, and stays
AGREEING = 0.5  # correlation of the parts
BACKGROUND = 10.0  # percentile of a line, from the background's end
SHARED = 0.5  # so much of a line's deviation is that of its background, too
LEAST = 0.01  # of the contrast: weaker lines do no harm
ROWS, COLUMNS = 0, 1


class Straightened:
    """A plane (Y, X) of which windows are taken without its lines.

    Parameters
    ----------
    plane : (Y, X) any real dtype
    axes : sequence of int
        Which lines: `ROWS`, `COLUMNS`.
    """

    def __init__(self, plane: PlaneYX, axes: Sequence[int]) -> None:
        self._plane = plane
        self.shape: tuple[int, int] = (plane.shape[0], plane.shape[1])
        self._levels = {axis: _fast(_course(_along(plane, axis)), TAKEN_PX).astype(np.float32) for axis in axes}

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
    axes = (ROWS, COLUMNS)
    found = {axis: [_are_lines(_along(planes[z], axis)) for z in range(len(planes))] for axis in axes}
    return Stripes(
        tuple(axis for axis in axes if 2 * sum(of_bright for of_bright, _ in found[axis]) > len(planes)),
        tuple(axis for axis in axes if 2 * sum(of_dark for _, of_dark in found[axis]) > len(planes)),
    )


def _along(plane: PlaneYX, axis: int) -> PlaneYX:
    """The lines of a plane as rows, of each of which a part is taken."""
    lines = plane if axis == ROWS else plane.T
    return lines[:, :: max(1, lines.shape[1] // MOST_PX)]


def _are_lines(lines: PlaneYX) -> tuple[bool, bool]:
    """Whether all parts of the lines (N, M) say that they differ, in the same way, and the background with them: that
    of bright nuclei, and that of dark ones.
    """
    width = lines.shape[1] // PARTS
    if width < LEAST_PART_PX or len(lines) < WIDE_PX:
        return False, False
    values = lines[::4].ravel()[::4]
    values = values[np.isfinite(values)].astype(np.float64)
    if not values.size:
        return False, False
    low, high = percentiles(values, (25, 99))
    courses = [_course(lines[:, part * width : (part + 1) * width]) for part in range(PARTS)]
    by_width = {px: _common([_fast(course, px) for course in courses]) for px in (NARROW_PX, WIDE_PX)}
    px = max(by_width, key=lambda width: by_width[width])
    if by_width[px] <= (LEAST * (high - low)) ** 2:
        return False, False
    return _backgrounds_follow(lines, px)


def _backgrounds_follow(lines: PlaneYX, px: int) -> tuple[bool, bool]:
    """Whether the darkest, and the brightest, of the lines (N, M) deviate as the lines do, by what is faster than `px`
    lines.
    """
    course = _fast(_course(lines), px)
    values = np.where(np.isfinite(lines), lines, np.nan).astype(np.float64)
    known = np.isfinite(values).any(axis=1)
    darkest, brightest = (
        float(np.mean(course * _fast(np.interp(np.arange(len(lines)), np.flatnonzero(known), ends), px)))
        for ends in np.nanpercentile(values[known], (BACKGROUND, 100 - BACKGROUND), axis=1)
    )
    least = SHARED * float(np.mean(course**2))
    return darkest > least, brightest > least


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
    fast: FloatsN = course - ndi.uniform_filter1d(course, wide_px, mode="reflect")
    return fast


def _course(lines: PlaneYX) -> FloatsN:
    """(N,) by how much each of the lines (N, M) is lighter than the first one."""
    with np.errstate(invalid="ignore"):  # of infinite values
        steps = np.diff(lines.astype(np.float64), axis=0)
    steps = np.sort(np.where(np.isfinite(steps), steps, 0.0), axis=1)
    cut = int(INNER * steps.shape[1])
    step = steps[:, cut : steps.shape[1] - cut].mean(axis=1)
    usual = SUDDEN * 1.4826 * median(np.abs(step)) if step.size else 0.0
    course: FloatsN = np.concatenate([[0.0], np.cumsum(np.clip(step, -usual, usual))])
    return course
