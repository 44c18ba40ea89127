"""Signals that end a command in order."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a terminal that is closed end what is inside in order, as an error would: processes are
    ended, and unfinished files removed. Those that come after the first one change nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    heard = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]

    def end(number: int, frame: object) -> None:
        for each in heard:
            signal.signal(each, _nothing)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    for number in heard:  # what is ignored, as with nohup, stays so
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _nothing(number: int, frame: object) -> None:
    """Hear a signal that changes nothing; were it ignored, Python would complain of one that is under way."""
