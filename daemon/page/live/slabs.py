"""Parts of arrays that lie in the same chunks, read and unpacked once for all of their planes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any

from numpy.typing import NDArray

MOST_BYTES = 320 * 2**20

Slab = NDArray[Any]


class Slabs:
    """The slabs that were used last; one that two ask for at once is read once.

    Parameters
    ----------
    most_bytes : int
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, Future[Slab]] = OrderedDict()

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._kept.clear()

    def get(self, key: Hashable, read: Callable[[], Slab]) -> Slab:
        """The slab under a key, as it was read before, or read now."""
        with self._lock:
            known = self._kept.get(key)
            coming: Future[Slab] = known or Future()
            self._kept[key] = coming
            self._kept.move_to_end(key)
        if known is None:
            self._read(key, coming, read)
        return coming.result()

    def _read(self, key: Hashable, coming: Future[Slab], read: Callable[[], Slab]) -> None:
        try:
            coming.set_result(read())
        except Exception as error:  # noqa: BLE001  # whoever waits for it gets it, as whoever reads
            coming.set_exception(error)
        with self._lock:
            if coming.exception() is not None and self._kept.get(key) is coming:
                del self._kept[key]
            self._trim()

    def _trim(self) -> None:
        sizes = {key: one.result().nbytes for key, one in self._kept.items() if one.done() and not one.exception()}
        total = sum(sizes.values())
        for key, size in sizes.items():
            if total <= self._most_bytes:
                return
            del self._kept[key]
            total -= size
