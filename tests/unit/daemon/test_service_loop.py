"""When the watchdog is told that all is well: only after a turn that looked at the worker's signs of life."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.configuration import config
from daemon.monitoring.notify import Notifier
from daemon.service import Service
from storage.database.catalog import Catalog


class Stage:
    """A service that is turned by hand, without a worker, and the socket on which it tells of itself."""

    def __init__(self, root: Path, catalog: Catalog, manager: socket.socket, more: str) -> None:
        (root / "in").mkdir()
        text = f'[[watch]]\npath = "in"\noutput = "out"\n[service]\nevents = false\n{more}'
        self.now, self._manager = 0.0, manager
        told = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "4000000"}
        self.service = Service(
            config.parse(text, root / "nusetd.toml"), catalog, Notifier(told), clock=lambda: self.now
        )

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found += self._manager.recv(1000).decode().splitlines()
            except BlockingIOError:
                return found


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
            yield Stage(tmp_path, catalog, manager, "")


def test_a_turn_pings_after_it_looked_at_the_worker(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(stage.service._queue_loop, "step", lambda wait_s: order.extend(["worker", *stage.heard()]))
    stage.service.turn()
    order += stage.heard()
    assert order.index("worker") < order.index("WATCHDOG=1")


def test_no_turn_waits_for_the_database_while_a_long_transaction_is_written_beside_the_loop(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over = threading.Event(), threading.Event()

    def write() -> None:
        with stage.service._catalog._transaction():
            begun.set()
            over.wait(30)

    beside = stage.service._queue_loop._beside
    beside.start(write)
    stage.service._queue_loop._over = lambda outcome: None
    assert begun.wait(5)
    started = time.monotonic()
    for stage.now in (10.0, 20.0, 30.0):  # a report is due in each
        stage.service.turn()
    took = time.monotonic() - started
    over.set()
    beside.wait()
    assert "WATCHDOG=1" in stage.heard()
    assert took < 5


def test_a_turn_that_gets_stuck_pings_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(wait_s: float) -> None:
        raise TimeoutError("stands for a call that never returns")

    monkeypatch.setattr(stage.service._queue_loop, "step", stuck)
    with pytest.raises(TimeoutError):
        stage.service.turn()
    assert "WATCHDOG=1" not in stage.heard()


def test_more_time_is_asked_for_while_the_engine_loads_and_no_longer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.service._queue_loop, "step", lambda wait_s: None)
    heard = []
    for stage.now in (0.0, 1.0, 20.0):
        stage.service.turn()
        heard += stage.heard()
    assert heard.count("EXTEND_TIMEOUT_USEC=60000000") == 2
    assert "READY=1" not in heard


def test_asked_twice_to_stop_it_does_not_finish_first(stage: Stage) -> None:
    stage.service.ask_to_stop(signal.SIGTERM)
    assert not stage.service._asked_to_hurry
    stage.service.ask_to_stop(signal.SIGTERM)
    assert stage.service._asked_to_hurry


def test_its_process_is_the_one_that_reports(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage.clock import utc_now
    from storage.query.health import health

    monkeypatch.setattr(stage.service._queue_loop, "step", lambda wait_s: None)
    stage.service.turn()
    _, reported = health(stage.service._catalog.url, utc_now())
    assert reported is not None
    assert reported[1]["pid"] == os.getpid()
    assert reported[1]["state"] == "starting"
