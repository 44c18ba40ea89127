"""How often and how soon a failed time point is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.processing.messages import Cause

_LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how soon a failed time point is tried again.

    Attributes
    ----------
    crashes : int
        Attempts in which the worker may die before the time point is set aside.
    attempts : int
        Attempts at something that may pass, such as a share that does not answer.
    pause_s : float
        Pause before the second attempt; each further pause is twice as long, up to ten minutes.
    """

    crashes: int = 2
    attempts: int = 5
    pause_s: float = 30.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after this attempt."""
        return float(min(self.pause_s * 2 ** min(attempt - 1, 30), _LONGEST_PAUSE_S))

    def allowed(self, cause: Cause) -> int | None:
        """How often something is tried that fails for this cause; None: until it works."""
        counts = {
            Cause.INPUT: 1,
            Cause.PASSING: self.attempts,
            Cause.MEMORY: self.crashes,
            Cause.CRASH: self.crashes,
            Cause.GONE: 2,
        }
        return counts.get(cause)
