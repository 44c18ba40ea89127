"""How an object stands out of what surrounds it, at network resolution, where nuclei have about the same size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.arrays import FlagsN, LabelsYX, MaskYX, Pixels, PlaneF32, PlaneYX
from nuset_engine.planes.quantiles import median

ROOM_PX = 10
RIM_PX = 2  # pixels so near to an outline show both sides of it
AROUND_PX = 8
LEAST_AROUND = 15  # pixels from which the surroundings are known
STEP = 2  # quick tests are made on every second pixel, of means
WIDE_STEPS = round(1.7 * TRAINED_DIAMETER_PX / STEP)


@dataclass(frozen=True, eq=False)
class Patch:
    """An object and what is near it, all (Y, X).

    Attributes
    ----------
    window : (slice, slice)
        Where in the plane.
    values : float32
        The image, smoothed by a pixel.
    inside : bool
        The object.
    beside : bool
        Up to `RIM_PX` outside its outline, away from other objects.
    background : float
        Median of what lies around it, away from its outline and from other objects.
    """

    window: tuple[slice, slice]
    values: PlaneF32
    inside: MaskYX
    beside: MaskYX
    background: float

    @property
    def contrast(self) -> float:
        """Mean of the object above what lies around it."""
        return float(self.values[self.inside].mean()) - self.background

    @property
    def edge(self) -> float:
        """By how much the image falls from the inner to the outer side of the outline, as a part of the contrast."""
        if not self.beside.any() or self.contrast <= 0:
            return 0.0
        rim = self.inside & ~ndi.binary_erosion(self.inside, iterations=RIM_PX)
        return float(self.values[rim].mean() - self.values[self.beside].mean()) / self.contrast


def patch_of(shown: PlaneF32, labels: LabelsYX, number: int, where: tuple[slice, ...], otherwise: float) -> Patch:
    """The surroundings of an object.

    Parameters
    ----------
    shown : (Y, X) float32
    labels : (Y, X) int
        Whatever is neither 0 nor `number` is another object.
    number : int
    where : (slice, slice)
        Rows and columns of the object.
    otherwise : float
        Background where the object has no surroundings of its own.
    """
    rows, columns = (
        slice(max(0, w.start - ROOM_PX), min(n, w.stop + ROOM_PX)) for w, n in zip(where, shown.shape, strict=True)
    )
    window = rows, columns
    inside = labels[window] == number
    free = ~ndi.binary_dilation((labels[window] != 0) & ~inside, iterations=RIM_PX)
    values = ndi.gaussian_filter(shown[window], 1.0)
    distance = ndi.distance_transform_edt(~inside)
    around = values[(distance > RIM_PX) & (distance <= AROUND_PX) & free]
    background = median(around) if around.size >= LEAST_AROUND else otherwise
    return Patch(window, values, inside, (distance > 0) & (distance <= RIM_PX) & free, background)


def in_steps(plane: PlaneYX) -> Pixels:
    """The plane (Y, X) as (rows, STEP, columns, STEP), without an odd last row or column."""
    height, width = (n // STEP for n in plane.shape)
    return plane[: height * STEP, : width * STEP].reshape(height, STEP, width, STEP)


def wide_background(shown: PlaneF32, taken: MaskYX, otherwise: float) -> PlaneF32:
    """(Y, X) float32: the mean of what is not `taken` (Y, X) about each place; of a plane of every second pixel."""
    free = (~taken).astype(np.float32)
    share = ndi.uniform_filter(free, WIDE_STEPS, mode="constant")
    mean = ndi.uniform_filter(free * shown, WIDE_STEPS, mode="constant")
    known = share > 0.02
    out: PlaneF32 = np.where(known, mean / np.where(known, share, 1), np.float32(otherwise))
    return out


def hardly_standing_out(labels: LabelsYX, shown: PlaneF32, otherwise: float, least: float) -> FlagsN:
    """Which objects are to be looked at closely (N,) bool: faint ones, and such of which only a part is bright.

    Quick and generous: sums over every second pixel, so that the many that stand out clearly cost nothing more.

    Parameters
    ----------
    labels : (Y, X) int
    shown : (Y, X) float32
    otherwise : float
        Background where no other is known.
    least : float
        Contrast that is enough.
    """
    count = int(labels.max(initial=0)) + 1
    small, here = in_steps(shown).mean(axis=(1, 3)), np.ascontiguousarray(in_steps(labels)[:, 0, :, 0])
    background = wide_background(small, ndi.binary_dilation(here > 0, np.ones((3, 3), bool)), otherwise)
    inside = np.flatnonzero(here)
    owner, values = here.ravel()[inside], small.ravel()[inside]
    area = np.maximum(np.bincount(owner, minlength=count), 1)
    level = np.bincount(owner, values, count) / area
    around = np.bincount(owner, background.ravel()[inside], count) / area
    bright = values > level[owner]
    for _ in range(2):  # Otsu's threshold of each object, nearly
        many = np.bincount(owner[bright], minlength=count)
        above = np.bincount(owner[bright], values[bright], count) / np.maximum(many, 1)
        below = np.bincount(owner[~bright], values[~bright], count) / np.maximum(area - many, 1)
        bright = values > ((above + below) / 2)[owner]
    partly = (many < 0.7 * area) & (below - around < 0.35 * np.maximum(above - around, 0))
    flags: FlagsN = partly | (level - around < least)
    return flags[1:]
