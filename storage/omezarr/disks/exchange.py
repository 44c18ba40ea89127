"""Putting a folder in place of another one, so that whoever reads meanwhile sees little of the change."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from pathlib import Path

from storage.errors import StoreTakenError

# Lies in a folder that waits to replace another one, and lists its files; it travels with the folder.
MANIFEST = ".replacement"

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NOT_OFFERED = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})


def write_manifest(folder: Path) -> Path:
    """Note in a folder, made if it is not there, which files it holds; return the note's path."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    note = folder / MANIFEST
    note.write_text("\n".join(name for name in names if name != MANIFEST), encoding="utf-8")
    return note


def appear(new: Path, place: Path) -> None:
    """Let a folder that is whole and on the disk appear at its place, in one step, unless something lies there.

    Raises
    ------
    StoreTakenError
        When somebody else was first: `new` is removed.
    """
    try:
        os.rename(new, place)  # never onto a folder that holds anything
    except OSError:
        if not place.exists():
            raise
        shutil.rmtree(new, ignore_errors=True)
        raise StoreTakenError(f"At {place} something else appeared just now: it is left alone.") from None
    _sync(place.parent)


def make_folders(folder: Path) -> None:
    """Make a folder, and those around it, so that they are there after a power cut."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in new:
        _sync(one.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_folder(new: Path, old: Path) -> None:
    """Put `new`, which carries a manifest, in the place of `old`; doing it again after a crash completes it.

    Where the file system can exchange two names (ext4, xfs, btrfs, tmpfs), the old files give way to the new ones in
    one step. On shares that cannot, each file is replaced on its own: readers see whole files, of both kinds for a
    moment, and none is missing.
    """
    if (new / MANIFEST).exists():
        if not old.exists():
            old.parent.mkdir(parents=True, exist_ok=True)
            os.rename(new, old)
        elif not _exchange(new, old):
            _replace_files(new, old)
    # Else a crash came after that. The note in `old` goes last: it tells that `new` holds the former files.
    shutil.rmtree(new, ignore_errors=True)
    (old / MANIFEST).unlink(missing_ok=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system or the disk cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_OFFERED:
        return False
    raise OSError(code, os.strerror(code), str(other))


def _replace_files(new: Path, old: Path) -> None:
    names = set((new / MANIFEST).read_text(encoding="utf-8").splitlines())
    for name in sorted(names):
        if (new / name).exists():  # else a crash came after this one
            (old / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(new / name, old / name)
    for path in list(old.rglob("*")):
        if path.is_file() and str(path.relative_to(old)) not in names:
            path.unlink()
