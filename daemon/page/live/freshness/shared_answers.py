"""Answers that several visitors get: made once, until something changes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
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
        self._under_way: dict[tuple[str, str], Future[bytes]] = {}
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
            key = (self._mark, asked)
            under_way = self._under_way.get(key)
            mine: Future[bytes] = under_way or self._under_way.setdefault(key, Future())
        if under_way is None:
            self._make(key, mine, make)
        return mine.result()

    def _make(self, key: tuple[str, str], mine: Future[bytes], make: Callable[[], bytes]) -> None:
        """Make an answer, for all who ask for it meanwhile."""
        try:
            mine.set_result(make())
        except Exception as error:  # noqa: BLE001  # whoever waits for it gets it, as whoever asked first
            mine.set_exception(error)
        with self._lock:
            del self._under_way[key]
            if mine.exception() is None and key[0] == self._mark:  # else it may be of before the change
                self._keep(key[1], mine.result())

    def _keep(self, asked: str, made: bytes) -> None:
        before = self._kept.pop(asked, None)
        self._bytes += len(made) - (len(before[0]) if before is not None else 0)
        self._kept[asked] = (made, self._clock())
        while self._bytes > _MOST_BYTES:
            _, (oldest, _) = self._kept.popitem(last=False)
            self._bytes -= len(oldest)
