"""Files that appear only when they are whole, and what is left of those that never were."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import socket
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PART = re.compile(r"\.(.+)\.(\d+)-([0-9a-f]{8})\.part(?:\..*)?")
MANY = 1000  # files of a folder: more go to the disk together
_LONGEST = 255 - len(f"..{2**32}-{2**32 - 1:x}.part")  # bytes
_NOT_SYNCED = (errno.EINVAL, errno.ENOTSUP, errno.EACCES)  # the last: a folder to write into, but not to read


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give where to write a file, which comes to its place when all is on the disk; otherwise nothing of it is left.

    A power cut leaves the file that was there before or, once this has ended, the new one. Another process or thread
    that writes the same file at the same time writes its own, and the last one stays.
    """
    unfinished = part_of(target)
    try:
        yield unfinished
        sync(unfinished)
        os.replace(unfinished, target)
        sync_names(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file, or a folder with all that it holds, to the disk.

    Of many files each would wait for the disk in turn: they go with all else that waits to be written, at once.
    """
    if not path.is_dir():
        _sync_file(path)
        return
    inside = list(path.rglob("*"))
    if len(inside) > MANY:
        os.sync()
        return
    for each in inside:
        (sync_names if each.is_dir() else _sync_file)(each)
    sync_names(path)


def _sync_file(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def sync_names(folder: Path) -> None:
    """Bring the names in a folder to the disk, where it lets one: some shares know no such thing."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise


def part_of(target: Path, ending: str = "") -> Path:
    """Where this thread writes a file: the name says which thread, of a process its first, of which computer.

    It has an `ending` where what writes the file goes by that.
    """
    called = _called(target, ending)
    return target.with_name(f".{called}.{threading.get_native_id()}-{_computer()}.part{ending}")


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _called(target: Path, ending: str = "") -> str:
    """What stands for a file in the name of its unfinished one: its name, of one that would be too long a checksum."""
    name = os.fsencode(target.name)
    return target.name if len(name) <= _LONGEST - len(os.fsencode(ending)) else f"{zlib.crc32(name):08x}"


def _computer() -> str:
    return f"{zlib.crc32(os.fsencode(socket.gethostname())):08x}"


def remove_unfinished(targets: Iterable[Path]) -> None:
    """Remove what killed processes of this computer left of these files, or folders; of others nobody knows whether
    they write."""
    given = list(targets)
    wanted = {(target.parent, _called(target, ending)) for target in given for ending in ("", "".join(target.suffixes))}
    for folder in {parent for parent, _ in wanted}:
        with contextlib.suppress(OSError):  # of a disk that is gone nothing can be removed
            for path in folder.glob(".*.part*"):
                part = _PART.fullmatch(path.name)
                if part is None or (folder, part[1]) not in wanted or part[3] != _computer():
                    continue
                if not _lives(int(part[2])):
                    remove(path)


def _lives(thread: int) -> bool:
    try:
        os.kill(thread, 0)  # which finds a process by any of its threads
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
