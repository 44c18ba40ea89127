"""A cheap test of what is left of a plane beside the nuclei that are found: blobs of a nucleus' size and sharpness."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import AnyFloatsN, IntsN, MaskYX, PixelsYX, PlaneF32
from nuset_engine.inference.surroundings import STEP, in_steps, wide_background
from nuset_engine.planes.normalize import IntensityStatistics

LEAST_EDGE_PX = 24
BROAD = 4  # all of a square of so many steps is bright: no speck, no fibre
APART = 9  # steps between two blobs
AROUND = 10  # steps from the middle of a blob to places outside of it
TURNS = 8
DARK_PERCENT = 65  # of these places are as dark as the background: neighbours may be bright
SURE = 0.9  # of the least contrast; what is taken for a nucleus in the end is measured more closely
AREAS = (45, 270)  # square steps of a blob at half its height
BESIDE = 0.1  # of a blob may lie at nuclei that are found; of haze about them, more does


def blobs_left(
    shown: PlaneF32, nuclei: MaskYX, statistics: IntensityStatistics, least_contrast: float, least_noise: float
) -> PixelsYX:
    """(N, 2) int y, x: the middles of blobs beside the nuclei that are found.

    Parameters
    ----------
    shown : (Y, X) float32
        A plane at network resolution.
    nuclei : (Y, X) bool
        Where nuclei are found.
    statistics : IntensityStatistics
    least_contrast, least_noise : float
        Least contrast of a nucleus, as a part of the usual one's and in standard deviations of the background.
    """
    none = np.zeros((0, 2), np.int64)
    if min(shown.shape) < LEAST_EDGE_PX:
        return none
    small = in_steps(shown).mean(axis=(1, 3))
    near = ndi.binary_dilation(in_steps(nuclei).max(axis=(1, 3)), np.ones((3, 3), bool))
    background = wide_background(small, near, statistics.background)
    smooth = ndi.uniform_filter(np.where(near, background, small), 3)
    lowest = ndi.minimum_filter(smooth, BROAD)
    open_ = np.where(ndi.binary_dilation(near, iterations=2), np.float32(-np.inf), lowest)
    least = max(least_contrast * statistics.contrast, least_noise * statistics.noise)
    rows, columns = np.nonzero((open_ == ndi.maximum_filter(open_, APART)) & (open_ - background > 0.3 * least))
    if not rows.size:
        return none
    around = _around(smooth, rows, columns)
    clear = lowest[rows, columns] - around > SURE * least
    found = [
        (row, column)
        for row, column, dark in zip(rows[clear], columns[clear], around[clear], strict=True)
        if _is_blob(smooth, near, int(row), int(column), float(lowest[row, column] + dark) / 2)
    ]
    return STEP * np.array(found, np.int64).reshape(-1, 2)


def _around(smooth: PlaneF32, rows: IntsN, columns: IntsN) -> AnyFloatsN:
    """(N,) what a circle of places about each of these reaches, but for some of them."""
    padded = np.pad(smooth, AROUND, mode="reflect")
    angles = np.arange(TURNS) * 2 * np.pi / TURNS
    down, along = np.rint(AROUND * np.array([np.sin(angles), np.cos(angles)])).astype(int)
    circle = padded[rows + AROUND + down[:, None], columns + AROUND + along[:, None]]
    levels: AnyFloatsN = np.percentile(circle, DARK_PERCENT, axis=0)
    return levels


def _is_blob(smooth: PlaneF32, near: MaskYX, row: int, column: int, level: float) -> bool:
    """Whether what is above a level about a place is as large as a nucleus, and stands free."""
    window = tuple(slice(max(0, place - 2 * AROUND), place + 2 * AROUND + 1) for place in (row, column))
    pieces, _ = ndi.label(smooth[window] > level)
    own = pieces == pieces[row - window[0].start, column - window[1].start]
    area = int(own.sum())
    if not AREAS[0] <= area <= AREAS[1]:
        return False
    return bool((ndi.binary_dilation(own) & near[window]).sum() <= BESIDE * area)
