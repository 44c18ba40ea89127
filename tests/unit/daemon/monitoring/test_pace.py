"""Lag, throughput and the verdict, from made-up times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.monitoring.pace import advice, judge, pace_of, quantile, spoken_s
from storage.query.health import Passage, QueueState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def passage(queued: float, started: float, completed: float) -> Passage:
    """Times in seconds before now."""
    return Passage(ago(queued), ago(started), ago(completed))


def test_a_service_that_keeps_up() -> None:
    recent = tuple(passage(60 * i + 30, 60 * i + 28, 60 * i + 16) for i in range(20))
    pace = pace_of(QueueState(NOW, {"done": 20}, recent=recent))
    assert (pace.lag_p50_s, pace.lag_p95_s, pace.work_s) == (14.0, 14.0, 12.0)
    assert pace.done_last_hour == 20
    assert pace.arrival_s == pytest.approx(58.5)
    assert pace.keeps_up is True
    assert pace.verdict == "yes: nothing waits"


def test_a_service_that_falls_behind_says_why() -> None:
    recent = tuple(passage(20 * (60 - i) + 300, 30 * i + 31, 30 * i + 1) for i in range(20))
    state = QueueState(NOW, {"queued": 39, "running": 1}, oldest_waiting=ago(600), arrived=(40, ago(800), ago(1)))
    pace = pace_of(QueueState(**{**vars(state), "recent": recent}))
    assert pace.keeps_up is False
    assert pace.verdict.startswith("no: one comes every 25 s and takes 30 s")


def test_only_the_latest_passages_count() -> None:
    old = tuple(passage(9000, 8000, 7000) for _ in range(300))
    new = tuple(passage(30, 20, 10) for _ in range(200))
    pace = pace_of(QueueState(NOW, {"done": 500}, recent=new + old))
    assert (pace.lag_p95_s, pace.lag_count, pace.done_last_hour) == (20.0, 200, 200)


@pytest.mark.parametrize(
    ("waiting", "oldest", "work", "arrival", "keeps_up", "said"),
    [
        (0, None, None, None, None, "nothing was ever queued"),
        (3, 100.0, None, None, None, "not known yet"),
        (2, 20.0, 10.0, 1.0, True, "has waited for 20 s, one takes 10 s"),
        (50, 900.0, 10.0, None, True, "nothing new comes"),
        (50, 900.0, 10.0, 40.0, True, "catches up in 11 min"),
        (50, 900.0, 10.0, 8.0, False, "no: one comes every 8.0 s and takes 10 s"),
    ],
)
def test_the_verdict(
    waiting: int, oldest: float | None, work: float | None, arrival: float | None, keeps_up: bool | None, said: str
) -> None:
    verdict = judge(waiting, 0, oldest, work, arrival)
    assert verdict[0] is keeps_up
    assert said in verdict[2]
    assert (verdict[1] is None) == (keeps_up is not True)


def test_all_workers_count() -> None:
    """What one of them could not carry, four can."""
    assert judge(50, 4, 900.0, 10.0, 3.0)[0] is False
    keeps_up, catch_up, said = judge(50, 4, 900.0, 10.0, 3.0, workers=4)
    assert keeps_up is True
    assert catch_up == pytest.approx(54 * 2.5 / (1 - 2.5 / 3.0))
    assert "one comes every 3.0 s and takes 10 s, 4 at a time" in said


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ({}, "; 4 workers would, on a machine for so many"),
        ({1: 100.0, 2: 190.0, 4: 350.0}, "; 4 workers would keep up, as measured on this machine"),
        ({1: 100.0, 2: 128.0}, "; no number of workers that was measured"),
    ],
)
def test_it_says_how_many_workers_would_keep_up(rates: dict[int, float], said: str) -> None:
    assert said in advice(work_s=10.0, arrival=3.0, workers=1, rates=rates)
    state = QueueState(NOW, {"queued": 40}, oldest_waiting=ago(600), arrived=(200, ago(600), ago(1)))
    recent = tuple(passage(4000 + i, 3990 + i, 3980 + i) for i in range(20))
    pace = pace_of(QueueState(**{**vars(state), "recent": recent}), 1, rates)
    assert pace.keeps_up is False
    assert said in pace.verdict


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1.0))
def test_a_quantile_is_reached_by_that_share(values: list[float], share: float) -> None:
    found = quantile(sorted(values), share)
    assert found is not None
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_seconds_are_spoken_in_the_unit_that_people_use() -> None:
    assert [spoken_s(s) for s in (1.23, 45, 600, 10_000, 400_000)] == ["1.2 s", "45 s", "10 min", "3 h", "5 days"]
