"""What the flow needs of a segmenter: NuSeT's, or anybody's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from nuset_engine.arrays import PlaneYX
from nuset_engine.reconstruction.volume import SliceLabels


class ModelInfo(Protocol):
    """What identifies the model that a result was made with."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def sha256(self) -> str:
        """Of everything that decides a result."""


class StackSegmenter(Protocol):
    """Finds nuclei slice by slice."""

    @property
    def weights_info(self) -> ModelInfo:
        """Its model."""

    def segment_stack(
        self,
        planes: Sequence[PlaneYX],
        statistics: None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[SliceLabels]:
        """Labels of each slice in turn; `progress` is told how many are done."""
