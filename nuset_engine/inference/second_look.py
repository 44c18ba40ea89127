"""A second look at a single plane: dim nuclei, which one normalisation for bright and dim ones does not show.

The nuclei that are found are painted over with what lies around them, and where blobs of a nucleus' size are left, the
network looks again, normalised by what is left. What it then finds counts only where it is as large, round and
sharply outlined as nuclei are, and stands clear of those found before, which never change: haze beside bright nuclei
is none of this, nor are specks and fibres.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import MaskYX, PixelsYX, PlaneF32
from nuset_engine.inference.blobs_left import blobs_left
from nuset_engine.inference.instances import NETWORK_AREA
from nuset_engine.inference.maps import Separated
from nuset_engine.inference.passes import Reading, run_network
from nuset_engine.inference.predictor import Predictor
from nuset_engine.inference.surroundings import patch_of
from nuset_engine.outlines.growing import grown
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.normalize import IntensityStatistics, whole_image_statistics

WINDOW_PX = 128
INNER_PX = 40  # what lies so far inside a window is seen with all that the network needs to tell it
TOGETHER = 8  # windows that go through the network at once
HALO_PX = 3  # around nuclei, painted over with them
AREAS = (0.45 * NETWORK_AREA, 2.2 * NETWORK_AREA)
ROUNDEST = 0.8  # 4 pi area / outline^2, the outline counted in pixels: about 1.2 for a disc
SHARPEST = 0.35  # see `Patch.edge`; what is out of focus has less
LEAST_CONTRAST = 0.05  # of the usual nucleus'
LEAST_NOISE = 2.0  # standard deviations of the background
OVERLAP = 0.05
LEAST_BACKGROUND = 0.05  # of a plane must be left, or nothing is known of it


def with_dim_ones(
    found: Separated, shown: PlaneF32, reading: Reading, predictor: Predictor, params: SegmentationParams
) -> Separated:
    """The nuclei, and the dim ones that a second look adds to them.

    Parameters
    ----------
    found : Separated
        Of the first look.
    shown : (Y, X) float32
        The plane, at network resolution.
    reading : Reading
        How the first look was made.
    predictor : Predictor
    params : SegmentationParams
    """
    if not len(found.scores):
        return found
    blobs = blobs_left(shown, found.labels > 0, reading.statistics, LEAST_CONTRAST, LEAST_NOISE)
    if not len(blobs):
        return found
    taken = grown(found.labels > 0, HALO_PX)
    if (~taken).mean() < LEAST_BACKGROUND:
        return found
    left = whole_image_statistics(shown[~taken])
    if left.is_blank:
        return found
    canvas = _Canvas(found, shown, taken, reading.statistics, params)
    windows = list(_windows(blobs, shown.shape))
    if sum((w[0].stop - w[0].start) * (w[1].stop - w[1].start) for w, _ in windows) >= shown.size:
        windows = [((slice(0, shown.shape[0]), slice(0, shown.shape[1])), blobs)]
    for start in range(0, len(windows), TOGETHER):
        some = windows[start : start + TOGETHER]
        maps = run_network(
            [painted_over(shown[window], taken[window], left.background) for window, _ in some],
            left,
            predictor,
            stacked=False,
            tile=reading.tile,
            min_score=reading.min_score,
            nms_iou=reading.nms_iou,
        )
        for (window, inside), seen in zip(some, maps, strict=True):
            canvas.add(window, predictor.separated(seen, params), inside)
    return canvas.result()


def painted_over(shown: PlaneF32, taken: MaskYX, otherwise: float) -> PlaneF32:
    """The image (Y, X) with what is taken (Y, X) as its nearest surroundings are, smoothly."""
    out, open_ = shown.copy(), taken.copy()
    for size in (9, 25, 75):
        if not open_.any():
            return out
        free = (~taken).astype(np.float32)
        share = ndi.uniform_filter(free, size)
        mean = ndi.uniform_filter(free * shown, size)
        known = open_ & (share > 0.05)
        out[known] = mean[known] / share[known]
        open_ &= ~known
    out[open_] = otherwise
    return out


def _windows(blobs: PixelsYX, shape: tuple[int, ...]) -> Iterator[tuple[tuple[slice, slice], PixelsYX]]:
    """Windows of equal size that hold all blobs well inside, each with its blobs."""
    edges = [min(WINDOW_PX, n) for n in shape]
    waiting = blobs
    while len(waiting):
        starts = [
            int(min(max(0, place - edge // 2), n - edge))
            for place, edge, n in zip(waiting[0], edges, shape, strict=True)
        ]
        low = [start + INNER_PX if start else 0 for start in starts]
        high = [
            n if start + edge == n else start + edge - INNER_PX
            for start, edge, n in zip(starts, edges, shape, strict=True)
        ]
        inside = np.all((waiting >= low) & (waiting < high), axis=1)
        inside[0] = True
        rows, columns = (slice(start, start + edge) for start, edge in zip(starts, edges, strict=True))
        yield (rows, columns), waiting[inside]
        waiting = waiting[~inside]


class _Canvas:
    """The nuclei of the first look, to which those of the second are added."""

    def __init__(
        self,
        found: Separated,
        shown: PlaneF32,
        taken: MaskYX,
        statistics: IntensityStatistics,
        params: SegmentationParams,
    ) -> None:
        self._shown, self._taken, self._params = shown, taken, params
        self._labels, self._probability = found.labels.copy(), found.probability.copy()
        self._scores = [float(score) for score in found.scores]
        self._least = max(LEAST_CONTRAST * statistics.contrast, LEAST_NOISE * statistics.noise)

    def add(self, window: tuple[slice, slice], seen: Separated, blobs: PixelsYX) -> None:
        """Add what a window shows at the places of blobs (N, 2), where it is a nucleus."""
        rows, columns = (blobs - [window[0].start, window[1].start]).T
        for number in np.unique(seen.labels[rows, columns]):
            if number and self._is_nucleus(seen, int(number), window):
                self._paint(seen, int(number), window)

    def _is_nucleus(self, seen: Separated, number: int, window: tuple[slice, slice]) -> bool:
        inside = seen.labels == number
        taken = self._taken[window] | (self._labels[window] > 0)
        area = int(inside.sum())
        if not AREAS[0] <= area <= AREAS[1] or (inside & taken).sum() > OVERLAP * area:
            return False
        outline = int((inside & ~ndi.binary_erosion(inside)).sum())
        if 4 * np.pi * area < ROUNDEST * outline**2:
            return False
        objects = np.where(taken & ~inside, -1, seen.labels)
        where = ndi.find_objects(inside.view(np.uint8))[0]
        patch = patch_of(self._shown[window], objects, number, where, float(np.median(self._shown[window])))
        return patch.contrast >= self._least and patch.edge >= SHARPEST

    def _paint(self, seen: Separated, number: int, window: tuple[slice, slice]) -> None:
        labels, probability = self._labels[window], self._probability[window]
        inside = (seen.labels == number) & (labels == 0)
        rim = ndi.binary_dilation(inside, iterations=2) & ~inside & (labels == 0)
        self._scores.append(float(seen.scores[number - 1]))
        labels[inside] = len(self._scores)
        probability[inside] = seen.probability[inside]
        probability[rim] = np.minimum(seen.probability[rim], np.float32(self._params.foreground_threshold - 0.01))

    def result(self) -> Separated:
        """All nuclei, those of the first look first."""
        return Separated(self._labels, np.array(self._scores, np.float32), self._probability)
