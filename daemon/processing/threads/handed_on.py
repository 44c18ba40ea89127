"""Items that are used in a thread while the next ones are made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, Queue
from typing import Any, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_MOST = 4  # items that are made and not used yet: each takes memory
_END, _CUT = object(), object()


class _CutOffError(BaseException):
    """No more items come, because they cannot be made."""


def handed_on(items: Iterable[Item], use: Callable[[Iterator[Item]], Outcome]) -> Outcome:
    """Return ``use(iter(items))``, with the items made in this thread and used in another one.

    What the one or the other raises is raised here, when neither is at work any more; that of the items counts first.
    """
    line: Queue[object] = Queue(_MOST)
    over = threading.Event()

    def used() -> Outcome:
        try:
            return use(_taken(line))
        finally:
            over.set()
            with suppress(Empty):  # whoever waits to put something in may
                while True:
                    line.get_nowait()

    with ThreadPoolExecutor(1, thread_name_prefix="handed-on") as pool:
        outcome, last = pool.submit(used), _CUT
        try:
            for item in items:
                if over.is_set():
                    break
                line.put(item)
            last = _END
        finally:
            line.put(last)
        return outcome.result()


def _taken(line: Queue[object]) -> Iterator[Any]:  # the items as they were put in
    while (item := line.get()) is not _END:
        if item is _CUT:
            raise _CutOffError
        yield item
