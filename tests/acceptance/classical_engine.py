"""A segmenter without a network, for tests of the service: Otsu's threshold and connected regions.

It has the interface that `[engine] factory` asks of anybody's own segmenter, starts in a moment, and is deterministic.
Environment variables make it misbehave on purpose: with NUSETD_TEST_POISON a plane that begins with this value kills
the process, NUSETD_TEST_HANG names a file at the sight of which it hangs, once, and NUSETD_TEST_PAUSE makes it slow.
With NUSETD_TEST_NAMED the weights decide what is stored of it, and those called ``broken`` cannot be loaded.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Info:
    """What is stored beside each result."""

    name: str = "classical"
    sha256: str = "c1" * 32


@dataclass(frozen=True)
class Slice:
    """Labels of one slice."""

    labels: np.ndarray
    scores: np.ndarray


class ClassicalEngine:
    """Called as any engine: with weights, params and threads."""

    def __init__(self, weights: str, params: Any, threads: int | None) -> None:
        named = "NUSETD_TEST_NAMED" in os.environ
        if named and weights == "broken":
            raise ValueError("they are broken")
        self.weights_info = Info(weights, hashlib.sha256(weights.encode()).hexdigest()) if named else Info()
        self._pause_s = float(os.environ.get("NUSETD_TEST_PAUSE", "0"))

    def segment_stack(
        self, planes: Sequence[np.ndarray], statistics: Any = None, progress: Callable[[int], None] | None = None
    ) -> Iterator[Slice]:
        """Yield the labels of each slice."""
        _misbehave(np.asarray(planes[0]))
        time.sleep(self._pause_s)
        for done, plane in enumerate(planes, start=1):
            yield _label(np.asarray(plane))
            if progress is not None:
                progress(done)


def _label(plane: np.ndarray) -> Slice:
    values = ndimage.gaussian_filter(plane.astype(np.float32), 1.0)
    threshold = _otsu(values)
    labels, count = ndimage.label(values > threshold) if np.ptp(values) > 0 else (np.zeros(plane.shape, np.int32), 0)
    return Slice(labels.astype(np.int32), np.full(count, 0.9, np.float32))


def _otsu(values: np.ndarray) -> float:
    counts, edges = np.histogram(values, bins=128)
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(counts * centres) / np.maximum(below, 1)
    mean_above = (np.cumsum((counts * centres)[::-1]) / np.maximum(np.cumsum(counts[::-1]), 1))[::-1]
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    return float(centres[int(np.argmax(between))])


def _misbehave(first: np.ndarray) -> None:
    poison, hang = os.environ.get("NUSETD_TEST_POISON"), os.environ.get("NUSETD_TEST_HANG", "")
    if poison and int(first[0, 0]) == int(poison):
        os._exit(66)
    if hang and os.path.exists(hang):
        os.remove(hang)
        time.sleep(3600)
