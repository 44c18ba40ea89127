"""Things that are found once, until something changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class UntilChanged(Generic[K, V]):
    """Things by a key; of all only the latest used are kept.

    Parameters
    ----------
    most : int
        That are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._mark: object = None
        self._kept: OrderedDict[K, V] = OrderedDict()

    def forget(self, mark: object) -> None:
        """Forget everything, if this mark is another one than the last."""
        with self._lock:
            if mark != self._mark:
                self._kept.clear()
                self._mark = mark

    def get(self, key: K, find: Callable[[], V]) -> V:
        """What is behind a key, as it was found before, or found now; what was begun before a change is not kept."""
        with self._lock:
            mark = self._mark
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = find()
        with self._lock:
            if mark == self._mark:
                self._kept[key] = found
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return found
