"""Files that appear only when they are whole, and what is left of others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.files.whole_file import part_of, remove_unfinished, whole


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
    own = part_of(tmp_path / "a.csv").name
    left = own.replace(str(os.getpid()), str(dead.pid), 1)
    names = [left, own, left.replace("a.csv", "b.csv"), ".a.csv.part"]
    names.append(own.replace(str(os.getpid()), str(10**30), 1))
    for name in names:
        (tmp_path / name).touch()
    remove_unfinished([tmp_path / "a.csv", tmp_path / "gone" / "a.csv"])
    assert sorted(os.listdir(tmp_path)) == sorted(names[1:4])


def test_all_of_a_file_is_on_the_disk_before_it_comes_to_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a power cut would leave an empty one there, which looks whole."""
    target, synced = tmp_path / "a.csv", list[tuple[int, bool]]()
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((os.fstat(number).st_size, target.exists())))
    with whole(target) as unfinished:
        unfinished.write_text("first")
    assert synced == [(5, False)]
    assert target.read_text() == "first"


def test_what_processes_of_another_computer_write_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers of processes tell nothing there."""
    target = tmp_path / "a.csv"
    monkeypatch.setattr(os, "getpid", lambda: 10**30)  # nobody's
    monkeypatch.setattr("socket.gethostname", lambda: "microscope")
    with whole(target) as unfinished:
        unfinished.write_text("first")
        monkeypatch.setattr("socket.gethostname", lambda: "workstation")
        remove_unfinished([target])
        assert unfinished.exists()
    unfinished.touch()
    monkeypatch.setattr("socket.gethostname", lambda: "microscope")
    remove_unfinished([target])
    assert os.listdir(tmp_path) == ["a.csv"]
