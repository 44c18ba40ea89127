"""Files that appear only when they are whole, and what is left of others."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from storage.files import whole_file
from storage.files.whole_file import part_of, remove_unfinished, sync, whole


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


def test_the_longest_names_that_there_are_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("ä" * 125 + ".tif")
    with whole(target) as unfinished:
        unfinished.write_text("first")
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    left = tmp_path / unfinished.name.replace(str(os.getpid()), str(dead.pid), 1)
    left.touch()
    remove_unfinished([target])
    assert os.listdir(tmp_path) == [target.name]


@pytest.mark.parametrize("length", [200, 216, 218, 220, 222, 251])
@pytest.mark.parametrize("ending", ["", ".tif"])
def test_names_of_every_length_are_found_again_with_an_ending_or_without(
    tmp_path: Path, length: int, ending: str
) -> None:
    target = tmp_path / ("a" * length + ".tif")
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    left = tmp_path / part_of(target, ending).name.replace(str(os.getpid()), str(dead.pid), 1)
    left.touch()
    assert left.name.endswith(ending)
    remove_unfinished([target])
    assert os.listdir(tmp_path) == []


def test_threads_that_write_the_same_file_write_each_its_own(tmp_path: Path) -> None:
    target, both = tmp_path / "a.csv", threading.Barrier(2, timeout=20)

    def write(text: str) -> None:
        with whole(target) as unfinished:
            unfinished.write_text(text)
            both.wait()
            remove_unfinished([target])
            assert unfinished.read_text() == text

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, ["first", "second"]))
    assert os.listdir(tmp_path) == ["a.csv"]
    assert target.read_text() in ("first", "second")


def test_all_of_a_file_is_on_the_disk_before_it_comes_to_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a power cut would leave an empty one there, which looks whole."""
    target, synced = tmp_path / "a.csv", list[tuple[str, bool]]()

    def fsync(number: int) -> None:
        synced.append((Path(f"/proc/self/fd/{number}").readlink().name, target.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with whole(target) as unfinished:
        unfinished.write_text("first")
    assert synced == [(unfinished.name, False), (tmp_path.name, True)], "the file, then its name"
    assert target.read_text() == "first"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_a_folder_that_cannot_be_synced_is_no_fault_and_a_broken_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fsync(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().is_dir():
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    told = pytest.raises(OSError, match="output") if number == errno.EIO else nullcontext()
    with told, whole(tmp_path / "a.csv") as unfinished:
        unfinished.write_text("first")
    assert (os.listdir(tmp_path), (tmp_path / "a.csv").read_text()) == (["a.csv"], "first")


def test_what_processes_of_another_computer_write_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers of processes tell nothing there."""
    target = tmp_path / "a.csv"
    monkeypatch.setattr(threading, "get_native_id", lambda: 10**30)  # nobody's
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


def test_many_files_of_a_folder_go_to_the_disk_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"fsync": 0, "sync": 0}
    monkeypatch.setattr(os, "fsync", lambda number: calls.update(fsync=calls["fsync"] + 1))
    monkeypatch.setattr(os, "sync", lambda: calls.update(sync=calls["sync"] + 1))
    monkeypatch.setattr(whole_file, "MANY", 3)
    for name in ("a", "b"):
        (tmp_path / "inside").mkdir(exist_ok=True)
        (tmp_path / "inside" / name).touch()
    sync(tmp_path)
    assert calls == {"fsync": 4, "sync": 0}, "two files, two folders"
    (tmp_path / "c").touch()
    sync(tmp_path)
    assert calls == {"fsync": 4, "sync": 1}
