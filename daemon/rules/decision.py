"""Whether a rule speaks: for how long it must hold, pauses, limits; without clocks, rows or files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from daemon.configuration.rules import RuleConfig

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class CourseOfRule:
    """What a rule remembers of one acquisition.

    Attributes
    ----------
    last_t : int
        The last time point that it has looked at.
    streak : int
        For so many time points in a row it has held.
    spoken : int
        How often it spoke.
    at : tuple of str
        When, within the last hour, and the last time before.
    divisions : int or None
        Divisions known by then; None: they were not counted yet.
    drift_um : (z, y, x)
        How far nuclei have moved together since the rule looks.
    """

    last_t: int = -1
    streak: int = 0
    spoken: int = 0
    at: tuple[str, ...] = ()
    divisions: int | None = None
    drift_um: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Self:
        """From what `as_dict` gave."""
        values = dict(stored)
        z, y, x = values["drift_um"]
        return cls(**{**values, "at": tuple(values["at"]), "drift_um": (z, y, x)})

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        values = asdict(self)
        return {**values, "at": list(self.at), "drift_um": list(self.drift_um)}


def decide(rule: RuleConfig, course: CourseOfRule, holds: bool, at: str) -> tuple[CourseOfRule, bool]:
    """Say whether a rule speaks at a moment, and what it remembers afterwards.

    Moments are those of the commits, not those at which they are looked at: a replay decides the same.
    """
    course = replace(course, streak=course.streak + 1 if holds else 0)
    if not holds or course.streak < rule.holds_for or (rule.once and course.spoken):
        return course, False
    now = datetime.fromisoformat(at)
    times = [datetime.fromisoformat(one) for one in course.at]
    if times and now - times[-1] < timedelta(seconds=rule.pause_s):
        return course, False
    recent = tuple(text for text, time in zip(course.at, times, strict=True) if now - time < _HOUR)
    if len(recent) >= rule.at_most_per_hour:
        return course, False
    return replace(course, spoken=course.spoken + 1, at=(*recent, at)), True
