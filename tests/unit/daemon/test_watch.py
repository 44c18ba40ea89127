"""Watched folders: events are hints, the rescan is the truth, a root that is gone is offline."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.watch import FolderWatch, is_unfinished_name, walk


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


def names(root: Path, **options: object) -> list[str]:
    watch = FolderWatch(root, recursive=bool(options.get("recursive", True)), excluded=[], events=False)
    return [str(path.relative_to(root)) for path in watch.scan().paths]


def test_a_scan_finds_everything_in_order_but_what_is_unfinished(root: Path) -> None:
    assert names(root) == ["a.tif", "b.tif", "day 1/c.tif", "line\nend.tif"]


def test_folders_inside_only_when_wanted(root: Path) -> None:
    assert names(root, recursive=False) == ["a.tif", "b.tif", "line\nend.tif"]


def test_outputs_are_never_entered(root: Path) -> None:
    assert [p.name for p in walk(root, True, [root / "day 1"])] == ["a.tif", "b.tif", "line\nend.tif"]


def test_a_store_is_one_path(root: Path) -> None:
    (root / "s.ome.zarr" / "0").mkdir(parents=True)
    (root / "s.ome.zarr" / "0" / "x.tif").write_bytes(b"x")
    assert names(root)[-1] == "s.ome.zarr"


def test_loops_of_links_end(root: Path) -> None:
    os.symlink(root, root / "day 1" / "loop")
    assert names(root)[:4] == ["a.tif", "b.tif", "day 1/c.tif", "day 1/loop"]


def test_a_folder_that_cannot_be_listed_hides_nothing_else(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: os.PathLike[str]) -> object:
        if str(path).endswith("day 1"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(root) == ["a.tif", "b.tif", "line\nend.tif"]


def test_a_root_that_vanished_is_offline_and_comes_back(root: Path) -> None:
    watch = FolderWatch(root, recursive=True, excluded=[], events=False)
    away = root.with_name("away")
    root.rename(away)
    assert not watch.scan().online
    assert watch.scan().paths == ()
    away.rename(root)
    assert watch.scan().online
    assert len(watch.scan().paths) == 4


def test_events_are_hints_to_files(root: Path) -> None:
    watch = FolderWatch(root, recursive=True, excluded=[root / "out"], events=True)
    try:
        watch.scan()
        (root / "out").mkdir()
        (root / "out" / "own.tif").write_bytes(b"x")
        (root / ".e.tif.part").write_bytes(b"x")
        (root / ".e.tif.part").rename(root / "e.tif")
        seen: set[Path] = set()

        def arrived() -> bool:
            seen.update(watch.hints())
            return root / "e.tif" in seen

        assert wait_until(arrived)
        assert seen == {root / "e.tif"}
    finally:
        watch.stop()


def test_a_dead_observer_is_replaced_at_the_next_scan(root: Path) -> None:
    watch = FolderWatch(root, recursive=True, excluded=[], events=True)
    try:
        watch.scan()
        assert watch._observer is not None
        watch._observer.stop()
        watch._observer.join()
        watch.scan()
        (root / "new.tif").write_bytes(b"x")
        assert wait_until(lambda: root / "new.tif" in watch.hints())
    finally:
        watch.stop()


@pytest.mark.parametrize("name", [".a.tif", "a.tif.part", "a.tmp", "~$a.tif", "a.tif~", "A.TIF.PART"])
def test_names_of_copies_under_way(name: str) -> None:
    assert is_unfinished_name(name)
    assert not is_unfinished_name("a.tif")
