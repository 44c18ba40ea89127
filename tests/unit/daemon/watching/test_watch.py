"""Watched folders: events are hints, the rescan is the truth, a root that is gone is offline."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.watching.tree import is_unfinished_name
from daemon.watching.watch import FolderWatch
from storage.connection.filesystems import Mount


def wait_until(found: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Events come from another thread: look until they are there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "day 1").mkdir(parents=True)
    for name in ("b.tif", "a.tif", "day 1/c.tif", ".hidden.tif", "d.tif.part", "line\nend.tif"):
        (folder / name).write_bytes(b"x")
    return folder


def watching(root: Path, recursive: bool = True, excluded: list[Path] | None = None) -> FolderWatch:
    return FolderWatch(root, recursive, excluded or [], events=False, rescan_s=1.0)


def names(watch: FolderWatch, now: float = 0.0) -> list[str]:
    return sorted(str(sight.path.relative_to(watch.root)) for sight in watch.sights(now))


def test_the_first_look_finds_everything_but_what_is_unfinished_or_no_image(root: Path) -> None:
    (root / "notes.txt").write_bytes(b"x")
    assert names(watching(root)) == ["a.tif", "b.tif", "day 1/c.tif", "line\nend.tif"]


def test_folders_inside_only_when_wanted(root: Path) -> None:
    assert names(watching(root, recursive=False)) == ["a.tif", "b.tif", "line\nend.tif"]


def test_outputs_are_never_entered_under_whatever_name(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    os.symlink(root / "day 1", out)  # the same folder by another name
    for excluded in (root / "day 1", out):
        assert names(watching(root, excluded=[excluded])) == ["a.tif", "b.tif", "line\nend.tif"]


def test_a_store_is_one_path(root: Path) -> None:
    (root / "s.ome.zarr" / "0").mkdir(parents=True)
    (root / "s.ome.zarr" / "0" / "x.tif").write_bytes(b"x")
    assert names(watching(root))[-1] == "s.ome.zarr"


def test_a_series_of_planes_is_seen_as_the_file_that_stands_for_them(root: Path) -> None:
    planes = root / "day 1" / "x.oif.files"
    planes.mkdir()
    watch = watching(root)
    names(watch)
    for number in range(3):
        (planes / f"s_Z{number:03d}.tif").write_bytes(b"x")
    assert names(watch, 1.0) == ["day 1/x.oif"], "that it is not there is said in the end"
    (root / "day 1" / "x.oif").write_bytes(b"x")
    assert names(watch, 2.0) == ["day 1/x.oif"]
    (planes / "s_Z003.tif").write_bytes(b"x")
    assert names(watch, 3.0) == ["day 1/x.oif"]


def test_loops_of_links_end(root: Path) -> None:
    os.symlink(root, root / "day 1" / "loop")
    os.symlink("self.tif", root / "self.tif")
    assert names(watching(root)) == ["a.tif", "b.tif", "day 1/c.tif", "line\nend.tif"]


def test_odd_names_are_seen_as_they_are(root: Path) -> None:
    odd = [b"\xff\xfe.tif", "\u5206\u88c2 \N{MICRO SIGN}.tif".encode(), b"x" * 251 + b".tif", b"tab\t.tif"]
    for name in odd:
        Path(os.fsdecode(os.path.join(os.fsencode(root), name))).write_bytes(b"x")
    seen = {os.fsencode(sight.path.name) for sight in watching(root).sights(0.0)}
    assert set(odd) <= seen


def test_a_folder_that_cannot_be_listed_hides_nothing_else(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: os.PathLike[str]) -> object:
        if str(path).endswith("day 1"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(watching(root)) == ["a.tif", "b.tif", "line\nend.tif"]


def test_a_root_that_vanished_is_offline_and_comes_back(root: Path) -> None:
    watch = watching(root)
    assert len(names(watch)) == 4
    away = root.with_name("away")
    root.rename(away)
    assert names(watch, 1.0) == []
    assert not watch.online
    (away / "new.tif").write_bytes(b"x")
    away.rename(root)
    assert names(watch, 2.0) == ["new.tif"], "what was known is not new"
    assert watch.online


SHARE = Mount("/mnt/share", "cifs", "//server/share /")
DISK = Mount("/mnt/usb", "ext4", "/dev/sdb1 /", fsid=1)


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (SHARE, Mount("/", "ext4", "/dev/sda1 /", fsid=7), "//server/share (cifs) was mounted at /mnt/share"),
        (SHARE, replace(SHARE, source="//server/other /"), "another disk or share (//server/other (cifs))"),
        (DISK, replace(DISK, source="/dev/sdb1 /", fsid=2), "another disk or share"),
    ],
    ids=["unmounted", "another share", "another disk"],
)
def test_a_root_on_another_mount_is_offline_whatever_lies_there(
    root: Path, monkeypatch: pytest.MonkeyPatch, before: Mount, now: Mount, reason: str
) -> None:
    present = before
    monkeypatch.setattr("daemon.watching.watch.Mount.of", lambda path: present)
    watch = watching(root)
    assert names(watch)
    assert watch.mount == before
    present = now
    (root / "lost+found").mkdir()
    assert names(watch, 1.0) == []
    assert reason in (watch.offline_reason or "")
    present = replace(before, source="/dev/sdc1 /") if before is DISK else before  # plugged in elsewhere, the same disk
    assert names(watch, 2.0) == []
    assert watch.online


def test_whatever_is_mounted_there_is_taken_when_a_person_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    present = SHARE
    monkeypatch.setattr("daemon.watching.watch.Mount.of", lambda path: present)
    watch = watching(root)
    names(watch)
    present = DISK
    names(watch, 1.0)
    assert not watch.online
    watch.mount = None
    names(watch, 2.0)
    assert watch.online
    assert watch.mount == DISK


def test_a_root_that_is_emptied_on_the_same_disk_is_online(root: Path) -> None:
    watch = watching(root)
    names(watch)
    shutil.rmtree(root)
    root.mkdir()
    assert names(watch, 1.0) == []
    assert watch.online


def test_a_root_that_is_empty_is_offline_where_nobody_knows_what_was_mounted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.watching.watch.Mount.of", lambda path: None)
    watch = watching(root)
    names(watch)
    away = root.with_name("away")
    root.rename(away)
    root.mkdir()
    assert names(watch, 1.0) == []
    assert "is the share mounted?" in (watch.offline_reason or "")
    root.rmdir()
    away.rename(root)
    assert names(watch, 2.0) == []
    assert watch.online


def test_a_folder_that_was_empty_from_the_start_is_online(tmp_path: Path) -> None:
    watch = watching(tmp_path)
    names(watch)
    names(watch, 1.0)
    assert watch.online


def test_a_stale_handle_is_offline(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watching(root)
    names(watch)

    def scandir(path: object) -> object:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as broken:
        broken.setattr(os, "scandir", scandir)
        assert names(watch, 1.0) == []
        assert watch.offline_reason == "Stale file handle"
    names(watch, 2.0)
    assert watch.online


def test_events_are_hints_to_files(root: Path) -> None:
    watch = FolderWatch(root, recursive=True, excluded=[root / "out"], events=True, rescan_s=1000.0)
    try:
        watch.sights(0.0)
        (root / "out").mkdir()
        (root / "out" / "own.tif").write_bytes(b"x")
        (root / ".e.tif.part").write_bytes(b"x")
        (root / ".e.tif.part").rename(root / "e.tif")
        seen: set[Path] = set()

        def arrived() -> bool:
            seen.update(sight.path for sight in watch.sights(1.0))
            return root / "e.tif" in seen

        assert wait_until(arrived)
        assert seen == {root / "e.tif"}
    finally:
        watch.stop()


def test_a_dead_observer_is_replaced_at_the_next_scan(root: Path) -> None:
    watch = FolderWatch(root, recursive=True, excluded=[], events=True, rescan_s=1000.0)
    try:
        watch.sights(0.0)
        assert watch._observer is not None
        watch._observer.stop()
        watch._observer.join()
        watch.sights(1000.0)
        (root / "new.tif").write_bytes(b"x")
        assert wait_until(lambda: root / "new.tif" in [sight.path for sight in watch.sights(1001.0)])
    finally:
        watch.stop()


@pytest.mark.parametrize("name", [".a.tif", "a.tif.part", "a.tmp", "~$a.tif", "a.tif~", "A.TIF.PART"])
def test_names_of_copies_under_way(name: str) -> None:
    assert is_unfinished_name(name)
    assert not is_unfinished_name("a.tif")
