"""Files that appear only when they are whole, and what is left of those that never were."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PART = re.compile(r"\.(.+)\.(\d+)-([0-9a-f]{8})\.part")
_NOT_SYNCED = (errno.EINVAL, errno.ENOTSUP, errno.EACCES)  # the last: a folder to write into, but not to read


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give where to write a file, which comes to its place when all is on the disk; otherwise nothing of it is left.

    A power cut leaves the file that was there before or, once this has ended, the new one. Another process that writes
    the same file at the same time writes its own, and the last one stays.
    """
    unfinished = part_of(target)
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, target)
        _sync_names(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _sync_names(folder: Path) -> None:
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


def part_of(target: Path) -> Path:
    """Where this process writes a file: the name says which process of which computer."""
    return target.with_name(f".{target.name}.{os.getpid()}-{_computer()}.part")


def _computer() -> str:
    return f"{zlib.crc32(os.fsencode(socket.gethostname())):08x}"


def remove_unfinished(targets: Iterable[Path]) -> None:
    """Remove what killed processes of this computer left of these files; of others nobody knows whether they write."""
    wanted = set(targets)
    for folder in {target.parent for target in wanted}:
        with contextlib.suppress(OSError):  # of a disk that is gone nothing can be removed
            for path in folder.glob(".*.part"):
                part = _PART.fullmatch(path.name)
                if part is None or folder / part[1] not in wanted or part[3] != _computer():
                    continue
                if not _lives(int(part[2])):
                    path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
