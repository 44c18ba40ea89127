"""One long transaction beside the main loop, in a thread: the database works, and Python waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Beside:
    """A single piece of work in a thread of its own.

    The main loop goes on turning meanwhile, but leaves the database alone: it has one writer at a time.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    @property
    def busy(self) -> bool:
        """True while the work lasts."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[[], None]) -> None:
        """Begin a piece of work; there must be none under way."""
        assert self._thread is None

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # handed to whoever asks for the outcome
                self._error = error

        self._error = None
        self._thread = threading.Thread(target=run, name="beside", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of the work, at most so long; None: however long it takes."""
        if self._thread is not None:
            self._thread.join(seconds)

    def outcome(self) -> BaseException | None:
        """What stopped the work that has ended, None when nothing did; then there may be other work."""
        self._thread, error = None, self._error
        return error
