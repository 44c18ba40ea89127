"""Files that appear only when they are whole, and signals that end a command in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.files.sharing.outcomes import ENDING, ended_by_signal
from daemon.files.whole_file import remove_unfinished, whole


def test_a_file_is_there_when_it_is_whole_and_otherwise_nothing_is(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"

    class DiskFullError(Exception):
        """Any."""

    def write(text: str) -> None:
        with whole(target) as unfinished:
            unfinished.write_text(text[:1])
            assert not target.exists()
            unfinished.write_text(text)
            if text == "second":
                raise DiskFullError

    with pytest.raises(DiskFullError):
        write("second")
    assert os.listdir(tmp_path) == []
    write("first")
    assert (os.listdir(tmp_path), target.read_text()) == (["a.csv"], "first")


def test_what_the_dead_left_is_removed_and_what_others_write_or_keep_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    names = [f".a.csv.{dead.pid}.part", f".a.csv.{os.getpid()}.part", f".b.csv.{dead.pid}.part", ".a.csv.part"]
    names.append(f".a.csv.{10**30}.part")
    for name in names:
        (tmp_path / name).touch()
    remove_unfinished([tmp_path / "a.csv", tmp_path / "gone" / "a.csv"])
    assert sorted(os.listdir(tmp_path)) == sorted(names[1:4])


@pytest.mark.parametrize("first", ENDING)
def test_a_signal_ends_in_order_whatever_comes_after_it(first: signal.Signals) -> None:
    before = [signal.getsignal(number) for number in ENDING]
    ended: list[str] = []

    def work() -> None:
        with ended_by_signal():
            try:
                os.kill(os.getpid(), first)
                ended.append("not at all")
            finally:
                for number in ENDING:
                    os.kill(os.getpid(), number)
                ended.append("in order")

    with pytest.raises((KeyboardInterrupt, SystemExit)) as found:
        work()
    assert ended == ["in order"]
    assert found.type is KeyboardInterrupt if first == signal.SIGINT else found.value.args == (128 + first,)
    assert [signal.getsignal(number) for number in ENDING] == before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signal():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
