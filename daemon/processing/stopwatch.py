"""Seconds per step of a time point, which are stored with it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class Stopwatch:
    """Collects seconds by name; time spent in a stream that is consumed inside a lap is not counted twice."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._elsewhere = 0.0

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Time a block."""
        started, before = time.perf_counter(), self._elsewhere
        try:
            yield
        finally:
            self._add(name, time.perf_counter() - started - (self._elsewhere - before))

    def timed(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Pass a stream on, timing how long each of its items takes to be made."""
        source = iter(items)
        while True:
            started = time.perf_counter()
            try:
                item = next(source)
            except StopIteration:
                return
            finally:
                spent = time.perf_counter() - started
                self._elsewhere += spent
                self._add(name, spent)
            yield item

    def _add(self, name: str, seconds: float) -> None:
        self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 4)
