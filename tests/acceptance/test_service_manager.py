"""The service under a service manager, whose side of the socket the test plays; and how it is seen meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, asked, stack, write_stack

Maker = Callable[..., Lab]


class Manager:
    """Listens where systemd would, and keeps what it was told, a dictionary per datagram."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", str(self.path))
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while datagram := self._socket.recv(4096).decode():
            self.heard.append(dict(line.split("=", 1) for line in datagram.splitlines()))

    def environment(self, watchdog_s: float) -> dict[str, str]:
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}

    def listen(self) -> list[dict[str, str]]:
        return list(self.heard)

    def first(self, name: str) -> int:
        """Number of the first datagram that has this variable, -1 when there is none."""
        return next((i for i, message in enumerate(self.listen()) if name in message), -1)

    def count(self, name: str) -> int:
        return sum(name in message for message in self.listen())


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def status(lab: Lab) -> dict[str, dict]:
    return json.loads(asked("status", "--database", lab.database, "--format", "json").stdout)


def reported(lab: Lab) -> dict[str, Any]:
    """What the service says of itself, read as any program could."""
    rows = lab.rows("select report from service_reports")
    return json.loads(rows[0][0]) if rows else {}


def test_a_whole_life_under_a_service_manager(new_lab: Maker, manager: Manager) -> None:
    """Start, work, a folder that goes away, reloads and the end."""
    port = free_port()
    lab = new_lab(report_s=0.2, listen=f"127.0.0.1:{port}")
    for t in range(3):
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", stack(t))
    lab.start(**manager.environment(watchdog_s=2.0))
    lab.wait(lab.settled)
    heard = manager.listen()

    ready = manager.first("READY")
    assert -1 < manager.first("EXTEND_TIMEOUT_USEC") < ready, "more time is asked for while the engine loads"
    assert all(int(message.get("EXTEND_TIMEOUT_USEC", 60_000_000)) == 60_000_000 for message in heard)
    assert heard[ready] == {"READY": "1", "STATUS": "watching 1 folder"}
    lab.wait(lambda: manager.count("WATCHDOG") >= 2)
    lab.wait(lambda: any("3 done, 0 failed" in message.get("STATUS", "") for message in manager.listen()))
    see_it_run(lab, port)
    reload_twice(lab, manager)

    before = manager.count("WATCHDOG")
    assert lab.stop() == 0
    stopping = manager.first("STOPPING")
    assert stopping > ready
    assert not any("READY" in message for message in manager.heard[stopping:])
    assert manager.count("WATCHDOG") >= before
    ended = status(lab)["service"]
    assert (ended["runs"], ended["state"]) == (False, "stopped")
    assert "not running: stopped" in asked("status", "--database", lab.database).stdout
    assert lab.rows("select count(*) from acquisitions") == [(3,)], "nothing was taken twice"


def see_it_run(lab: Lab, port: int) -> None:
    """What it says of itself, also while its folder is away."""
    assert get(port, "/healthz")[0] == 200
    assert get(port, "/readyz") == (200, "ready\n")
    assert 'nusetd_timepoints_ended_total{outcome="done"} 3.0' in get(port, "/metrics")[1]
    running = status(lab)
    assert running["service"]["runs"] is True
    assert running["service"]["report"]["roots"][0]["path"] == str(lab.incoming)
    assert running["queue"]["done"] == 3
    assert 0 < running["queue"]["lag_p50_s"] <= running["queue"]["lag_p95_s"]

    os.rename(lab.incoming, lab.root / "away")
    lab.wait(lambda: get(port, "/readyz") == (503, f"{lab.incoming} cannot be reached\n"))
    shown = asked("status", "--database", lab.database).stdout
    assert f"{lab.incoming} OFFLINE since" in shown
    os.rename(lab.root / "away", lab.incoming)
    lab.wait(lambda: get(port, "/readyz")[0] == 200)


def reload_twice(lab: Lab, manager: Manager) -> None:
    """A reload refuses a wrong configuration, and takes a valid one."""
    assert lab.process is not None
    good = lab.config.read_text()
    lab.config.write_text(good.replace("rescan_s = 0.5", 'rescan_s = "often"\nquick = true'))
    lab.process.send_signal(signal.SIGHUP)
    lab.wait(lambda: any("refused" in message.get("STATUS", "") for message in manager.listen()))
    reloads = [message for message in manager.heard if "RELOADING" in message]
    assert len(reloads) == 1
    assert int(reloads[0]["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert lab.said().count("configuration refused, the old one stays") == 2
    assert "'often'" in lab.said()
    assert "quick is not a known key" in lab.said()
    write_stack(lab.incoming / "first.tif", stack(0))
    lab.wait(lambda: lab.states() == ["complete"] * 2)
    lab.wait(lambda: "'often'" in (reported(lab).get("config_error") or ""))

    second = lab.root / "second"
    second.mkdir()
    more = f'[[watch]]\npath = "{second}"\noutput = "{lab.output}"\nquiet_s = 0.2\nacquisition_quiet_s = 1.0\n'
    more += "voxel_size_um = [1.0, 0.5, 0.5]\n"
    lab.config.write_text(more + good.replace("[engine]", "[engine]\nthreads = 1"))
    lab.process.send_signal(signal.SIGHUP)
    write_stack(second / "other.tif", stack(1))
    lab.wait(lambda: lab.states() == ["complete"] * 3)
    assert "configuration read again changed=watch" in lab.said()
    lab.wait(lambda: "engine changes" in reported(lab)["config_error"])
    report = reported(lab)
    assert "engine changes with a restart only" in report["config_error"]
    assert [root["path"] for root in report["roots"]] == [str(second), str(lab.incoming)]
    assert manager.count("READY") == 3


@pytest.mark.long  # `.ci/run` runs it
def test_what_takes_too_long_is_abandoned_and_done_at_the_next_start_of_which_a_collapse_reaches_the_command(
    new_lab: Maker, manager: Manager, tmp_path: Path
) -> None:
    lab = new_lab(stop_s=0.3, report_s=0.2)
    write_stack(lab.incoming / "one.tif", stack(0))
    lab.start(NUSETD_TEST_PAUSE="600", **manager.environment(watchdog_s=60.0))
    lab.wait(lambda: lab.rows("select state from timepoints") == [("running",)])
    assert lab.stop() == 0
    assert {"STOPPING": "1", "STATUS": "finishing one t=0"} in manager.listen()
    assert lab.rows("select state, attempts from timepoints") == [("queued", 0)]
    assert "abandoned, done anew at the next start acquisition=one t=0" in lab.said()

    script = tmp_path / "tell"
    script.write_text(f"#!/bin/sh\n{{ printf '%s ' \"$NUSETD_ALERT_KIND\"; cat; echo; }} >> {tmp_path}/told\n")
    script.chmod(0o755)
    lab.config.write_text(lab.config.read_text() + f'[alerts]\ncommand = ["{script}"]\n')
    images = [stack(t) for t in range(5)]
    images[4][:] = 100
    images[3][2] = 0
    for t, image in enumerate(images):
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", image)
    lab.start()
    lab.wait(lambda: lab.states() == ["complete"] * 2 and lab.settled())
    assert lab.stop() == 0
    told = [line.split(" ", 1) for line in (tmp_path / "told").read_text().splitlines()]
    assert [kind for kind, _ in told] == ["slices_missing", "count_collapsed"]
    assert json.loads(told[0][1])["facts"] == {"acquisition": "exp", "t": 3, "blank_slices": [2]}
    assert json.loads(told[1][1])["facts"] == {"acquisition": "exp", "t": 4, "nuclei": 0, "nuclei_before": 5}
    assert "alerts      2 sent, 1 held back" in asked("status", "--database", lab.database).stdout
