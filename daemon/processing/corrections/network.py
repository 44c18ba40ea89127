"""What the network says where a person asks for a nucleus: of the one that made the result, where it is at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from daemon.errors import EngineFailedError
from daemon.processing.recipe import StoredRecipe

if TYPE_CHECKING:
    from daemon.processing.engine_factory import StackSegmenter
    from nuset_engine.inference.landscape import Landscape, LandscapeOf
    from nuset_engine.measure import PlaneSequence
    from nuset_engine.params import SegmentationParams
    from nuset_engine.voxels import Box
    from storage.schema.rows import AcquisitionRow

SegmenterWith = Callable[["SegmentationParams"], "StackSegmenter"]


class Landscapes:
    """Gives it for stacks of one acquisition; what is needed for it is loaded when something is to be drawn.

    Parameters
    ----------
    row : AcquisitionRow
    segmenter : callable, optional
        Gives the segmenter with some parameters; None: there is none.
    """

    def __init__(self, row: AcquisitionRow, segmenter: SegmenterWith | None) -> None:
        self._row = row
        self._make = segmenter
        self._segmenter: Any = None

    def __call__(self, planes: PlaneSequence) -> LandscapeOf:
        """Of the planes of a stack what the network says of boxes of it, or why it is not asked."""
        statistics: list[Any] = []  # of the stack, once

        def landscape(box: Box) -> Landscape | str:
            refused = self._load()
            if refused is not None:
                return refused
            if not statistics:
                statistics.append(self._segmenter.statistics(planes))
            found: Landscape = self._segmenter.landscape(planes, statistics[0], box)
            return found

        return landscape

    def _load(self) -> str | None:
        """Have the segmenter; return why it is not asked."""
        if self._make is None:
            return "no network is at hand"
        if self._segmenter is None:
            try:
                self._segmenter = self._make(StoredRecipe.of(self._row).segmentation)
            except EngineFailedError as error:
                return f"the network cannot be loaded ({error})"
        info = self._segmenter.weights_info
        if info.sha256 != self._row.model_sha256:
            return f"the network that made this result ({self._row.model_name}) is not the one that runs"
        return None if hasattr(self._segmenter, "landscape") else f"{info.name} draws no single nuclei"
