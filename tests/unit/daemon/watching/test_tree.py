"""What a sweep costs and what it finds: real files, a clock in our hands, every look at the disk counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.watching.readiness import Identity
from daemon.watching.tree import SweepPlan, Tree

PLAN = SweepPlan(hot_s=20.0, warm_folder_s=100.0, warm_file_s=50.0, relist_s=1000.0, folders=5, files=5)


class Costs:
    """Counts listings and looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listings = self.looks = 0
        scandir, stat = os.scandir, os.stat

        def counted_scandir(path: object) -> object:
            self.listings += 1
            return scandir(path)  # type: ignore[call-overload]

        def counted_stat(path: object, **options: object) -> os.stat_result:
            self.looks += 1
            return stat(path, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "scandir", counted_scandir)
        monkeypatch.setattr(os, "stat", counted_stat)

    def of_sweep(self, tree: Tree, now: float) -> tuple[int, int]:
        self.listings = self.looks = 0
        tree.sweep(now)
        return self.listings, self.looks


def filled(root: Path, folders: int, files: int) -> Path:
    for folder in range(folders):
        (root / f"day {folder}").mkdir()
        for number in range(files):
            (root / f"day {folder}" / f"{number}.tif").write_bytes(b"x")
    return root


def found(tree: Tree, now: float) -> list[str]:
    return sorted(sight.path.name for sight in tree.sweep(now))


def test_the_cost_of_a_sweep_does_not_grow_with_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = []
    for size in (20, 200):
        root = tmp_path / str(size)
        root.mkdir()
        tree = Tree(filled(root, size, 4), True, [], plan=PLAN)
        assert len(tree.sweep(0.0)) == 4 * size
        tree.sweep(150.0)
        with monkeypatch.context() as counted:
            costs.append(Costs(counted).of_sweep(tree, 200.0))
    assert costs[0] == costs[1]
    assert costs[1] == (0, 11), "nothing is listed; the root, five folders and five files in turn are looked at"


def test_a_new_file_in_an_old_folder_is_found_after_one_round(tmp_path: Path) -> None:
    tree = Tree(filled(tmp_path, 20, 1), True, [], plan=PLAN)
    tree.sweep(0.0)
    tree.sweep(150.0)
    (tmp_path / "day 7" / "new.tif").write_bytes(b"x")
    names = [name for sweep in range(5) for name in found(tree, 200.0 + sweep)]
    assert names == ["new.tif"]


def test_a_new_file_in_a_folder_in_use_is_found_at_once(tmp_path: Path) -> None:
    tree = Tree(filled(tmp_path, 20, 1), True, [], plan=PLAN)
    tree.sweep(0.0)
    (tmp_path / "day 19" / "new.tif").write_bytes(b"x")
    assert found(tree, 99.0) == ["new.tif"]


def test_a_file_that_is_written_in_place_is_found_at_once_while_it_is_young_else_in_turn(tmp_path: Path) -> None:
    tree = Tree(filled(tmp_path, 4, 5), True, [], plan=PLAN)
    tree.sweep(0.0)
    path = tmp_path / "day 3" / "4.tif"
    path.write_bytes(b"more")
    assert found(tree, 40.0) == ["4.tif"]
    for now in (41.0, 150.0):
        assert found(tree, now) == []
    path.write_bytes(b"and more")
    assert [name for sweep in range(5) for name in found(tree, 200.0 + sweep)] == ["4.tif"]


def test_a_folder_whose_time_stands_still_is_listed_all_the_same(tmp_path: Path) -> None:
    """Some disks do not keep the times of folders, and coarse clocks hide a change in the same tick."""
    tree = Tree(tmp_path, True, [], plan=PLAN)
    tree.sweep(0.0)
    times = tmp_path.stat()

    def put(name: str) -> None:
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path, ns=(times.st_atime_ns, times.st_mtime_ns))

    put("soon.tif")
    assert found(tree, 10.0) == ["soon.tif"]
    put("late.tif")
    assert found(tree, 500.0) == []
    assert found(tree, 1500.0) == ["late.tif"]


def test_folders_that_are_moved_in_moved_away_and_renamed(tmp_path: Path) -> None:
    root, aside = tmp_path / "in", tmp_path / "aside"
    root.mkdir()
    (aside / "deep" / "er").mkdir(parents=True)
    (aside / "deep" / "er" / "a.tif").write_bytes(b"x")
    tree = Tree(root, True, [], plan=PLAN)
    assert found(tree, 0.0) == []
    (aside / "deep").rename(root / "deep")
    assert found(tree, 1.0) == ["a.tif"]
    (root / "deep" / "er").rename(root / "other")
    assert found(tree, 2.0) == ["a.tif"], "under its new name it is another file"
    (root / "other").rename(aside / "other")
    assert found(tree, 3.0) == []
    assert len(tree) == 0
    (aside / "other").rename(root / "other")
    assert found(tree, 4.0) == ["a.tif"]


def test_what_was_known_before_is_not_reported_unless_it_is_different(tmp_path: Path) -> None:
    filled(tmp_path, 1, 3)
    same, other = tmp_path / "day 0" / "0.tif", tmp_path / "day 0" / "1.tif"
    known = {str(path): Identity(path.stat().st_size, path.stat().st_mtime_ns) for path in (same, other)}
    other.write_bytes(b"more")
    tree = Tree(tmp_path, True, [], plan=PLAN)
    tree.know(known)
    assert found(tree, 0.0) == ["1.tif", "2.tif"]


def test_what_is_forgotten_is_reported_again(tmp_path: Path) -> None:
    filled(tmp_path, 1, 2)
    tree = Tree(tmp_path, True, [], plan=PLAN)
    tree.sweep(0.0)
    tree.forget(tmp_path / "day 0" / "1.tif")
    assert found(tree, 1.0) == ["1.tif"]
    assert found(tree, 2.0) == []


def test_a_file_that_may_not_be_read_is_another_one_when_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tif").write_bytes(b"x")
    real = os.open

    def refused(path: object, *rest: object) -> int:
        raise PermissionError(13, "Permission denied")

    tree = Tree(tmp_path, True, [], plan=PLAN)
    with monkeypatch.context() as closed:
        closed.setattr(os, "open", refused)
        (sight,) = tree.sweep(0.0)
        assert not sight.identity.readable
    monkeypatch.setattr(os, "open", real)
    (sight,) = tree.sweep(1.0)
    assert sight.identity.readable
