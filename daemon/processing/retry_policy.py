"""How often and how soon a failed time point is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.processing.messages import Cause

_LONGEST_PAUSE_S = 600.0
_LONGEST_KILL_PAUSE_S = 60.0


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
    kills : int
        Attempts in which the worker may be killed, by the system when memory runs out or by a person, before the time
        point is set aside; the last one of them is made alone, and with as little memory as can be.
    kill_pause_s : float
        Pause after the first kill; each further pause is four times as long.
    """

    crashes: int = 2
    attempts: int = 5
    pause_s: float = 30.0
    kills: int = 4
    kill_pause_s: float = 2.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after this attempt."""
        return float(min(self.pause_s * 2 ** min(attempt - 1, 30), _LONGEST_PAUSE_S))

    def pause_after_kill(self, kills: int) -> float:
        """Seconds to wait after so many kills in a row."""
        return float(min(self.kill_pause_s * 4 ** min(kills - 1, 30), _LONGEST_KILL_PAUSE_S))

    def allowed(self, cause: Cause) -> int | None:
        """How often something is tried that fails for this cause; None: until it works."""
        counts = {
            Cause.INPUT: 1,
            Cause.PASSING: self.attempts,
            Cause.MEMORY: self.crashes,
            Cause.CRASH: self.crashes,
            Cause.KILLED: self.kills,
            Cause.GONE: 2,
        }
        return counts.get(cause)
