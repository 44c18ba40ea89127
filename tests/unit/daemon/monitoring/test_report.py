"""Whether a service runs, from what it said last; and what a reload takes over."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.configuration import config, reload
from daemon.configuration.config import Config
from daemon.errors import ConfigError
from daemon.monitoring import status
from daemon.monitoring.pace import pace_of
from daemon.monitoring.report import Report, RootReport, liveness
from daemon.processing.workers.protocol import WorkerNow
from storage.query.health import Problem, QueueState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REPORT = Report(
    state="running",
    pid=os.getpid(),
    host=socket.gethostname(),
    version="1",
    started_at="2026-03-01T11:00:00.000Z",
    interval_s=10.0,
    model="fluorescence (abc)",
    roots=(RootReport("/data/in", "/data/out", False, "2026-03-01T11:30:00.000Z", 2, 5_000_000_000),),
    last_alert="2026 It lags.",
    alerts_sent=1,
)
SMALL = '[[watch]]\npath = "/data/in"\noutput = "/data/out"\n'


@pytest.mark.parametrize(
    ("changes", "age_s", "runs", "word"),
    [
        ({}, 5, True, "running"),
        ({"state": "starting"}, 5, True, "starting"),
        ({"state": "stopped"}, 5, False, "stopped"),
        ({"state": "failed"}, 5, False, "failed"),
        ({"pid": 2**22 + 1}, 5, False, "ended without a word"),
        ({"host": "elsewhere", "pid": 2**22 + 1}, 59, True, "running"),
        ({"host": "elsewhere"}, 61, False, "silent for 61 s"),
        ({"host": "elsewhere", "interval_s": 60.0}, 179, True, "running"),
    ],
)
def test_whether_it_runs(changes: dict[str, object], age_s: float, runs: bool, word: str) -> None:
    report = replace(REPORT, **changes)  # type: ignore[arg-type]
    found = liveness(report, NOW - timedelta(seconds=age_s), NOW)
    assert found[0] is runs
    assert word in found[1]


def test_a_report_survives_being_stored_and_read_by_another_version() -> None:
    stored = REPORT.as_dict()
    assert Report.from_dict(stored) == REPORT
    stored["news"] = 1
    stored["roots"][0]["more"] = 2
    del stored["listen"]
    assert Report.from_dict(stored) == REPORT


CREW = (WorkerNow(7, "works", "embryo t=3", 12.0), WorkerNow(8, "idle"), WorkerNow(None, "waits"))


def test_the_status_tells_what_each_of_several_workers_does() -> None:
    report = Report.from_dict(replace(REPORT, workers=CREW, working_on="embryo t=3").as_dict())
    assert report.workers == CREW
    pace = pace_of(QueueState(NOW, {"done": 1}), len(report.workers))
    told = "\n".join(status.lines(status.Status(NOW, True, "running", report, NOW, pace, ())))
    assert (
        "workers     process 7: embryo t=3, for 12 s\n            process 8: rests\n            is not started" in told
    )


def test_the_status_for_people() -> None:
    problem = Problem("2026-03-01T11:59:00.000Z", "embryo", 3, "queued", "The share does not answer.")
    seen = status.Status(NOW, True, "running", REPORT, NOW, pace_of(QueueState(NOW, {"queued": 2})), (problem,))
    told = "\n".join(status.lines(seen))
    for part in (
        f"service     running since 2026-03-01T11:00:00.000Z, process {os.getpid()}",
        "engine      fluorescence (abc) is loaded; working on nothing",
        "queue       2 waiting, 0 running",
        "keeps up    not known yet",
        "folders     /data/in OFFLINE since 2026-03-01T11:30:00.000Z, 2 files not whole yet -> /data/out, 5.0 GB free",
        "alerts      1 sent, 0 held back; last: 2026 It lags.",
        "problems    2026-03-01T11:59:00.000Z embryo t=3 (tried again): The share does not answer.",
    ):
        assert part in told


def parsed(text: str) -> Config:
    return config.parse(text, Path("/etc/nusetd/nusetd.toml"))


def test_a_reload_leaves_for_a_restart_what_only_that_can_change() -> None:
    old = parsed(SMALL)
    new = parsed(f"database = '/x.sqlite'\n{SMALL}[service]\nlog_level = 'debug'\nworker_silence_s = 9\n")
    taken = reload.compare(old, new)
    assert taken.config.database == old.database
    assert (taken.config.service.log_level, taken.config.service.worker_silence_s) == ("debug", 600.0)
    assert taken.changed == ("service",)
    assert taken.for_restart is not None
    assert "database, service.worker_silence_s changes with a restart only" in taken.for_restart
    assert not taken.restarts_intakes


@pytest.mark.parametrize(
    ("more", "restarts"),
    [
        ("[alerts]\nlag_s = 5\n", False),
        ("[service]\nrescan_s = 5\n", True),
        ("[segmentation]\nmin_score = 0.9\n", True),
        ('[[watch]]\npath = "/data/two"\noutput = "/data/out"\n', False),
    ],
)
def test_folders_are_looked_at_anew_only_where_that_changes_something(more: str, restarts: bool) -> None:
    taken = reload.compare(parsed(SMALL), parsed(SMALL + more))
    assert taken.restarts_intakes is restarts
    assert taken.for_restart is None
    assert taken.config == parsed(SMALL + more)


def test_without_a_file_there_is_nothing_to_read_again() -> None:
    with pytest.raises(ConfigError, match="none to read again"):
        reload.read(None, parsed(SMALL))
