"""Where the engine's time goes: a segmenter with clocks in it, for the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from nuset_engine.inference import survey
from nuset_engine.inference.predictor import Predictor
from nuset_engine.segment import Segmenter

PARTS = ("looks", "coarse", "fine")


@dataclass
class Clock:
    """Seconds of wall clock and of all threads' CPU."""

    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time of a block."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


class Watched:
    """A segmenter whose time is taken by parts: looks of the survey, coarse and fine pass, and outside the network."""

    def __init__(self, runtime: str, weights: str) -> None:
        self.segmenter = Segmenter(weights, runtime=runtime)
        self._part = PARTS[-1]
        self.restart()
        for stacked in (False, True):
            self._watch(self.segmenter.predictor(stacked))

    def _watch(self, predictor: Predictor) -> None:
        predict = predictor.predict
        if getattr(predict, "watched", False):
            return

        def counted(inputs: np.ndarray) -> list:
            with self.network[self._part].running():
                return predict(inputs)

        counted.watched = True  # type: ignore[attr-defined]
        predictor.predict = counted  # type: ignore[method-assign]

    def labels(self, image: np.ndarray) -> np.ndarray:
        """Labels of a plane, with the clocks running."""
        with (
            self._named(survey, "look", "looks"),
            self._named(survey.CoarsePass, "at", "coarse"),
            self.whole.running(),
        ):
            return self.segmenter.segment_plane(image).labels

    @contextmanager
    def _named(self, owner: Any, name: str, part: str) -> Iterator[None]:
        """Whatever the network does within a function counts as this part."""
        kept = getattr(owner, name)

        def within(*given: Any, **more: Any) -> Any:
            before, self._part = self._part, part
            try:
                return kept(*given, **more)
            finally:
                self._part = before

        setattr(owner, name, within)
        try:
            yield
        finally:
            setattr(owner, name, kept)

    def restart(self) -> None:
        """All clocks at zero."""
        self.whole, self.network = Clock(), {part: Clock() for part in PARTS}

    def row(self, megapixels: float) -> dict[str, float]:
        """Seconds per megapixel of what was labelled."""
        parts = {f"{name} CPU": clock.cpu / megapixels for name, clock in self.network.items()}
        outside = {"outside CPU": self.whole.cpu / megapixels - sum(parts.values())}
        return {"s/MP": self.whole.wall / megapixels, "CPU s/MP": self.whole.cpu / megapixels, **parts, **outside}
