"""Planes and stacks in, instance labels out: the whole NuSeT method on arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.errors import EngineError
from nuset_engine.inference import PlaneMaps, run_network
from nuset_engine.params import SegmentationParams
from nuset_engine.predictor import Predictor
from nuset_engine.resample import resample, resample_labels, scaled_shape
from nuset_engine.survey import BLANK_STACK, StackStatistics, survey
from nuset_engine.watershed import drop, drop_small, fill_small_holes, separate
from nuset_engine.weights import WeightsInfo, find_weights

SMALLEST_PX = 8
NETWORK_AREA = np.pi * TRAINED_DIAMETER_PX**2 / 4


@dataclass(frozen=True)
class PlaneLabels:
    """The nuclei of one slice.

    Attributes
    ----------
    labels : (Y, X) int32
        0 background, 1..n nuclei.
    scores : (n,) float32
        Score between 0 and 1 of nucleus i at [i - 1].
    """

    labels: np.ndarray
    scores: np.ndarray


def blank(shape: tuple[int, int]) -> PlaneLabels:
    """A slice without nuclei."""
    return PlaneLabels(np.zeros(shape, np.int32), np.zeros(0, np.float32))


def confidence(labels: np.ndarray, scores: np.ndarray, maps: PlaneMaps) -> np.ndarray:
    """Score of each nucleus (N,) float32: geometric mean of all that speaks for it.

    The three are the score of its proposal (N,), the mean foreground probability, and the highest point of the distance
    map. Debris and halos are high in one or two of them, nuclei in all.
    """
    if len(scores) == 0:
        return scores
    index = np.arange(1, len(scores) + 1)
    sure = ndi.mean(maps.foreground, labels, index)
    peak = np.clip(ndi.maximum(maps.ridge, labels, index), 0, 1)
    return np.cbrt(scores * sure * peak).astype(np.float32)


def nuclei_of(maps: PlaneMaps, shape: tuple[int, int], params: SegmentationParams) -> PlaneLabels:
    """Labels at the source's shape (Y, X) from maps at network resolution.

    Nuclei are separated at network resolution, where a nucleus always has about the same size; their outlines come from
    the foreground probability interpolated to the source's resolution.
    """
    inside = fill_small_holes(maps.foreground > params.foreground_threshold, 0.25 * NETWORK_AREA)
    labels, scores = separate(inside, maps.ridge, maps.proposals, params.min_area_fraction * NETWORK_AREA)
    scores = confidence(labels, scores, maps)
    labels, scores = drop(labels, scores, scores >= params.min_score)
    if labels.shape != shape:
        wide = np.where(labels > 0, labels, ndi.grey_dilation(labels, size=(3, 3)))
        smooth = resample(np.where(inside, np.maximum(maps.foreground, 0.5), maps.foreground), shape)
        labels = resample_labels(wide, shape) * (smooth > params.foreground_threshold)
        labels, scores = drop_small(labels, scores, 1)
    return PlaneLabels(labels.astype(np.int32), scores)


class Segmenter:
    """A trained network that turns planes and stacks into instance labels.

    Parameters
    ----------
    weights : str or Path
        Name of shipped weights, or path of an ``.npz`` with its manifest beside it.
    params : SegmentationParams, optional
    threads : int, optional
        Cores to use; all of them where not given.

    Raises
    ------
    EngineError
        If there are no such weights or they are damaged.
    """

    def __init__(
        self,
        weights: str | Path = "fluorescence",
        params: SegmentationParams | None = None,
        threads: int | None = None,
    ) -> None:
        self.params = params or SegmentationParams()
        self.weights_info: WeightsInfo = find_weights(weights)
        self._predictor = Predictor(self.weights_info, threads)

    def statistics(self, planes: Sequence[np.ndarray]) -> StackStatistics:
        """Nucleus size and intensity statistics of a stack, from a few of its slices.

        Parameters
        ----------
        planes : sequence of (Y, X)
            Anything with a length and `[z]`; slices are read one at a time.
        """
        if len(planes) == 0:
            return BLANK_STACK
        _check_plane(np.asarray(planes[0]))
        return survey(planes, self._predictor, self.params)

    def segment_stack(
        self,
        planes: Sequence[np.ndarray],
        statistics: StackStatistics | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[PlaneLabels]:
        """Labels of each slice in turn; `progress` is told how many are done.

        Parameters
        ----------
        planes : sequence of (Y, X)
        statistics : StackStatistics, optional
            From `statistics`; measured on these planes where not given.
        """
        known = statistics or self.statistics(planes)
        together = self._batch(planes, known)
        for start in range(0, len(planes), together):
            batch = [np.asarray(planes[z]) for z in range(start, min(start + together, len(planes)))]
            for offset, result in enumerate(self._segment(batch, known)):
                yield result
                if progress is not None:
                    progress(start + offset + 1)

    def segment_plane(self, plane: np.ndarray, statistics: StackStatistics | None = None) -> PlaneLabels:
        """Labels of a single plane (Y, X)."""
        return next(self.segment_stack([plane], statistics))

    def _batch(self, planes: Sequence[np.ndarray], statistics: StackStatistics) -> int:
        """How many slices go through the network together: as many as fill one tile."""
        if len(planes) == 0 or statistics.is_blank:
            return 1
        height, width = scaled_shape(np.asarray(planes[0]).shape, statistics.scale)
        return max(1, min(8, self.params.tile_px**2 // 2 // max(1, height * width)))

    def _segment(self, batch: list[np.ndarray], statistics: StackStatistics) -> list[PlaneLabels]:
        for plane in batch:
            _check_plane(plane)
        if statistics.is_blank:
            return [blank(plane.shape) for plane in batch]
        small = [resample(as_surveyed(p, statistics), scaled_shape(p.shape, statistics.scale)) for p in batch]
        p = self.params
        maps = run_network(
            small, statistics.intensity, self._predictor, tile=p.tile_px, min_score=p.seed_score, nms_iou=p.nms_iou
        )
        return [nuclei_of(m, plane.shape, p) for m, plane in zip(maps, batch, strict=True)]


def as_surveyed(plane: np.ndarray, statistics: StackStatistics) -> np.ndarray:
    """The plane as its statistics mean it: bright nuclei, and the background where a pixel is not finite."""
    if statistics.inverted:
        plane = -plane.astype(np.float32)
    if plane.dtype.kind != "f" or np.isfinite(plane).all():
        return plane
    return np.where(np.isfinite(plane), plane, np.float32(statistics.intensity.background))


def _check_plane(plane: np.ndarray) -> None:
    """Refuse what is no plane of real numbers."""
    if plane.ndim != 2 or plane.dtype.kind not in "uifb":
        raise EngineError(
            f"A slice must be a plane (Y, X) of real numbers, not {plane.shape} of {plane.dtype}; choose one channel."
        )
    if min(plane.shape) < SMALLEST_PX:
        raise EngineError(f"A slice of {plane.shape[0]} x {plane.shape[1]} pixels is too small; 8 x 8 is the least.")
