"""The machine refuses to take results: everything waits, for a while that grows."""

from __future__ import annotations

from collections.abc import Callable

from daemon import logs
from daemon.processing.retry_policy import RetryPolicy


class Stall:
    """Whether results can be written; nothing is begun while they cannot.

    Parameters
    ----------
    retry_policy : RetryPolicy
        Says how long to wait after how many failures in a row.
    clock : callable
        Steady seconds.
    """

    def __init__(self, retry_policy: RetryPolicy, clock: Callable[[], float]) -> None:
        self.retry_policy = retry_policy
        self._clock = clock
        self._failures = 0
        self._until = float("-inf")

    @property
    def lasts(self) -> bool:
        """True while nothing is to be begun."""
        return self._clock() < self._until

    def begin(self, reason: str) -> None:
        """Results cannot be written."""
        self._failures += 1
        pause_s = self.retry_policy.pause(self._failures)
        self._until = self._clock() + pause_s
        logs.error("results cannot be written, everything waits", seconds=pause_s, reason=reason)

    def over(self) -> None:
        """A result was written: the next failure is the first one again."""
        self._failures = 0
