"""The machine refuses to take results: everything waits, for a while that grows, or until there is room again."""

from __future__ import annotations

from collections.abc import Callable

from daemon import logs
from daemon.processing.retry_policy import RetryPolicy

_ENOUGH = 16 * 2**20  # bytes that must have become free, since it began, for another attempt before its time


class Stall:
    """Whether results can be written; nothing is begun while they cannot.

    Parameters
    ----------
    retry_policy : RetryPolicy
        Says how long to wait after how many failures in a row.
    clock : callable
        Steady seconds.
    room : callable
        The free bytes where results go; None where that cannot be told.
    """

    def __init__(
        self, retry_policy: RetryPolicy, clock: Callable[[], float], room: Callable[[], int | None] = lambda: None
    ) -> None:
        self.retry_policy = retry_policy
        self.reason: str | None = None
        """Why results cannot be written, as long as none was since; None: they can."""
        self._clock = clock
        self._room = room
        self._failures = 0
        self._until = float("-inf")
        self._room_then: int | None = None

    @property
    def lasts(self) -> bool:
        """True while nothing is to be begun."""
        if self._clock() >= self._until:
            return False
        if self._room_then is not None and (self._room() or 0) > self._room_then + _ENOUGH:
            logs.info("there is room again")
            self._until = float("-inf")
            return False
        return True

    def begin(self, reason: str) -> None:
        """Results cannot be written."""
        self._failures += 1
        pause_s = self.retry_policy.pause(self._failures)
        self._until = self._clock() + pause_s
        self.reason, self._room_then = reason, self._room()
        logs.error("results cannot be written, everything waits", seconds=pause_s, reason=reason)

    def over(self) -> None:
        """A result was written: the next failure is the first one again."""
        self._failures = 0
        self.reason = None
