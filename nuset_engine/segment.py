"""Planes and stacks in, instance labels out: the whole NuSeT method on arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from nuset_engine.arrays import PlaneF32, PlaneYX
from nuset_engine.errors import EngineError
from nuset_engine.inference.bands import LARGEST_WHOLE_PX, label_by_bands
from nuset_engine.inference.instances import PlaneLabels, blank, nuclei_of
from nuset_engine.inference.landscape import Landscape, landscape
from nuset_engine.inference.maps import PlaneMaps
from nuset_engine.inference.passes import Reading, run_network
from nuset_engine.inference.predictor import Predictor
from nuset_engine.inference.review import reviewed
from nuset_engine.inference.survey import BLANK_STACK, StackStatistics, survey
from nuset_engine.models.registry import predictor_of
from nuset_engine.params import SegmentationParams
from nuset_engine.runtime.choice import read_by, weights_named
from nuset_engine.runtime.names import AUTO
from nuset_engine.voxels import Box
from nuset_engine.weights import WeightsInfo

SMALLEST_PX = 8


class Segmenter:
    """A trained network that turns planes and stacks into instance labels.

    Parameters
    ----------
    weights : str or Path
        Name of shipped weights, or path of an ``.npz`` with its manifest beside it.
    params : SegmentationParams, optional
    threads : int, optional
        Cores to use; all of them where not given.
    runtime : str
        What computes the network, see `runtime.choice.read_by`.

    Raises
    ------
    EngineError
        If there are no such weights, they are damaged, or the runtime cannot be had.
    """

    def __init__(
        self,
        weights: str | Path = "fluorescence",
        params: SegmentationParams | None = None,
        threads: int | None = None,
        runtime: str = AUTO,
    ) -> None:
        self.params = params or SegmentationParams()
        self.weights_info: WeightsInfo = read_by(weights_named(weights), runtime)
        self._threads = threads
        self._predictors: dict[Path, Predictor] = {}
        self.predictor(stacked=True)  # made now, so that faults show now

    def predictor(self, stacked: bool) -> Predictor:
        """The network that reads the slices of stacks, or that which reads single planes."""
        info = self.weights_info if stacked else self.weights_info.single_planes or self.weights_info
        if info.path not in self._predictors:
            self._predictors[info.path] = predictor_of(info, self._threads)
        return self._predictors[info.path]

    def statistics(self, planes: Sequence[PlaneYX]) -> StackStatistics:
        """Nucleus size and intensity statistics of a stack, from a few of its slices.

        Parameters
        ----------
        planes : sequence of (Y, X)
            Anything with a length and `[z]`; slices are read one at a time.
        """
        if len(planes) == 0:
            return BLANK_STACK
        _check_plane(np.asarray(planes[0]))
        stacked = len(planes) > 1
        return survey(planes, self.predictor(stacked), self.params, stacked)

    def segment_stack(
        self,
        planes: Sequence[PlaneYX],
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
        params = known.outlined(self.params)
        for start in range(0, len(planes), together):
            batch = [np.asarray(planes[z]) for z in range(start, min(start + together, len(planes)))]
            for offset, result in enumerate(self._segment(batch, known, params)):
                yield result
                if progress is not None:
                    progress(start + offset + 1)

    def segment_plane(self, plane: PlaneYX, statistics: StackStatistics | None = None) -> PlaneLabels:
        """Labels of a single plane (Y, X)."""
        return next(self.segment_stack([plane], statistics))

    def maps(self, plane: PlaneYX, statistics: StackStatistics) -> PlaneMaps:
        """What the network itself says of a plane (Y, X), at network resolution, before nuclei are made of it."""
        _check_plane(plane)
        return self._maps([statistics.scaled(plane).whole()], statistics)[0]

    def landscape(self, planes: Sequence[PlaneYX], statistics: StackStatistics, box: Box) -> Landscape:
        """What the network says of a box of a stack, at the source's resolution; `statistics` are the stack's."""
        shape = np.asarray(planes[box[0].start]).shape

        def read(some: Sequence[PlaneYX], window: tuple[slice, slice]) -> list[tuple[PlaneF32, PlaneF32]]:
            found = [self._maps([statistics.scaled(plane)[window]], statistics)[0] for plane in some]
            return [(maps.foreground, maps.ridge) for maps in found]

        threshold = statistics.outlined(self.params).foreground_threshold
        return landscape(planes, box, statistics.network_shape(shape), read, threshold)

    def _maps(self, planes: Sequence[PlaneF32], statistics: StackStatistics) -> list[PlaneMaps]:
        p = self.params
        return run_network(
            planes,
            statistics.intensity,
            self.predictor(statistics.stacked),
            stacked=statistics.stacked,
            tile=p.tile_px,
            min_score=p.seed_score,
            nms_iou=p.nms_iou,
        )

    def _batch(self, planes: Sequence[PlaneYX], statistics: StackStatistics) -> int:
        """How many slices go through the network together: as many as fill one tile."""
        if len(planes) == 0 or statistics.is_blank:
            return 1
        height, width = statistics.network_shape(np.asarray(planes[0]).shape)
        return max(1, min(8, self.params.tile_px**2 // 2 // max(1, height * width)))

    def _segment(self, batch: list[PlaneYX], statistics: StackStatistics, p: SegmentationParams) -> list[PlaneLabels]:
        for plane in batch:
            _check_plane(plane)
        if statistics.is_blank:
            return [blank(plane.shape) for plane in batch]
        small = [statistics.scaled(plane) for plane in batch]
        reading = Reading(statistics.intensity, statistics.stacked, p.tile_px, p.seed_score, p.nms_iou)
        predictor = self.predictor(statistics.stacked)
        if small[0].shape[0] * small[0].shape[1] > LARGEST_WHOLE_PX:
            return [label_by_bands(plane, reading, predictor, p) for plane in small]
        shown = [plane.whole() for plane in small]
        found = [
            reviewed(predictor.separated(maps, p), plane, reading, predictor, p)
            for maps, plane in zip(self._maps(shown, statistics), shown, strict=True)
        ]
        return [nuclei_of(nuclei, plane.shape, p) for nuclei, plane in zip(found, batch, strict=True)]


def _check_plane(plane: PlaneYX) -> None:
    """Refuse what is no plane of real numbers."""
    if plane.ndim != 2 or plane.dtype.kind not in "uifb":
        raise EngineError(
            f"A slice must be a plane (Y, X) of real numbers, not {plane.shape} of {plane.dtype}; choose one channel."
        )
    if min(plane.shape) < SMALLEST_PX:
        raise EngineError(f"A slice of {plane.shape[0]} x {plane.shape[1]} pixels is too small; 8 x 8 is the least.")
