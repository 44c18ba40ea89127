"""The daemon's side of the worker: a process that answers, dies, hangs, or cannot start."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.processing.messages import CannotServe, EngineSetup, Ready
from daemon.processing.workers.local_workers import LocalWorkers, Worker
from daemon.processing.workers.protocol import Died, Event
from daemon.processing.workers.stores_lock import StoresLock

ENGINE = """
class Info:
    name, sha256 = "stub", "0" * 64

class Engine:
    def __init__(self, weights, params, threads):
        if weights == "hang":
            import time
            time.sleep(600)
        if weights == "exit":
            import os
            os._exit(3)
        if weights == "bad":
            raise FileNotFoundError("no such weights")
        self.weights_info = Info()
"""


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineSetup:
    (tmp_path / "stub_engine.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return EngineSetup("stub_engine:Engine", "good", None)


@pytest.fixture
def started() -> Iterator[list[Worker]]:
    workers: list[Worker] = []
    yield workers
    for worker in workers:
        worker.kill()
        worker.stop()


def first_event(worker: Worker, seconds: float = 60.0) -> Event:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for event in worker.events(0.5):
            return event
    raise AssertionError("the worker said nothing")


def start(setup: EngineSetup, started: list[Worker], silence_s: float = 60.0) -> Worker:
    worker = Worker(setup, silence_s, time.monotonic)
    started.append(worker)
    worker.start()
    return worker


def test_it_says_when_it_is_ready_and_goes_home_when_told(setup: EngineSetup, started: list[Worker]) -> None:
    worker = start(setup, started)
    assert not worker.idle
    assert first_event(worker) == Ready("stub", "0" * 64)
    assert worker.idle
    pid = worker.pid
    worker.stop()
    assert worker.pid is None
    assert not Path(f"/proc/{pid}").exists()


def test_one_beside_the_database_is_ready_when_it_has_loaded_what_tracks(
    setup: EngineSetup, started: list[Worker]
) -> None:
    """Else the first time point of a cluster waits for it, with every other worker idle."""
    worker = start(replace(setup, later=True), started)
    assert isinstance(first_event(worker), Ready)
    loaded = Path(f"/proc/{worker.pid}/maps").read_text()
    assert "_sqlite3." in loaded
    assert "scipy/spatial" in loaded


@pytest.mark.long  # `.ci/run` runs it once
def test_a_killed_worker_is_buried_with_the_reason(setup: EngineSetup, started: list[Worker]) -> None:
    worker = start(setup, started)
    first_event(worker)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    event = first_event(worker)
    assert isinstance(event, Died)
    assert "SIGKILL" in event.reason
    assert worker.pid is None


def test_an_engine_that_raises_is_told_not_retried(setup: EngineSetup, started: list[Worker]) -> None:
    event = first_event(start(EngineSetup(setup.factory, "bad", None), started))
    assert isinstance(event, CannotServe)
    assert "no such weights" in event.reason


def test_an_engine_that_ends_the_process_is_a_death(setup: EngineSetup, started: list[Worker]) -> None:
    event = first_event(start(EngineSetup(setup.factory, "exit", None), started))
    assert isinstance(event, Died)
    assert "exit code 3" in event.reason


@pytest.mark.long  # `.ci/run` runs it once
def test_a_worker_that_is_silent_too_long_is_killed(setup: EngineSetup, started: list[Worker]) -> None:
    worker = start(EngineSetup(setup.factory, "hang", None), started, silence_s=1.0)
    pid = worker.pid
    event = first_event(worker)
    assert isinstance(event, Died)
    assert "said nothing for 1 s" in event.reason
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.long  # `.ci/run` runs it once
def test_workers_of_another_service_wait_until_those_of_the_first_are_gone(
    setup: EngineSetup, started: list[Worker], tmp_path: Path
) -> None:
    """However the first service itself ended: its worker holds the lock as well."""
    first = StoresLock(tmp_path / "worker.lock")
    workers = LocalWorkers([Worker(setup, 60.0, time.monotonic)], first)
    started += workers.all
    workers.start()
    first_event(workers.all[0])
    first.release()  # as a killed service does
    others = LocalWorkers([Worker(setup, 60.0, time.monotonic)], StoresLock(tmp_path / "worker.lock"))
    started += others.all
    others.start()
    assert others.all[0].pid is None
    assert "have not ended yet" in str(others.waits_for)
    workers.end()
    others.start()
    assert first_event(others.all[0]) == Ready("stub", "0" * 64)
    assert others.waits_for is None
    others.end()
