"""A crash counts against the time point that was being committed; kills and power cuts never do, however many."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cases.stored import register

from daemon.processing.crash_record import CrashRecord
from storage.database.catalog import Catalog
from storage.schema.states import TimepointState

QUEUED, FAILED, RUNNING = TimepointState.QUEUED, TimepointState.FAILED, TimepointState.RUNNING

SERVICE = """
import os, sys
from pathlib import Path
from types import SimpleNamespace
from daemon.processing.crash_record import CrashRecord
path, death, inside = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "inside"
job = SimpleNamespace(acquisition=SimpleNamespace(id=int(sys.argv[4])), t=0)
with CrashRecord(path) as crash_record:
    with crash_record.around(job):
        if inside:
            os.kill(os.getpid(), death)
    os.kill(os.getpid(), death)
"""


class Bench:
    """A database with one time point, and services that die while it is running."""

    def __init__(self, root: Path, catalog: Catalog) -> None:
        self.catalog, self.path = catalog, root / "nusetd.sqlite.crash"
        self.row = register(catalog)
        catalog.add_timepoints(self.row.id, {0: "a"})

    def die(self, death: signal.Signals, where: str) -> None:
        """A service claims the time point, and dies inside of bringing it home, or outside."""
        assert self.catalog.claim_next() is not None
        command = [sys.executable, "-c", SERVICE, str(self.path), str(int(death)), where, str(self.row.id)]
        assert subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == -death

    def start(self) -> TimepointState:
        """What the next service does at its start; the state of the time point after it."""
        with CrashRecord(self.path) as crash_record:
            crash_record.judge(self.catalog, crashes=2)
        self.catalog.requeue_running()
        return self.catalog.timepoints(self.row.id)[0].state


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        yield Bench(tmp_path, catalog)


def test_the_second_crash_sets_the_time_point_aside(bench: Bench) -> None:
    bench.die(signal.SIGSEGV, "inside")
    assert bench.start() is QUEUED
    bench.die(signal.SIGABRT, "inside")  # the watchdog's
    assert bench.start() is FAILED
    (point,) = bench.catalog.timepoints(bench.row.id)
    assert point.error == "The service itself crashed while it stored the result (Fatal Python error: Aborted)."


@pytest.mark.parametrize(
    ("death", "where"), [(signal.SIGKILL, "inside"), (signal.SIGKILL, "outside"), (signal.SIGSEGV, "outside")]
)
def test_other_deaths_never_do(bench: Bench, death: signal.Signals, where: str) -> None:
    for _ in range(3):
        bench.die(death, where)
        assert bench.start() is QUEUED
    job = bench.catalog.claim_next()
    assert job is not None
    assert job.attempts == 1


def test_a_kill_after_a_crash_neither_counts_nor_forgives(bench: Bench) -> None:
    bench.die(signal.SIGSEGV, "inside")
    assert bench.start() is QUEUED
    for _ in range(2):
        bench.die(signal.SIGKILL, "inside")
        assert bench.start() is QUEUED
    bench.die(signal.SIGSEGV, "inside")
    assert bench.start() is FAILED


def test_what_was_done_before_the_crash_is_not_blamed(bench: Bench) -> None:
    bench.path.write_text('{"acquisition": 1, "t": 0}\nFatal Python error: Segmentation fault\n')
    assert bench.start() is QUEUED
    job = bench.catalog.claim_next()
    assert job is not None
    assert job.attempts == 1
    assert not bench.path.exists()
