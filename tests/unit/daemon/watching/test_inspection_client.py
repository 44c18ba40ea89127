"""Looking into files from outside: answers, a reader that hangs, one that crashes. Real processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases import olympus_file
from cases.stored import pixels

from daemon.watching.inspection import (
    Answer,
    Gone,
    InspectionClient,
    Look,
    Looked,
    Missing,
    Open,
    Opened,
    Stuck,
    inspect,
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint16))
    return path


@pytest.fixture
def inspection_clients() -> Iterator[Callable[[float], InspectionClient]]:
    made: list[InspectionClient] = []

    def make(limit_s: float = 60.0) -> InspectionClient:
        made.append(InspectionClient(limit_s, time.monotonic))
        return made[-1]

    yield make
    for inspection_client in made:
        inspection_client.stop()


def heard(
    inspection_client: InspectionClient, answers: list[Answer], count: int, seconds: float = 60.0
) -> list[Answer]:
    until = time.monotonic() + seconds
    while len(answers) < count:
        assert time.monotonic() < until
        inspection_client.turn()
        time.sleep(0.01)
    return answers


def test_it_answers_in_order_and_ends_when_told(
    image: Path, inspection_clients: Callable[..., InspectionClient]
) -> None:
    inspection_client, answers = inspection_clients(), list[Answer]()
    for path in (image, image.with_name("absent.tif")):
        inspection_client.ask(Look(path), answers.append)
    inspection_client.ask(Open((image,), None, None), answers.append)
    looked, absent, opened = heard(inspection_client, answers, 3)
    assert isinstance(looked, Looked)
    assert looked.completion is not None
    assert looked.completion.state == "complete"
    assert absent == Looked(None)
    assert isinstance(opened, Opened)
    (found,) = opened.found
    assert (found.description.name, list(found.fingerprints)) == ("a", [0])
    pid = inspection_client.pid
    inspection_client.stop()
    assert not Path(f"/proc/{pid}").exists()


def test_what_hangs_is_ended_and_blamed_and_the_others_are_answered(
    image: Path, tmp_path: Path, inspection_clients: Callable[..., InspectionClient]
) -> None:
    inspection_client, answers = inspection_clients(), list[Answer]()
    inspection_client.ask(Look(image), answers.append)
    heard(inspection_client, answers, 1)
    assert inspection_client.pid is not None
    os.kill(inspection_client.pid, signal.SIGSTOP)  # as a share does that does not answer
    inspection_client._limit_s = 0.3
    for path in (tmp_path / "hangs.tif", image):
        inspection_client.ask(Look(path), answers.append)
    inspection_client.turn()
    time.sleep(0.4)
    inspection_client.turn()
    inspection_client._limit_s = 60.0
    _, stuck, looked = heard(inspection_client, answers, 3)
    assert isinstance(stuck, Stuck)
    assert "hangs.tif" in stuck.reason
    assert "did not come to an end" in stuck.reason
    assert isinstance(looked, Looked)


def test_what_crashes_is_blamed_and_the_others_are_answered(
    image: Path, inspection_clients: Callable[..., InspectionClient]
) -> None:
    inspection_client, answers = inspection_clients(), list[Answer]()
    inspection_client.ask(Look(image), answers.append)
    heard(inspection_client, answers, 1)
    assert inspection_client.pid is not None
    os.kill(inspection_client.pid, signal.SIGSTOP)
    for path in (image.with_name("crashes.tif"), image):
        inspection_client.ask(Look(path), answers.append)
    inspection_client.turn()
    os.kill(inspection_client.pid, signal.SIGKILL)
    _, stuck, looked = heard(inspection_client, answers, 3)
    assert isinstance(stuck, Stuck)
    assert "crashes.tif" in stuck.reason
    assert "SIGKILL" in stuck.reason
    assert isinstance(looked, Looked)


def test_a_file_that_takes_long_keeps_no_good_one_waiting(
    image: Path, inspection_clients: Callable[..., InspectionClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps its process, and is answered when that is done; the good one has another process at once."""
    monkeypatch.setattr("daemon.watching.inspection._SLOW_S", 0.3)
    inspection_client, answers, slow = inspection_clients(), list[Answer](), list[Answer]()
    inspection_client.ask(Look(image), answers.append)
    heard(inspection_client, answers, 1)
    first = inspection_client.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    inspection_client.ask(Look(image.with_name("slow.tif")), slow.append)
    inspection_client.ask(Look(image), answers.append)
    assert isinstance(heard(inspection_client, answers, 2)[1], Looked)
    assert inspection_client.pid != first
    assert slow == []
    assert inspection_client.load == 1
    os.kill(first, signal.SIGCONT)
    assert heard(inspection_client, slow, 1) == [Looked(None)]
    assert not Path(f"/proc/{first}").exists(), "it goes on with nothing that another one has been asked"
    assert inspection_client.load == 0


def test_a_slow_file_is_ended_and_blamed_as_any_other(
    image: Path, inspection_clients: Callable[..., InspectionClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.watching.inspection._SLOW_S", 0.2)
    monkeypatch.setattr("daemon.watching.inspection._MOST_SLOW", 1)
    inspection_client, answers, slow = inspection_clients(), list[Answer](), list[Answer]()
    inspection_client.ask(Look(image), answers.append)
    heard(inspection_client, answers, 1)
    assert inspection_client.pid is not None
    os.kill(inspection_client.pid, signal.SIGSTOP)
    inspection_client.ask(Look(image.with_name("slow.tif")), slow.append)
    inspection_client.ask(Look(image), answers.append)
    heard(inspection_client, answers, 2)
    inspection_client._limit_s = 0.1
    [stuck] = heard(inspection_client, slow, 1)
    assert isinstance(stuck, Stuck)
    assert "slow.tif" in stuck.reason


def test_a_reader_that_raises_costs_one_sentence(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage import readers

    def raises(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(readers, "probe", raises)
    monkeypatch.setattr(readers, "open_acquisitions", raises)
    looked, opened = inspect(Look(image)), inspect(Open((image,), None, None))
    assert isinstance(looked, Looked)
    assert looked.completion is not None
    assert looked.completion.state == "incomplete"
    assert isinstance(opened, Opened)
    assert "division by zero" in (opened.error or "")
    assert not opened.may_pass


def test_a_pipe_among_the_files_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    assert inspect(Look(tmp_path / "pipe.tif")) == Looked(None)


def test_what_can_wait_is_looked_into_by_a_process_that_gives_way(
    image: Path, inspection_clients: Callable[..., InspectionClient]
) -> None:
    inspection_client, answers = inspection_clients(), list[Answer]()
    inspection_client.ask(Look(image), answers.append)
    heard(inspection_client, answers, 1)
    assert inspection_client.pid is not None
    before = os.getpriority(os.PRIO_PROCESS, inspection_client.pid)
    inspection_client.ask(Open((image,), None, None, idle=True), answers.append)
    heard(inspection_client, answers, 2)
    assert os.getpriority(os.PRIO_PROCESS, inspection_client.pid) == 19 > before


def test_which_sources_are_gone(tmp_path: Path, inspection_clients: Callable[..., InspectionClient]) -> None:
    inspection_client, answers = inspection_clients(), list[Answer]()
    (tmp_path / "share").mkdir()
    (tmp_path / "there.tif").write_bytes(b"x")
    asked = {
        "gone": (tmp_path / "gone.tif", tmp_path / "folder" / "gone.tif"),
        "half": (tmp_path / "gone.tif", tmp_path / "there.tif"),
        "unmounted": (tmp_path / "share" / "a.tif",),
    }
    inspection_client.ask(Gone(asked), answers.append)
    assert heard(inspection_client, answers, 1) == [Missing(frozenset({"gone"}))]


def test_no_file_stays_open_that_was_written_a_moment_ago(tmp_path: Path) -> None:
    """It is not kept in mind, so nobody else would close it."""
    path = olympus_file.oib(tmp_path, pixels(2, 1, 2))
    soon = time.time() + 60.0  # however long this takes
    os.utime(path, (soon, soon))
    assert isinstance(inspect(Open((path,), None, None)), Opened)
    places = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    assert not any(os.path.exists(place) and os.path.samefile(place, path) for place in places)
