"""Walking the chain of pages of a TIFF, to see whether every byte that it speaks of is there.

Libraries open a TIFF that was cut short without complaint, as an image with fewer planes. The chain does not lie: the
header points to the first page, each page to its pixels and to the next page, the last one to nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES = 273, 279, 324, 325
WIDTH, HEIGHT, BITS, COMPRESSION, DESCRIPTION, SAMPLES = 256, 257, 258, 259, 270, 277
NEW_SUBFILE_TYPE, REDUCED_IMAGE = 254, 1
LSM_INFO, LSM_INFO_BYTES = 34412, 512  # of what Zeiss LSM says, as much as is looked at
WANTED = frozenset(
    {
        STRIP_OFFSETS,
        STRIP_BYTES,
        TILE_OFFSETS,
        TILE_BYTES,
        WIDTH,
        HEIGHT,
        BITS,
        COMPRESSION,
        DESCRIPTION,
        SAMPLES,
        NEW_SUBFILE_TYPE,
    }
)
TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
INTEGER_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


class BrokenChainError(Exception):
    """Internal: the walk met something that a whole file does not have."""


@dataclass(frozen=True)
class Chain:
    """What the walk saw.

    Attributes
    ----------
    pages : int
        Full pages whose pixels are all there (reduced copies of a pyramid not counted).
    fault : str or None
        Why the file is not whole; None when the chain ends properly.
    description : str
        The first page's description: OME-XML, ImageJ's lines, or anything.
    page_bytes : int
        Bytes of the first page's pixels, uncompressed.
    page_pixels : int
        Pixels times samples of the first page.
    data_offset : int
        Where the first page's pixels begin.
    file_bytes : int
    lsm : bytes
        What a Zeiss LSM says about itself; empty in others.
    """

    pages: int
    fault: str | None
    description: str = ""
    page_bytes: int = 0
    page_pixels: int = 0
    data_offset: int = 0
    file_bytes: int = 0
    lsm: bytes = b""


@dataclass(frozen=True)
class _Format:
    """Byte order and field widths: those of a classic TIFF or of a BigTIFF."""

    order: str
    big: bool

    @property
    def offset_size(self) -> int:
        return 8 if self.big else 4

    @property
    def entry_size(self) -> int:
        return 20 if self.big else 12

    def unpack(self, code: str, data: bytes) -> tuple[int, ...]:
        try:
            return struct.unpack(self.order + code, data)
        except struct.error as error:
            raise BrokenChainError("it breaks off inside its index") from error

    def offset(self, data: bytes) -> int:
        return self.unpack("Q" if self.big else "I", data)[0]


@dataclass
class _Page:
    tags: dict[int, tuple[int, ...]]
    description: str = ""
    lsm: bytes = b""

    def first(self, tag: int, default: int) -> int:
        values = self.tags.get(tag, ())
        return values[0] if values else default

    @property
    def pixels(self) -> int:
        return self.first(WIDTH, 0) * self.first(HEIGHT, 0) * self.first(SAMPLES, 1)


def walk(path: Path) -> Chain:
    """Walk a TIFF from its header to its last page.

    Never raises for what is inside the file: a fault is part of the answer.

    Raises
    ------
    OSError
        When the file cannot be opened or read at all.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        try:
            layout, offset = _header(file, size)
        except BrokenChainError as error:
            return Chain(0, str(error), file_bytes=size)
        return _walk_pages(file, size, layout, offset)


def is_whole(path: Path) -> bool:
    """Say whether a TIFF's chain ends properly; remembered, since the many planes of a series are looked at often."""
    try:
        status = path.stat()
    except OSError:
        return False
    return _ends(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=65_536)
def _ends(path: Path, size: int, mtime_ns: int) -> bool:
    del size, mtime_ns  # they tell one state of the file from another
    try:
        return walk(path).fault is None
    except OSError:
        return False


def _header(file: BinaryIO, size: int) -> tuple[_Format, int]:
    file.seek(0)
    head = file.read(16)
    if size == 0:
        raise BrokenChainError("it is empty (0 bytes)")
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = struct.unpack(order + "H", head[2:4])[0] if order and len(head) >= 4 else None
    if order is None or version not in (42, 43):
        raise BrokenChainError(f"it is no TIFF, whatever its name says (it begins with {head[:8]!r})")
    layout = _Format(order, big=version == 43)
    where = head[8:16] if layout.big else head[4:8]
    return layout, layout.offset(where)


def _walk_pages(file: BinaryIO, size: int, layout: _Format, offset: int) -> Chain:
    seen: set[int] = set()
    pages, first, fault = 0, None, None
    if offset == 0:
        fault = "it has no page yet"
    while offset and fault is None:
        if offset in seen:
            fault = f"its chain of pages runs in a circle after page {len(seen)}"
            break
        seen.add(offset)
        try:
            page, offset = _page(file, size, layout, offset)
            first = first or page
            _check_pixels(page, size, trusted=not first.lsm)
            pages += not page.first(NEW_SUBFILE_TYPE, 0) & REDUCED_IMAGE
        except BrokenChainError as error:
            fault = f"{error} (page {len(seen)})"
    if first is None:
        return Chain(pages, fault, file_bytes=size)
    bits = first.first(BITS, 8)
    starts = first.tags.get(STRIP_OFFSETS) or first.tags.get(TILE_OFFSETS) or (0,)
    return Chain(pages, fault, first.description, first.pixels * bits // 8, first.pixels, starts[0], size, first.lsm)


def _page(file: BinaryIO, size: int, layout: _Format, offset: int) -> tuple[_Page, int]:
    """Return a page's tags and the offset of the next page."""
    count_size = 8 if layout.big else 2
    if offset + count_size > size:
        raise BrokenChainError("it breaks off: the index of a page lies behind its end")
    file.seek(offset)
    count = layout.unpack("Q" if layout.big else "H", file.read(count_size))[0]
    length = count * layout.entry_size + layout.offset_size
    if count == 0 or offset + count_size + length > size:
        raise BrokenChainError("it breaks off inside the index of a page")
    table = file.read(length)
    page = _Page({})
    for start in range(0, count * layout.entry_size, layout.entry_size):
        _read_entry(file, size, layout, table[start : start + layout.entry_size], page)
    return page, layout.offset(table[-layout.offset_size :])


def _read_entry(file: BinaryIO, size: int, layout: _Format, entry: bytes, page: _Page) -> None:
    tag, kind = layout.unpack("HH", entry[:4])
    if kind not in TYPE_SIZES:
        return
    count = layout.offset(entry[4 : 4 + layout.offset_size])
    inside = entry[4 + layout.offset_size :]
    length = count * TYPE_SIZES[kind]
    if length > len(inside):
        start = layout.offset(inside)
        if start + length > size:
            raise BrokenChainError("it breaks off: a part of a page's index lies behind its end")
        if tag not in WANTED and tag != LSM_INFO:
            return
        file.seek(start)
        data = file.read(min(length, LSM_INFO_BYTES) if tag == LSM_INFO else length)
    else:
        data = inside[:length]
    if tag == LSM_INFO:
        page.lsm = data
    elif tag == DESCRIPTION:
        page.description = data.rstrip(b"\0").decode("utf-8", errors="replace")
    elif tag in WANTED and kind in INTEGER_CODES:
        page.tags[tag] = layout.unpack(f"{count}{INTEGER_CODES[kind]}", data)


def _check_pixels(page: _Page, size: int, trusted: bool) -> None:
    """See that a page's pixels are there; LSM writes bits per sample and byte counts in ways that cannot be trusted."""
    offsets = page.tags.get(STRIP_OFFSETS) or page.tags.get(TILE_OFFSETS)
    counts = page.tags.get(STRIP_BYTES) or page.tags.get(TILE_BYTES)
    if not offsets or not counts or len(offsets) != len(counts) or page.pixels == 0:
        raise BrokenChainError("a page has no pixels yet")
    # Offset and count 0 mark a tile that was left out on purpose (sparse TIFF).
    ends = [start + length for start, length in zip(offsets, counts, strict=True) if length]
    if not ends or any(start == 0 for start, length in zip(offsets, counts, strict=True) if length):
        raise BrokenChainError("a page has no pixels yet")
    needed = page.pixels * page.first(BITS, 8) // 8
    if trusted and page.first(COMPRESSION, 1) == 1 and sum(counts) < needed:
        raise BrokenChainError(f"a page of {needed} bytes has only {sum(counts)} of them")
    if max(ends) > size:
        raise BrokenChainError(f"it breaks off: pixels up to byte {max(ends)} are missing, it has {size}")
