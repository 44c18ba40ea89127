"""Answers that several visitors get: made once, until something changes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

_MOST_BYTES = 96 * 2**20


class SharedAnswers:
    """Contents by what was asked for; of all only the latest used are kept.

    Parameters
    ----------
    clock : callable
        Steady seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._mark = ""
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    def forget(self, mark: str) -> None:
        """Forget everything, if this mark is another one than the last."""
        with self._lock:
            if mark != self._mark:
                self._kept.clear()
                self._bytes, self._mark = 0, mark

    def content(self, asked: str, make: Callable[[], bytes], lasts_s: float = float("inf")) -> bytes:
        """What is behind a question: as it was made for somebody before, not longer than `lasts_s` ago, or made now."""
        with self._lock:
            known = self._kept.get(asked)
            if known is not None and self._clock() - known[1] <= lasts_s:
                self._kept.move_to_end(asked)
                return known[0]
            mark = self._mark
        made = make()
        with self._lock:
            if mark == self._mark:  # else it may be of before the change
                self._keep(asked, made)
        return made

    def _keep(self, asked: str, made: bytes) -> None:
        before = self._kept.pop(asked, None)
        self._bytes += len(made) - (len(before[0]) if before is not None else 0)
        self._kept[asked] = (made, self._clock())
        while self._bytes > _MOST_BYTES:
            _, (oldest, _) = self._kept.popitem(last=False)
            self._bytes -= len(oldest)
