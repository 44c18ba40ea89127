"""How a stack's own values become those that the network is shown: polarity, believable range, even background.

Cameras have hot pixels, hundreds of times brighter than any nucleus, and microscopes light the field unevenly, and some
line by line. It is measured once per stack: a ceiling that only single pixels exceed; where the background slopes by a
fair part of the nuclei's contrast, the smooth surface that follows it; whether rows or columns are striped; and where
the background of slices lies at different levels, one for all. Of rows and columns that a camera lost it is told.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import AnyFloatsN, FloatsN, MatrixNM, PlacesN, PlaneF32, PlaneYX, TermsNMK
from nuset_engine.planes.faulty_lines import FaultyLine, MendedLines, mended
from nuset_engine.planes.levels import Level, Levelled, common_level, levelled
from nuset_engine.planes.lines import STRAIGHT, Straightened, Stripes
from nuset_engine.planes.normalize import sample
from nuset_engine.planes.quantiles import median, percentile_of_each, percentiles

GRID = 16  # cells along each axis on which the background is followed
LEAST_CELL_PX = 12
CELL_SAMPLES = 32  # pixels along the edge of a cell that are looked at, at most
LOW_QUANTILE = 10  # per cent of a cell that are background, unless it lies inside a nucleus
ROUNDS = 12
OUTLYING = 2.5  # a cell this many deviations above the surface lies on nuclei
LEAST_SHARE = 0.5  # share of the cells that must show the background, or it is not known well enough
UNEVEN = 0.25  # slope of the background, as a part of the contrast above it, from which it is taken off
HEADROOM = 2.0  # other slices may be so much brighter than the sampled ones
BAND_ROWS = 1024


@dataclass(frozen=True)
class Exposure:
    """What is done to a plane's values before anything else.

    Attributes
    ----------
    inverted : bool
        The negative is shown, so that dark nuclei are bright.
    ceiling : float
        Largest value (of the negative, if inverted) that is believed.
    shading : tuple of 6 float, or empty
        The background's surface ``s0 + s1 u + s2 v + s3 u^2 + s4 u v + s5 v^2``, which is taken off; u and v run from
        -1 to 1 along Y and X.
    lines : tuple of int
        Along which axes (`lines.ROWS`, `lines.COLUMNS`) lines differ as a whole, which is taken off each plane.
    level : Level, optional
        Of the background, to which each plane is brought.
    faults : tuple of FaultyLine
        Rows and columns that the camera lost, in whose place is what lies between their neighbours.
    """

    inverted: bool = False
    ceiling: float = float("inf")
    shading: tuple[float, ...] = ()
    lines: tuple[int, ...] = ()
    level: Level | None = None
    faults: tuple[FaultyLine, ...] = ()

    def straight(self, plane: PlaneYX) -> PlaneYX | MendedLines | Straightened | Levelled:
        """The plane (Y, X) without its faults and lines and at the stack's level, of which windows can be taken.

        The plane itself where there are none and the slices of the stack have about one level.
        """
        whole = mended(plane, self.faults)
        straightened = Straightened(whole, self.lines) if self.lines else whole
        return Levelled(straightened, self.level.excess(whole)) if self.level else straightened

    def shown(self, part: PlaneYX, background: float, rows: PlacesN, columns: PlacesN) -> PlaneF32:
        """A part (Y, X) of a plane in its polarity and believable range: float32; the surface is still on it.

        Parameters
        ----------
        part : (Y, X) any real dtype
        background : float
            Taken, with the surface on it, for pixels that are not finite.
        rows, columns : (Y,), (X,)
            Where the part lies, see `places`.
        """
        out = part.astype(np.float32)
        if self.inverted:
            np.negative(out, out=out)
        finite = np.isfinite(out)
        if not finite.all():
            fill = background + self.surface(rows, columns) if self.shading else np.full(out.shape, background)
            out[~finite] = fill[~finite]
        if np.isfinite(self.ceiling):
            np.minimum(out, self.ceiling, out=out)
        return out

    def flattened(self, image: PlaneF32, rows: PlacesN, columns: PlacesN) -> PlaneF32:
        """The image (Y, X) float32 without the surface; the same array where there is none."""
        return image - self.surface(rows, columns) if self.shading else image

    def surface(self, rows: PlacesN, columns: PlacesN) -> PlaneF32:
        """(Y, X) float32: the background's surface at places from -1 to 1 along both axes."""
        s0, s1, s2, s3, s4, s5 = self.shading
        down, along = s0 + rows * (s1 + s3 * rows), columns * (s2 + s5 * columns)
        return (down[:, None] + along[None] + s4 * np.outer(rows, columns)).astype(np.float32)


PLAIN = Exposure()


def places(window: slice, length: int) -> PlacesN:
    """(N,) float32: where the pixels of a window lie on an axis of so many pixels that runs from -1 to 1."""
    return ((np.arange(window.start, window.stop, window.step or 1) + 0.5) * (2 / length) - 1).astype(np.float32)


def may_be_inverted(plane: PlaneYX) -> bool:
    """True where dark nuclei on a bright background are possible.

    The darker values of the plane (Y, X) are the rarer ones; or, where nuclei are too few to be seen in that, its
    darkest four pixels in a square lie further from the middle than its brightest.
    """
    values = sample(plane)
    if values.size == 0:
        return False
    low, half, high = percentiles(values, (0.5, 50, 99.5))
    return bool(half - low > high - half or half + _farthest(plane, True) > _farthest(plane, False) - half)


def measure_exposure(planes: Sequence[PlaneYX], inverted: bool, stripes: Stripes = STRAIGHT) -> Exposure:
    """Believable range, uneven background, stripes and different levels of a stack.

    Parameters
    ----------
    planes : sequence of (Y, X)
        Slices that stand for all.
    inverted : bool
        Whether its nuclei are dark.
    stripes : Stripes
        What `lines.striped` found in them.
    """
    level = common_level(planes, inverted)
    if level is not None:
        planes = levelled(planes, level)
    ceiling = _ceiling(planes, inverted)
    lines = stripes.of_dark if inverted else stripes.of_bright
    return Exposure(inverted, ceiling, _shading(planes, Exposure(inverted, ceiling)), lines, level)


def _ceiling(planes: Sequence[PlaneYX], inverted: bool) -> float:
    """Twice as far above the middle as what at least 2 x 2 pixels reach; infinite where that is no higher than it."""
    sign = -1.0 if inverted else 1.0
    tops, middles = [], []
    for index in range(len(planes)):
        plane = planes[index]
        stride = max(1, int(np.sqrt(plane.size / (1 << 16))))
        few = plane[::stride, ::stride]
        few = few[np.isfinite(few)]
        if few.size:
            middles.append(sign * median(few))
        tops.append(_farthest(plane, inverted))
    if not middles:
        return float("inf")
    middle, top = median(np.array(middles)), max(tops)
    return middle + HEADROOM * (top - middle) if top > middle else float("inf")


def _farthest(plane: PlaneYX, inverted: bool) -> float:
    """What `_supported` gives for a whole plane, in bands."""
    return max(_supported(plane[y : y + BAND_ROWS + 1], inverted) for y in range(0, len(plane), BAND_ROWS))


def _supported(band: PlaneYX, inverted: bool) -> float:
    """The largest value that four pixels in a square reach together; of the negative, if inverted."""
    weaker, stronger = (np.fmax, np.fmin) if inverted else (np.fmin, np.fmax)
    pairs = weaker(band[:-1], band[1:])
    squares = weaker(pairs[:, :-1], pairs[:, 1:])
    if squares.size == 0:
        return float("-inf")
    top = float(stronger.reduce(squares, axis=None))
    return -top if inverted else top


def _shading(planes: Sequence[PlaneYX], exposure: Exposure) -> tuple[float, ...]:
    """Coefficients of the background's surface; empty where it is even enough, or not known well enough."""
    fit = _lower_surface(planes, exposure)
    if fit is None:
        return ()
    coefficients, slope, deviation = fit
    if slope <= 4 * deviation:
        return ()
    shaded = Exposure(exposure.inverted, exposure.ceiling, coefficients)
    contrast = max(_contrast(planes[index], shaded) for index in range(len(planes)))
    if slope <= UNEVEN * contrast:
        return ()
    # Where the other side of the values is even, that is the background, and this surface runs through dark nuclei.
    other = _lower_surface(planes, Exposure(not exposure.inverted))
    return coefficients if other is None or other[1] > slope / 2 else ()


def _lower_surface(planes: Sequence[PlaneYX], exposure: Exposure) -> tuple[tuple[float, ...], float, float] | None:
    """Surface (mean 0 over the cells) that the darkest of a stack follow, its range and the deviation of the cells."""
    counts = [min(GRID, n // LEAST_CELL_PX) for n in planes[0].shape]
    if min(counts) < 4:
        return None
    lows = np.min([_lows(planes[index], exposure, counts) for index in range(len(planes))], axis=0)
    u, v = (np.linspace(-1, 1, 2 * n + 1)[1::2] for n in counts)
    design = _design(*np.meshgrid(u, v, indexing="ij")).reshape(-1, 6)
    fit = _lower_fit(design, lows.ravel())
    if fit is None:
        return None
    surface = design @ fit[0]
    shift = np.eye(6)[0] * surface.mean()
    return tuple(float(c) for c in fit[0] - shift), float(np.ptp(surface)), fit[1]


def _design(u: MatrixNM, v: MatrixNM) -> TermsNMK:
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)


def _sampled(plane: PlaneYX, exposure: Exposure) -> PlaneF32:
    """(Y, X) float32: the plane without its surface, no larger than is needed, NaN where it is not finite."""
    stride = max(1, min(plane.shape) // (GRID * CELL_SAMPLES))
    where = [places(slice(0, n, stride), n) for n in plane.shape]
    return exposure.flattened(exposure.shown(plane[::stride, ::stride], np.nan, *where), *where)


def _lows(plane: PlaneYX, exposure: Exposure, counts: Sequence[int]) -> MatrixNM:
    """(n, m) a low quantile of each cell, infinite where nothing is finite."""
    few = _sampled(plane, exposure)
    rows, columns = (
        np.linspace(0, n, count + 1).round().astype(int) for n, count in zip(few.shape, counts, strict=True)
    )
    out = np.full(tuple(counts), np.inf)
    if np.isfinite(few).all():
        for high, wide in itertools.product(np.unique(np.diff(rows)), np.unique(np.diff(columns))):
            tall, broad = np.flatnonzero(np.diff(rows) == high), np.flatnonzero(np.diff(columns) == wide)
            down, along = rows[tall][:, None] + np.arange(high), columns[broad][:, None] + np.arange(wide)
            cells = few[down[:, None, :, None], along[None, :, None, :]].reshape(len(tall), len(broad), -1)
            out[np.ix_(tall, broad)] = percentile_of_each(cells, LOW_QUANTILE)
        return out
    for i in range(counts[0]):
        for j in range(counts[1]):
            cell = few[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
            cell = cell[np.isfinite(cell)]
            if cell.size:
                out[i, j] = percentile_of_each(cell, LOW_QUANTILE)
    return out


def _lower_fit(design: MatrixNM, lows: FloatsN) -> tuple[AnyFloatsN, float] | None:
    """Least squares over the cells that lie on a smooth lower surface, and these cells' deviation from it."""
    kept = np.isfinite(lows)
    for _ in range(ROUNDS):
        if kept.sum() < max(LEAST_SHARE * lows.size, 2 * design.shape[1]):
            return None
        coefficients = np.linalg.lstsq(design[kept], lows[kept], rcond=None)[0]
        rest = lows - design @ coefficients
        deviation = 1.4826 * median(np.abs(rest[kept] - median(rest[kept])))
        now = np.isfinite(lows) & (rest <= OUTLYING * max(deviation, 1e-12))
        if (now == kept).all():
            break
        kept = now
    return coefficients, deviation


def _contrast(plane: PlaneYX, exposure: Exposure) -> float:
    """How far the brightest hundredth of a plane without its surface lies above its lower quarter."""
    few = _sampled(plane, exposure)
    low, high = percentiles(few[np.isfinite(few)], (25, 99)) if np.isfinite(few).any() else (0.0, 0.0)
    return float(high - low)
