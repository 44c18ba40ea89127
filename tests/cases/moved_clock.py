"""A clock for what measures steady seconds."""

from __future__ import annotations


class MovedClock:
    """Time that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now
