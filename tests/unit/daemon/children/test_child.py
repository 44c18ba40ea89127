"""A child that answers, hangs, crashes, is told to go, or loses its parent. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cases.moved_clock import MovedClock

from daemon.children.child import Blame, Child, ChildGoneError

ECHO = """
import gc, os, signal, sys, time
from daemon.children.parent import meet


def main():
    loading = gc.isenabled()
    pipe = meet()
    pipe.send(pipe.recv())  # the greeting
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            break
        if request == "exit":
            os._exit(3)
        if request == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if request == "hang":
            time.sleep(600)
        if request == "garbage":
            request = f"{loading} {gc.isenabled()} {gc.get_freeze_count() > 0} {sys.argv[0]}"
        pipe.send(request.upper())
"""
PARENT = """
import sys, time
from daemon.children.child import Child

child = Child("echo_child", time.monotonic)
child.start("hello")
assert child.hear(60.0) == "hello"
child.give(sys.argv[1])
print(child.pid, flush=True)
time.sleep(600)
"""

Echo = Child[str, str]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MovedClock) -> Iterator[Echo]:
    (tmp_path / "echo_child.py").write_text(ECHO)
    monkeypatch.syspath_prepend(str(tmp_path))
    child = Echo("echo_child", clock)
    child.start("hello")
    assert child.hear(60.0) == "hello"
    yield child
    child.kill()
    child.end(5.0)


def give(child: Echo, *requests: str) -> None:
    for request in requests:
        assert child.give(request)


def test_it_answers_in_order_and_goes_when_the_pipe_is_closed(child: Echo) -> None:
    give(child, "one", "two", "garbage")
    for request in ("one", "two"):
        assert child.given[0] == request
        assert child.hear(60.0) == request.upper()
        assert child.answered() == request
    said = child.hear(60.0)
    assert said is not None
    assert said.split()[:3] == ["FALSE", "TRUE", "TRUE"], "garbage is looked for when all is loaded, and in what comes"
    assert said.endswith("/ECHO_CHILD.PY")
    child.answered()
    assert child.hear() is None
    pid = child.pid
    assert child.end(60.0) == 0
    assert (child.pid, child.connection, child.hear()) == (None, None, None)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(("request_", "how"), [("exit", "exit code 3"), ("crash", "signal SIGSEGV")])
def test_a_crash_is_blamed_on_the_request_under_way(child: Echo, request_: str, how: str) -> None:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)  # else it may be gone before it is given the others
    give(child, "one", request_, "three", "four")
    os.kill(child.pid, signal.SIGCONT)
    assert child.hear(60.0) == "ONE"
    child.answered()
    with pytest.raises(ChildGoneError):
        child.hear(60.0)
    assert child.blame(60.0) == Blame(how, request_, ("three", "four"))
    assert (child.pid, child.given) == (None, ())


def test_silence_is_counted_from_the_last_word_or_the_first_request(child: Echo, clock: MovedClock) -> None:
    clock.now = 50.0
    give(child, "hang")
    clock.now = 53.0
    give(child, "two")
    assert child.silent_s == 3.0
    assert child.hear() is None


def test_what_hangs_is_not_waited_for(child: Echo) -> None:
    give(child, "hang", "two")
    pid, began = child.pid, time.monotonic()
    assert child.blame(0.2) == Blame("killed", "hang", ("two",))
    assert time.monotonic() - began < 30.0
    child.reap(60.0)
    assert not Path(f"/proc/{pid}").exists()


def test_after_a_death_another_one_starts(child: Echo) -> None:
    give(child, "exit")
    with pytest.raises(ChildGoneError):
        child.hear(60.0)
    child.blame(60.0)
    child.start("again")
    assert child.hear(60.0) == "again"
    give(child, "one")
    assert child.hear(60.0) == "ONE"


def test_giving_to_one_that_just_died_is_told_by_hearing(child: Echo) -> None:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not child.give("one")
    with pytest.raises(ChildGoneError):
        child.hear(60.0)
    assert child.blame(60.0) == Blame("signal SIGKILL", None, ())


def test_one_that_dies_before_it_hears_anything_is_told_by_hearing_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MovedClock
) -> None:
    """Whoever starts it goes on: a service must not end with a worker that was killed at once."""
    (tmp_path / "still_born.py").write_text("import os\nos._exit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    child = Echo("still_born", clock)
    child.start("more than a pipe holds" * 100_000)
    with pytest.raises(ChildGoneError):
        child.hear(60.0)
    assert child.blame(5.0).how == "exit code 3"


@pytest.mark.parametrize("at", ["one", "hang"])
def test_it_dies_with_its_parent(child: Echo, tmp_path: Path, at: str) -> None:
    """However the parent dies, and whatever the child is doing."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, at], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        orphan = int(parent.stdout.readline())
    assert is_alive(orphan)
    parent.kill()
    parent.wait()
    until = time.monotonic() + 30.0
    while is_alive(orphan):
        assert time.monotonic() < until
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """A process that nobody has asked for its exit code yet is dead too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
