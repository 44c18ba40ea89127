"""Looking into files when nothing else waits: one at a time, with pauses, by a process that gives way to all others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from daemon.watching.inspection import Answer, InspectionRequest, SupportsInspection

_LONGEST_PAUSE_S = 60.0


class Inspects(SupportsInspection, Protocol):
    """What the lane needs of whoever looks into files: `InspectionClient`."""

    @property
    def load(self) -> int: ...

    def turn(self) -> None: ...

    def stop(self) -> None: ...


class IdleLane:
    """Asks `own` while nothing is asked of `live`; after each answer it rests for as long as that took.

    Parameters
    ----------
    live : Inspects
        Looks into what has just arrived.
    own : Inspects
        Looks into what can wait; a process of its own, so that nothing live waits for it.
    clock : callable
        Steady seconds.
    """

    def __init__(self, live: Inspects, own: Inspects, clock: Callable[[], float]) -> None:
        self._live = live
        self._own = own
        self._clock = clock
        self._waiting: deque[tuple[InspectionRequest, Callable[[Answer], None]]] = deque()
        self._asked_at = self._not_before = clock()

    @property
    def load(self) -> int:
        """How many requests are not answered yet."""
        return len(self._waiting) + self._own.load

    def ask(self, request: InspectionRequest, then: Callable[[Answer], None]) -> None:
        """Have a request answered at some time; `then` is called from a later `turn`."""
        self._waiting.append((request, then))

    def turn(self) -> None:
        """Hear what was answered; ask one more when it is time."""
        self._own.turn()
        if not self._waiting or self._own.load or self._live.load or self._clock() < self._not_before:
            return
        request, then = self._waiting.popleft()
        self._asked_at = self._clock()
        self._own.ask(request, lambda answer: self._rest(answer, then))
        self._own.turn()

    def stop(self) -> None:
        """End the process; what was asked is forgotten."""
        self._waiting.clear()
        self._own.stop()

    def _rest(self, answer: Answer, then: Callable[[Answer], None]) -> None:
        now = self._clock()
        self._not_before = now + min(now - self._asked_at, _LONGEST_PAUSE_S)
        then(answer)
