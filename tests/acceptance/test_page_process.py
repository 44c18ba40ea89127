"""The live page beside a service: there while the service is, there again after it died, gone when the service is."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cases.live_page import LivePage
from lab import PATIENCE_S, Lab, stack, write_stack


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def waited(reached: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.1)


def children(pid: int) -> dict[int, str]:
    """The command lines of a process's children."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it has ended meanwhile
    return found


@pytest.mark.long  # `.ci/run` runs it once
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_page_comes_with_the_service_comes_back_and_goes_with_it(tmp_path: Path) -> None:
    lab, port = Lab(tmp_path), free_port()
    with lab.config.open("a") as file:
        file.write(f'[page]\nlisten = "127.0.0.1:{port}"\n')
    write_stack(lab.incoming / "img_t000.tif", stack(0))
    lab.start()
    page = LivePage(f"http://127.0.0.1:{port}")

    def answers() -> bool:
        try:
            return page.ask("/api/overview").code == 200
        except OSError:
            return False

    def own() -> list[int]:
        assert lab.process is not None
        return [pid for pid, line in children(lab.process.pid).items() if " page " in line]

    try:
        lab.wait(answers)
        [pid] = own()
        assert lab.process is not None
        assert os.getpriority(os.PRIO_PROCESS, pid) >= os.getpriority(os.PRIO_PROCESS, lab.process.pid) + 5
        os.kill(pid, signal.SIGKILL)
        lab.wait(lambda: own() not in ([pid], []) and answers())
        assert "the page ended, it is started again" in lab.said()
        lab.wait(lambda: lab.done() == 1)  # the service went on meanwhile
        overview = page.ask("/api/overview").json
        assert overview["service"]["runs"] is True
        lab.kill()
        waited(lambda: not answers())
    finally:
        if lab.process is not None and lab.process.poll() is None:
            lab.stop()
