"""How much room is left for results, in bytes and in hours at the present rate, and the alert for too little."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from daemon.configuration.alerts import AlertsConfig
from daemon.monitoring.alarms import Alert
from daemon.monitoring.report import RootReport

_LOOKED_BACK_S = 3600.0
_LEAST_S = 60.0  # over less than this a rate means nothing
_GB = 1e9


@dataclass(frozen=True)
class Room:
    """What is left on one output's disk; `hours` is None where it does not shrink, or too little is known."""

    output: str
    free_bytes: int
    hours: float | None


class Disks:
    """Remembers how the room shrank in the last hour."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def look(self, roots: Sequence[RootReport], now: float) -> list[Room]:
        """Return the room on each output's disk; `now` are steady seconds."""
        found = []
        for output, free in {root.output: root.free_bytes for root in roots}.items():
            if free is None:
                continue
            seen = self._seen.setdefault(output, deque())
            seen.append((now, free))
            while now - seen[0][0] > _LOOKED_BACK_S:
                seen.popleft()
            since, before = seen[0]
            spent_s = now - since
            shrinks = spent_s >= _LEAST_S and before > free
            found.append(Room(output, free, free * spent_s / (before - free) / 3600.0 if shrinks else None))
        return found


def disk_alerts(limits: AlertsConfig, rooms: Sequence[Room]) -> Iterator[Alert]:
    """The room for results is nearly used up."""
    for room in rooms:
        free_gb = room.free_bytes / _GB
        soon = room.hours is not None and room.hours < limits.disk_low_hours
        if free_gb < limits.disk_low_gb or soon:
            rate = "" if room.hours is None else f", enough for {room.hours:.1f} hours at the present rate"
            message = f"The disk of {room.output} has {free_gb:.1f} GB left{rate}: make room."
            facts = {"output": room.output, "free_bytes": room.free_bytes, "hours": room.hours}
            yield Alert("disk_low", room.output, message, facts)
