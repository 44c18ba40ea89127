"""Walking an OLE2 compound file (the container of OIB), to see whether all that it speaks of is there.

The file is cut into sectors; a table (FAT) says for each sector which one follows. Libraries follow these chains
without looking, which never ends where a damaged chain runs in a circle. Source: Microsoft, [MS-CFB].
"""

from __future__ import annotations

import struct
from pathlib import Path

from storage.readers.bounded import BoundedFile, BrokenFileError

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAST_SECTOR, _NONE = 0xFFFFFFFA, 0xFFFFFFFE
_STREAM, _ROOT = 2, 5
_HEADER_DIFAT = 109


def check(path: Path) -> None:
    """Follow every chain of a compound file to its end.

    Raises
    ------
    BrokenFileError
        When a chain runs out of the file or in a circle, or it is no compound file.
    """
    with BoundedFile(path) as file:
        if file.size == 0:
            raise BrokenFileError("it is empty (0 bytes)")
        if file.at(0, min(8, file.size), "its header") != MAGIC:
            raise BrokenFileError("it is no OIB, whatever its name says")
        _Compound(file).check()


class _Compound:
    """Sector size and FAT of an open file."""

    def __init__(self, file: BoundedFile) -> None:
        self._file = file
        major, _, shift = file.unpack("<HHH", 26, "its header")
        if (major, shift) not in ((3, 9), (4, 12)):
            raise BrokenFileError(f"its header is damaged (version {major}, sectors of 2^{shift} bytes)")
        self._sector: int = 1 << shift
        self._major = major
        fields = file.unpack("<IIIIIIIII", 40, "its header")
        _, fat_sectors, self._directory, _, self._cutoff, mini_fat, mini_fat_sectors, difat, difat_sectors = fields
        self._fat = self._table(self._fat_places(fat_sectors, difat, difat_sectors))
        self._mini_fat = self._table(self._chain(mini_fat)[:mini_fat_sectors])

    def check(self) -> None:
        """Follow the directory and each stream of it."""
        entries = self._chain(self._directory)
        if not entries:
            raise BrokenFileError("it has no directory yet")
        for sector in entries:
            data = self._read(sector)
            for start in range(0, self._sector, 128):
                self._check_entry(data[start : start + 128])

    def _check_entry(self, entry: bytes) -> None:
        kind = entry[66]
        start, size = struct.unpack("<IQ", entry[116:128])
        size = size & 0xFFFFFFFF if self._major == 3 else size
        if kind == _ROOT or (kind == _STREAM and size >= self._cutoff):
            self._check_stream(start, size)
        elif kind == _STREAM and size and len(self._followed(start, self._mini_fat)) * 64 < size:
            raise BrokenFileError("it breaks off inside a short stream")

    def _check_stream(self, start: int, size: int) -> None:
        sectors = self._chain(start) if size else []
        if len(sectors) * self._sector < size:
            raise BrokenFileError(f"a stream of {size} bytes has only {len(sectors) * self._sector} of them")
        left = size
        for sector in sectors:
            end = self._offset(sector) + min(self._sector, max(left, 0))
            if end > self._file.size:
                raise BrokenFileError(f"it breaks off: a stream should end at byte {end} of {self._file.size}")
            left -= self._sector

    def _fat_places(self, count: int, difat: int, difat_sectors: int) -> list[int]:
        """Return the sectors that hold the FAT: 109 in the header, the others in a chain of their own."""
        places = list(self._file.unpack(f"<{_HEADER_DIFAT}I", 76, "its header"))
        seen: set[int] = set()
        while len(places) < count and difat_sectors and difat < _LAST_SECTOR:
            if difat in seen:
                raise BrokenFileError("the list of its table runs in a circle")
            seen.add(difat)
            *more, difat = struct.unpack(f"<{self._sector // 4}I", self._read(difat))
            places += more
        if count > len(places) or count * self._sector > self._file.size:
            raise BrokenFileError(f"its table should have {count} sectors")
        return places[:count]

    def _table(self, sectors: list[int]) -> list[int]:
        data = b"".join(self._read(sector) for sector in sectors)
        return list(struct.unpack(f"<{len(data) // 4}I", data))

    def _chain(self, start: int) -> list[int]:
        return self._followed(start, self._fat)

    @staticmethod
    def _followed(start: int, table: list[int]) -> list[int]:
        """Return the sectors of a chain."""
        found: list[int] = []
        seen: set[int] = set()
        while start < _NONE:
            if start >= len(table):
                raise BrokenFileError("a chain of its sectors runs out of the file")
            if start in seen:
                raise BrokenFileError("a chain of its sectors runs in a circle")
            seen.add(start)
            found.append(start)
            start = table[start]
        return found

    def _offset(self, sector: int) -> int:
        return (sector + 1) * self._sector

    def _read(self, sector: int) -> bytes:
        return self._file.at(self._offset(sector), self._sector, "a sector")
