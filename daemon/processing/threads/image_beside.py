"""The image of a time point on its way to disk while its nuclei are found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from daemon.processing.threads.beside import Beside
from storage.omezarr.timepoint_writing import TimepointWriting


@contextmanager
def image_beside(writing: TimepointWriting, at_once: bool) -> Iterator[Callable[[], None]]:
    """Have the image written by a thread; what is given returns when it is on the disk, or raises why it is not.

    Where something lies of the time point already, which may be a result, and where not `at_once`, it is written when
    it is asked for: then nuclei have been found. The thread has ended when this is left.
    """
    beside = Beside()
    if not (at_once and writing.is_new):
        yield writing.write_image
        return
    beside.start(writing.write_image)

    def written() -> None:
        beside.wait()
        error = beside.outcome()
        if error is not None:
            raise error

    try:
        yield written
    finally:
        beside.wait()
