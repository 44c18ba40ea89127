"""Short texts that change when the content of a time point does, whatever clocks say, at the cost of some samples.

A fingerprint is made of blocks that lie evenly over the bytes of each plane, and of how many bytes there are. Where
they lie in the file, and when that was written, does not count: a copy has the fingerprints of its original.

Versions before wrote other texts, with times and places in them (`file_fingerprint`, and the ones of some readers).
These are still made, and compared with what is stored from then, so that nothing is done again after an upgrade.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from storage.errors import StorageError

VERSION = "content1-"  # how the texts begin that are made now
BLOCK_BYTES, BLOCK_DISTANCE = 4096, 262_144
FEWEST_BLOCKS, MOST_BLOCKS = 3, 256
FORMER_BYTES = 65_536  # at each end of a file
_FORMER_FILE = re.compile(r"(?P<size>\d+)-\d+-(?P<ends>[0-9a-f]{32})")


@dataclass(frozen=True)
class Extent:
    """A run of bytes in a file (or in a stream inside one, by its name)."""

    file: str
    offset: int
    length: int


class Bytes(Protocol):
    """What gives the bytes of a file, as they are now."""

    def read(self, file: str, offset: int, length: int) -> bytes:
        """Return the bytes, fewer where the file ends before."""
        ...


class FreshFiles:
    """Files that are opened at their paths now, whatever lay there before."""

    def __init__(self) -> None:
        self._open: dict[str, BinaryIO] = {}

    def read(self, file: str, offset: int, length: int) -> bytes:
        """Return the bytes, fewer where the file ends before.

        Raises
        ------
        StorageError
            When the file is gone or cannot be read.
        """
        try:
            if file not in self._open:
                self._open[file] = open(file, "rb", buffering=0)  # noqa: SIM115  # closed by `__exit__`
            self._open[file].seek(offset)
            return self._open[file].read(length)
        except OSError as error:
            raise gone(file, error) from error
        except (OverflowError, ValueError):  # no file is as long as the place that it claims
            return b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._open.values():
            file.close()


def gone(path: object, error: OSError) -> StorageError:
    """Return what is said of a file that cannot be read any more."""
    return StorageError(f"{path} can no longer be read ({error.strerror or error}): bring it back, then retry.")


def of_content(planes: Iterable[Sequence[Extent]], source: Bytes) -> str:
    """Return the fingerprint of planes, each given by the runs of bytes that hold it, in order."""
    digest = hashlib.blake2b(digest_size=16)
    for extents in planes:
        total = sum(extent.length for extent in extents)
        digest.update(f"{total} ".encode())
        for extent, offset, length in _blocks(extents, total):
            digest.update(source.read(extent.file, extent.offset + offset, length))
    return f"{VERSION}{digest.hexdigest()}"


def of_files(paths: Iterable[Path]) -> str:
    """Return the fingerprint of whole files.

    Raises
    ------
    StorageError
        When one is gone or cannot be read.
    """
    extents = []
    for path in paths:
        try:
            extents.append([Extent(str(path), 0, path.stat().st_size)])
        except OSError as error:
            raise gone(path, error) from error
    with FreshFiles() as files:
        return of_content(extents, files)


def is_former(text: str | None) -> bool:
    """Say whether a fingerprint was made by a version before."""
    return text is not None and not text.startswith(VERSION)


def same_content(stored: str | None, present: str, former: str | None) -> bool:
    """Say whether a stored fingerprint is that of what lies there now.

    Parameters
    ----------
    stored : what was written down, by this version or one before
    present : what this version says now
    former : what the version before would say now, where that can be known
    """
    if stored is None or stored == present or not is_former(stored) or former is None:
        return stored == present
    told, now = _FORMER_FILE.fullmatch(stored), _FORMER_FILE.fullmatch(former)
    if told is not None and now is not None:  # all but the time of change
        return (told["size"], told["ends"]) == (now["size"], now["ends"])
    return stored == former


def _blocks(extents: Sequence[Extent], total: int) -> list[tuple[Extent, int, int]]:
    """Return (extent, offset in it, bytes) of what is looked at."""
    count = min(max(FEWEST_BLOCKS, math.ceil(total / BLOCK_DISTANCE)), MOST_BLOCKS)
    if total <= count * BLOCK_BYTES:
        return [(extent, 0, extent.length) for extent in extents]
    found, passed, i = [], 0, 0
    for number in range(count):
        where = number * (total - BLOCK_BYTES) // (count - 1)
        while where >= passed + extents[i].length:
            passed, i = passed + extents[i].length, i + 1
        inside = where - passed
        found.append((extents[i], inside, min(BLOCK_BYTES, extents[i].length - inside)))
    return found


# As versions before did it


def file_fingerprint(path: Path) -> str:
    """Return the former fingerprint of one file: size, time of change, and a hash of its first and last 64 KiB.

    Raises
    ------
    StorageError
        When the file is gone or cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            status = path.stat()
            digest.update(file.read(FORMER_BYTES))
            if status.st_size > FORMER_BYTES:
                file.seek(max(FORMER_BYTES, status.st_size - FORMER_BYTES))
                digest.update(file.read(FORMER_BYTES))
    except OSError as error:
        raise gone(path, error) from error
    return f"{status.st_size}-{status.st_mtime_ns}-{digest.hexdigest()}"


def fingerprint(paths: Iterable[Path]) -> str:
    """Return the former fingerprint of several files; for a single one it is that file's own."""
    parts = [file_fingerprint(path) for path in paths]
    if len(parts) == 1:
        return parts[0]
    return f"{len(parts)}-{hashlib.blake2b('|'.join(parts).encode(), digest_size=16).hexdigest()}"


def of_page_starts(pages: Iterable[tuple[str, Sequence[Extent]]], source: Bytes) -> str:
    """Return the former fingerprint of a time point in a file of many: where its planes are, and how they begin.

    Parameters
    ----------
    pages : a text that goes before, and the runs of bytes, of each plane
    """
    digest = hashlib.blake2b(digest_size=16)
    for text, extents in pages:
        total = sum(extent.length for extent in extents)
        digest.update(text.encode())
        if extents:
            digest.update(source.read(extents[0].file, extents[0].offset, min(total, BLOCK_BYTES)))
    return f"pages-{digest.hexdigest()}"
