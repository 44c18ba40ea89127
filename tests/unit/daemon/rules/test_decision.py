"""Whether a rule speaks: debounce, pauses and limits, on moments that a test gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daemon.configuration.rules import RuleConfig
from daemon.rules.decision import CourseOfRule, decide
from storage.clock import iso

START = datetime(2026, 1, 1, tzinfo=UTC)


def spoken(held: list[int], every_s: float = 60.0, **rule: Any) -> list[int]:
    """At which of a row of moments, `every_s` apart, a rule speaks."""
    course, found = CourseOfRule(), []
    for n, holds in enumerate(held):
        at = iso(START + timedelta(seconds=n * every_s))
        course, speaks = decide(RuleConfig("r", "nuclei", "t > 0", **rule), course, bool(holds), at)
        course = CourseOfRule.restored(course.as_dict())  # as after a restart
        found += [n] if speaks else []
    return found


@pytest.mark.parametrize(
    ("rule", "when"),
    [
        ({}, [0, 1, 2, 4, 5]),
        ({"holds_for": 2}, [1, 2, 5]),
        ({"holds_for": 3}, [2]),
        ({"pause_s": 90.0}, [0, 2, 4]),
        ({"pause_s": 60.0}, [0, 1, 2, 4, 5]),
        ({"at_most_per_hour": 2}, [0, 1]),
        ({"once": True}, [0]),
        ({"once": True, "holds_for": 2}, [1]),
    ],
)
def test_a_rule_speaks_when_it_may(rule: dict[str, Any], when: list[int]) -> None:
    assert spoken([1, 1, 1, 0, 1, 1], **rule) == when


def test_an_hour_later_it_may_speak_again() -> None:
    assert spoken([1] * 200, at_most_per_hour=2) == [0, 1, 60, 61, 120, 121, 180, 181]
