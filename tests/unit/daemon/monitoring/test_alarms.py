"""What raises an alert, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from daemon.configuration.alerts import AlertsConfig
from daemon.monitoring.alarms import (
    course_alerts,
    end_alerts,
    pace_alerts,
    problem_alerts,
    root_alerts,
    store_alerts,
    trouble_alerts,
)
from daemon.monitoring.disks import Disks, disk_alerts
from daemon.monitoring.pace import pace_of
from daemon.monitoring.report import RootReport
from daemon.processing.steps.troubles import Trouble
from storage.query.health import Course, FinishedTimepoint, Problem, QueueState

LIMITS = AlertsConfig()


def course(counts: list[int], signals: list[float | None] | None = None, blank: list[int] | None = None) -> Course:
    values = signals or [100.0] * len(counts)
    steps = [
        FinishedTimepoint(t, count, {"signal": s, "blank_slices": []})
        for t, (count, s) in enumerate(zip(counts, values, strict=True))
    ]
    if blank:
        steps[-1] = replace(steps[-1], quality={"signal": values[-1], "blank_slices": blank})
    return Course(tuple(steps[:3]), tuple(steps[-6:]))


def kinds(found: Course, limits: AlertsConfig = LIMITS) -> list[str]:
    return [alert.kind for alert in course_alerts(limits, "embryo", found)]


@pytest.mark.parametrize(
    ("counts", "collapsed"),
    [
        ([40, 41, 40, 42, 43, 20], True),
        ([40, 41, 40, 42, 43, 22], False),
        ([40, 41, 40, 0, 43, 41], False),
        ([40, 41, 10], False),
        ([4, 4, 4, 4, 1], False),
        ([40, 40, 40, 0], True),
        ([0, 0, 0, 0], False),
        ([7], False),
        ([], False),
    ],
)
def test_a_count_that_collapses(counts: list[int], collapsed: bool) -> None:
    assert kinds(course(counts)) == ["count_collapsed"] * collapsed


def test_the_alert_tells_the_numbers() -> None:
    (alert,) = course_alerts(LIMITS, "embryo", course([40, 41, 40, 42, 43, 3]))
    assert alert.subject == "embryo"
    assert "3 nuclei at time point 5, where the 5 before had 41" in alert.message
    assert alert.facts == {"acquisition": "embryo", "t": 5, "nuclei": 3, "nuclei_before": 41}


@pytest.mark.parametrize(
    ("signals", "bleached"),
    [
        ([100.0, 102.0, 98.0, 80.0, 49.0], True),
        ([100.0, 102.0, 98.0, 80.0, 51.0], False),
        ([100.0, 102.0, 20.0], False),
        ([-10.0, -10.0, -10.0, -40.0], False),
        ([None, None, None, None], False),
        ([100.0, None, 100.0, 1.0], False),
        ([100.0, 100.0, 100.0, None], False),
    ],
)
def test_a_signal_that_bleaches(signals: list[float | None], bleached: bool) -> None:
    assert kinds(course([9] * len(signals), signals)) == ["bleached"] * bleached


def test_slices_that_are_missing() -> None:
    (alert,) = course_alerts(LIMITS, "embryo", course([9], blank=list(range(12))))
    assert alert.kind == "slices_missing"
    assert "12 slices of embryo are blank at time point 0 (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...)" in alert.message
    assert kinds(course([9], blank=[1]), replace(LIMITS, missing_slices=2)) == []


def test_a_limit_of_zero_switches_off() -> None:
    off = AlertsConfig(count_drop=0.0, signal_drop=0.0, missing_slices=0, lag_s=0.0)
    everything = course([40, 40, 40, 40, 0], [100.0, 100.0, 100.0, 100.0, 1.0], blank=[3])
    assert len(kinds(everything)) == 3
    assert kinds(everything, off) == []


def test_a_lag_above_its_limit() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    state = QueueState(moment, {"queued": 9}, oldest_waiting=moment - timedelta(seconds=1801))
    (alert,) = pace_alerts(LIMITS, pace_of(state))
    assert alert.kind == "lag"
    assert alert.facts["waiting"] == 9
    assert list(pace_alerts(replace(LIMITS, lag_s=1900.0), pace_of(state))) == []


def test_folders_that_cannot_be_reached() -> None:
    roots = [RootReport("/a", "/out", True, "2026"), RootReport("/b", "/out", False, "2026")]
    assert [alert.subject for alert in root_alerts(LIMITS, roots)] == ["/b"]
    assert list(root_alerts(replace(LIMITS, folder_offline=False), roots)) == []


def test_what_was_set_aside_is_told_and_what_is_tried_again_is_not() -> None:
    problems = [
        Problem("2026", "a", 3, "failed", "It is damaged."),
        Problem("2026", "b", None, "set_aside", "It is no image."),
        Problem("2026", "c", None, "partial", "2 never arrived."),
        Problem("2026", "d", 1, "queued", "The share does not answer."),
    ]
    found = list(problem_alerts(LIMITS, problems))
    assert [(alert.kind, alert.subject) for alert in found] == [
        ("set_aside", "a"),
        ("set_aside", "b"),
        ("incomplete", "c"),
    ]
    assert found[0].message == "Time point 3 of a was set aside: It is damaged."
    assert found[1].message == "b was set aside: It is no image.", "names stay as they are"
    assert list(problem_alerts(replace(LIMITS, set_aside=False), problems)) == []


def test_what_keeps_results_from_being_stored_is_told_of_by_its_subject() -> None:
    troubles = [Trouble("database", "It is locked."), Trouble("embryo", "Its OME-Zarr cannot be written.")]
    found = list(trouble_alerts(LIMITS, troubles))
    assert [(alert.kind, alert.subject) for alert in found] == [("stalled", "database"), ("stalled", "embryo")]
    assert "It is locked." in found[0].message
    assert not list(trouble_alerts(replace(LIMITS, stalled=False), troubles))


def test_a_store_that_was_lost_is_told_of() -> None:
    [alert] = store_alerts("embryo", 7, "It is gone.")
    assert (alert.kind, alert.subject) == ("store_lost", "embryo")
    assert "7 time points" in alert.message


def test_a_service_that_ends_by_itself_tells_of_it_and_one_that_was_asked_to_does_not() -> None:
    [alert] = end_alerts(LIMITS, "The database was deleted.")
    assert (alert.kind, alert.subject) == ("stalled", "service")
    assert "The database was deleted." in alert.message
    assert not list(end_alerts(LIMITS, None))
    assert not list(end_alerts(replace(LIMITS, stalled=False), "The database was deleted."))


def rooms(disks: Disks, free_gb: float, now: float) -> list[str]:
    root = RootReport("/data", "/out", True, "2026", free_bytes=int(free_gb * 1e9))
    return [alert.message for alert in disk_alerts(LIMITS, disks.look([root], now))]


def test_a_disk_with_little_room_is_told_of_by_size_and_by_rate() -> None:
    assert rooms(Disks(), 5.1, 0.0) == []
    assert "4.9 GB left" in rooms(Disks(), 4.9, 0.0)[0]
    disks = Disks()
    assert rooms(disks, 100.0, 0.0) == []
    assert rooms(disks, 99.0, 30.0) == [], "over half a minute a rate means nothing"
    assert rooms(disks, 99.0, 120.0) == [], "1 GB in 2 min: 99 GB for 3.3 h"
    [message] = rooms(disks, 50.0, 3000.0)
    assert "enough for 0.8 hours at the present rate" in message
    assert rooms(disks, 120.0, 3100.0) == [], "somebody made room"


def test_a_place_that_does_not_tell_its_room_raises_nothing() -> None:
    root = RootReport("/data", "s3://out", True, "2026", free_bytes=None)
    assert Disks().look([root], 0.0) == []
