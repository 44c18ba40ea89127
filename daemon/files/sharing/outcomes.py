"""What came of each image, in order: of one process, this one, or of several."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

from daemon.files.sharing.team import Team
from daemon.files.sharing.work import Found, Hears, Image, Share, Work, attempt

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def outcomes(
    work: Work[Image, Found], images: Sequence[Image], shares: Sequence[Share], tell: Hears
) -> Generator[Found | Exception]:
    """Do some work with images, as many at once as there are shares; a single one is done in this process.

    Yields
    ------
    object or Exception
        What was found, or the error that is about this image alone; before it, `tell` hears what is said of it.

    Raises
    ------
    DaemonError, StorageError, EngineError, OSError
        When the work cannot begin.
    """
    if len(shares) == 1:
        doing = work.begin(shares[0])
        for image in images:
            yield attempt(doing, image, tell)
        return
    with Team(work, shares) as team:
        yield from team.outcomes(images, tell)


def _nothing(number: int, frame: object) -> None:
    """Hear a signal that changes nothing; were it ignored, Python would complain of one that is under way."""


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
