"""A folder in the place of another one, on disks that exchange two names in one step and on those that cannot."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from storage.errors import StoreTakenError
from storage.omezarr.disks import exchange
from storage.omezarr.disks.exchange import MANIFEST, appear, make_folders, replace_folder, write_manifest

NEW = {"a": "new", "in/b": "new", "more/and/more/e": "new"}
OLD = {"a": "old", "in/c": "old", "in/deep/d": "old"}


def folder(place: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    return place


def content(place: Path) -> dict[str, str]:
    files = [path for path in place.rglob("*") if path.is_file()]
    return {str(path.relative_to(place)): path.read_text(encoding="utf-8") for path in files}


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """What waits, with its manifest."""
    made = folder(tmp_path / "waiting" / "new", NEW)
    write_manifest(made)
    return made


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return folder(tmp_path / "old", OLD)


def refusing(code: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """A system call that fails so."""
    asked: list[tuple[object, ...]] = []

    def rename(*given: object) -> int:
        asked.append(given)
        ctypes.set_errno(code)
        return -1

    def library(name: None, use_errno: bool) -> SimpleNamespace:
        assert use_errno, "without it, nobody learns why it failed"
        return SimpleNamespace(renameat2=rename)

    monkeypatch.setattr(ctypes, "CDLL", library)
    return asked


def test_a_manifest_lists_the_files_and_not_itself(new: Path) -> None:
    assert write_manifest(new) == new / MANIFEST
    assert (new / MANIFEST).read_text(encoding="utf-8").splitlines() == sorted(NEW)
    empty = write_manifest(new / "absent" / "deep")
    assert empty.read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("place", ["place", "further/place", "further/and/further/place"])
def test_where_there_is_nothing_yet_the_folder_takes_its_place(new: Path, tmp_path: Path, place: str) -> None:
    replace_folder(new, tmp_path / place)
    assert content(tmp_path / place) == NEW
    assert not new.exists()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were brought to the disk."""
    folders: list[Path] = []
    real = os.fsync

    def noted(handle: int) -> None:
        folders.append(Path(os.readlink(f"/proc/self/fd/{handle}")))
        real(handle)

    monkeypatch.setattr(os, "fsync", noted)
    return folders


def test_a_folder_appears_where_nothing_is_and_stays_there(new: Path, tmp_path: Path, synced: list[Path]) -> None:
    appear(new, tmp_path / "place")
    assert content(tmp_path / "place").keys() == {*NEW, MANIFEST}
    assert (new.exists(), synced) == (False, [tmp_path])


def test_a_folder_that_comes_too_late_is_removed_and_nothing_is_touched(new: Path, old: Path) -> None:
    with pytest.raises(StoreTakenError, match="something else appeared"):
        appear(new, old)
    assert (content(old), new.exists()) == (OLD, False)


def test_a_folder_that_cannot_appear_for_another_reason_is_not_removed(new: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        appear(new, tmp_path / "absent" / "place")
    assert content(new).keys() == {*NEW, MANIFEST}


def test_new_folders_are_on_the_disk_with_those_around_them(tmp_path: Path, synced: list[Path]) -> None:
    make_folders(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert set(synced) == {tmp_path, tmp_path / "a"}
    synced.clear()
    make_folders(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path / "a" / "b"]
    synced.clear()
    make_folders(tmp_path / "a" / "b" / "c")
    assert synced == []


def test_what_lies_there_gives_way(new: Path, old: Path) -> None:
    replace_folder(new, old)
    assert content(old) == NEW
    assert not new.exists()


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM])
def test_a_disk_that_does_not_offer_it_gets_file_by_file(
    new: Path, old: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    asked = refusing(code, monkeypatch)
    replace_folder(new, old)
    assert asked == [(-100, os.fsencode(new), -100, os.fsencode(old), 2)]
    assert content(old) == NEW
    assert not new.exists()


def test_a_system_that_does_not_know_it_gets_file_by_file(
    new: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: SimpleNamespace())
    replace_folder(new, old)
    assert content(old) == NEW
    assert not new.exists()


def test_a_disk_that_fails_is_told_and_nothing_is_lost(new: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(errno.EIO, monkeypatch)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)) as told:
        replace_folder(new, old)
    assert (told.value.errno, told.value.filename) == (errno.EIO, str(old))
    assert (content(old), content(new) | {MANIFEST: ""}) == (OLD, {**NEW, MANIFEST: ""})


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_what_a_crash_left_half_done_is_completed(
    new: Path, old: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    """Some files are in their place already, and are not looked for again."""
    monkeypatch.setattr(exchange, "_exchange", lambda one, other: False)
    for name in sorted(NEW)[:moved]:
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(new / name, old / name)
    replace_folder(new, old)
    assert content(old) == NEW
    assert not new.exists()


def test_a_crash_after_the_exchange_leaves_nothing_of_the_former_files(new: Path, old: Path) -> None:
    """The manifest has travelled with the new files; what waits now are the old ones."""
    os.rename(new, old.with_name("third"))
    os.rename(old, new)
    os.rename(old.with_name("third"), old)
    replace_folder(new, old)
    assert content(old) == NEW
    assert not new.exists()
    replace_folder(new, old)
    assert content(old) == NEW, "doing it again changes nothing"


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders that could not be removed: whoever holds a file in them open may prevent it."""
    kept: list[Path] = []

    def remove(folder: Path, ignore_errors: bool = False) -> None:
        kept.append(folder)
        if not ignore_errors:
            raise OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(exchange.shutil, "rmtree", remove)
    return kept


def test_what_cannot_be_removed_hides_nothing_of_what_was_done(new: Path, old: Path, stubborn: list[Path]) -> None:
    with pytest.raises(StoreTakenError):
        appear(new, old)
    replace_folder(new, old)
    assert content(old) == NEW
    assert stubborn == [new, new]


def test_folders_are_brought_to_the_disk_and_let_go_of(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    make_folders(tmp_path / "a" / "b" / "c")
    assert os.listdir("/proc/self/fd") == before
