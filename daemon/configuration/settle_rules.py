"""How long a watched folder is waited for; `daemon.watching.readiness` decides by it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SettleRules:
    """How long to wait, in seconds.

    Attributes
    ----------
    quiet_s : float
        A file must not have changed for this long before it counts as finished.
    give_up_s : float
        A file that is not whole and has not changed for this long is set aside.
    partial_s : float
        A growing file some of whose time points are whole is waited for this long, then taken as far as it goes.
    """

    quiet_s: float = 2.0
    give_up_s: float = 60.0
    partial_s: float = 300.0

    @property
    def peek_s(self) -> float:
        """Pause between looks into a file that never rests, for time points that are whole already."""
        return max(5.0 * self.quiet_s, 1.0)
