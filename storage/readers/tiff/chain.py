"""Walking the chain of pages of a TIFF once, to see where they are and whether every byte that it speaks of is there.

Libraries open a TIFF that was cut short without complaint, as an image with fewer planes. The chain does not lie: the
header points to the first page, each page to its pixels and to the next page, the last one to nothing.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Self

from storage.readers.file_stamp import FileStamp, file_stamp, is_at_rest
from storage.readers.xml_text import decoded

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


_WALKS_KEPT = 16
_walks: OrderedDict[Path, Walk] = OrderedDict()  # those of this process, the latest last


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
class TiffFormat:
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


@dataclass(frozen=True)
class PageShape:
    """What a page is, by its index: rows, columns, samples per pixel, and whether it is a smaller copy of another."""

    y: int
    x: int
    samples: int
    is_reduced: bool


@dataclass
class _Page:
    """The index of a page: `table` without the pointer to the page that follows."""

    offset: int
    table: bytes
    following: int
    tags: dict[int, tuple[int, ...]] = field(default_factory=dict)
    description: str = ""
    lsm: bytes = b""

    def same_as(self, other: _Page) -> bool:
        return (self.table, self.description) == (other.table, other.description)

    def first(self, tag: int, default: int) -> int:
        values = self.tags.get(tag, ())
        return values[0] if values else default

    @property
    def shape(self) -> PageShape:
        reduced = bool(self.first(NEW_SUBFILE_TYPE, 0) & REDUCED_IMAGE)
        return PageShape(self.first(HEIGHT, 0), self.first(WIDTH, 0), self.first(SAMPLES, 1), reduced)

    @property
    def pixels(self) -> int:
        return self.shape.y * self.shape.x * self.shape.samples


class Walk:
    """A walk along the chain of a file, which goes on from where it was when the file has grown.

    Attributes
    ----------
    chain : Chain
        What was seen so far, once it has begun.
    offsets : array of uint64
        Where the index of each page is whose pixels are there, reduced ones counted; it grows in place.
    shapes : list of PageShape
        What each of these pages is.
    notes : dict
        What others found out about these very pages; forgotten when another file lies at the path.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: FileStamp | None = None
        self._at_rest = False
        self.chain: Chain
        self._begin()

    def go_on(self) -> Self:
        """Look at what came since the last time; at everything where it is not the same file any more.

        Raises
        ------
        OSError
            When the file cannot be opened or read at all.
        """
        with self._path.open("rb") as file:
            stamp = file_stamp(os.fstat(file.fileno()))
            if stamp == self._stamp and self._at_rest:
                return self
            if not self._has_grown(file, stamp):
                self._begin()
            try:
                fault = self._walk(file, stamp.size)
            except BrokenChainError as error:
                fault = str(error)
            self.chain = self._seen_so_far(fault, stamp.size)
            self._stamp, self._at_rest = stamp, is_at_rest(stamp)
        return self

    def _begin(self) -> None:
        self.offsets = array("Q")
        self.shapes: list[PageShape] = []
        self._kinds: dict[PageShape, PageShape] = {}  # the many pages of a file are of few shapes
        self.notes: dict[Any, Any] = {}
        self.form: TiffFormat | None = None
        self._head = b""
        self._first: _Page | None = None
        self._last: _Page | None = None
        self._seen: set[int] = set()
        self._pages = 0

    def _has_grown(self, file: BinaryIO, stamp: FileStamp) -> bool:
        """Say whether it is the same file, longer, with the same first and last page."""
        before, form = self._stamp, self.form
        if before is None or form is None or self._first is None or self._last is None:
            return False
        if (before.device, before.inode) != (stamp.device, stamp.inode):
            return False
        if stamp.size <= before.size and stamp != before:
            return False
        file.seek(0)
        if file.read(len(self._head)) != self._head:
            return False
        try:
            return all(_page(file, stamp.size, form, old.offset).same_as(old) for old in (self._first, self._last))
        except BrokenChainError:
            return False

    def _walk(self, file: BinaryIO, size: int) -> str | None:
        """Walk from the last page that was sound; return what is not whole."""
        if self.form is None or self._last is None:
            self._head, self.form, offset = _header(file, size)
            self._seen, self._first = set(), None
        else:
            offset = _page(file, size, self.form, self._last.offset).following
        if offset == 0 and self._last is None:
            return "it has no page yet"
        while offset:
            if offset in self._seen:
                return f"its chain of pages runs in a circle after page {len(self._seen)}"
            try:
                page = _page(file, size, self.form, offset)
                self._first = self._first or page
                _check_pixels(page, size, trusted=not self._first.lsm)
            except BrokenChainError as error:
                return f"{error} (page {len(self._seen) + 1})"
            self._seen.add(offset)
            self.offsets.append(offset)
            self.shapes.append(self._kinds.setdefault(page.shape, page.shape))
            self._pages += not page.shape.is_reduced
            self._last, offset = page, page.following
        return None

    def _seen_so_far(self, fault: str | None, size: int) -> Chain:
        first = self._first
        if first is None:
            return Chain(self._pages, fault, file_bytes=size)
        starts = first.tags.get(STRIP_OFFSETS) or first.tags.get(TILE_OFFSETS) or (0,)
        one_page = first.pixels * first.first(BITS, 1) // 8
        return Chain(self._pages, fault, first.description, one_page, first.pixels, starts[0], size, first.lsm)


def walk(path: Path) -> Chain:
    """Return what a walk along the pages of a TIFF sees, see `walked`."""
    return walked(path).chain


def walked(path: Path) -> Walk:
    """Walk a TIFF from its header to its last page, or on from the last page that was there when it was last walked.

    Never raises for what is inside the file: a fault is part of the answer.

    Raises
    ------
    OSError
        When the file cannot be opened or read at all.
    """
    known = _walks.pop(path, None) or Walk(path)
    _walks[path] = known
    while len(_walks) > _WALKS_KEPT:
        _walks.popitem(last=False)
    return known.go_on()


def runs_of_pixels(path: Path, form: TiffFormat, offset: int, joined: bool = True) -> list[tuple[int, int]]:
    """Return (offset, bytes) of the pixels of the page whose index is at `offset`, in order, neighbours as one.

    Those that are not to be `joined` are as the file lists them.

    Raises
    ------
    BrokenChainError
        When there is no such page now.
    """
    with path.open("rb") as file:
        page = _page(file, file.seek(0, 2), form, offset)
    starts = page.tags.get(STRIP_OFFSETS) or page.tags.get(TILE_OFFSETS) or ()
    counts = page.tags.get(STRIP_BYTES) or page.tags.get(TILE_BYTES) or ()
    if not joined:
        return list(zip(starts, counts, strict=False))
    runs: list[tuple[int, int]] = []
    for start, count in zip(starts, counts, strict=False):
        if runs and sum(runs[-1]) == start:
            runs[-1] = (runs[-1][0], runs[-1][1] + count)
        elif count:
            runs.append((start, count))
    return runs


def is_whole(path: Path) -> bool:
    """Say whether a TIFF's chain ends properly; remembered, since the many planes of a series are looked at often."""
    try:
        status = path.stat()
        return _ends(path, status.st_size, status.st_mtime_ns)
    except OSError:  # of this moment: it is not remembered
        return False


@lru_cache(maxsize=65_536)
def _ends(path: Path, size: int, mtime_ns: int) -> bool:
    del size, mtime_ns  # they tell one state of the file from another
    return Walk(path).go_on().chain.fault is None


def _header(file: BinaryIO, size: int) -> tuple[bytes, TiffFormat, int]:
    """Return the header as far as it never changes, what it says of the layout, and where the first page is."""
    file.seek(0)
    head = file.read(16)
    if size == 0:
        raise BrokenChainError("it is empty (0 bytes)")
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = struct.unpack(order + "H", head[2:4])[0] if order and len(head) >= 4 else None
    if order is None or version not in (42, 43):
        raise BrokenChainError(f"it is no TIFF, whatever its name says (it begins with {head[:8]!r})")
    form = TiffFormat(order, big=version == 43)
    where = head[8:16] if form.big else head[4:8]
    return head[:16] if form.big else head[:8], form, form.offset(where)


def _page(file: BinaryIO, size: int, form: TiffFormat, offset: int) -> _Page:
    """Return a page's index."""
    count_size = 8 if form.big else 2
    if offset + count_size > size:
        raise BrokenChainError("it breaks off: the index of a page lies behind its end")
    file.seek(offset)
    count = form.unpack("Q" if form.big else "H", file.read(count_size))[0]
    length = count * form.entry_size + form.offset_size
    if count == 0 or offset + count_size + length > size:
        raise BrokenChainError("it breaks off inside the index of a page")
    table = file.read(length)
    page = _Page(offset, table[: -form.offset_size], form.offset(table[-form.offset_size :]))
    for start in range(0, count * form.entry_size, form.entry_size):
        _read_entry(file, size, form, table[start : start + form.entry_size], page)
    return page


def _read_entry(file: BinaryIO, size: int, form: TiffFormat, entry: bytes, page: _Page) -> None:
    tag, kind = form.unpack("HH", entry[:4])
    if kind not in TYPE_SIZES:
        return
    count = form.offset(entry[4 : 4 + form.offset_size])
    inside = entry[4 + form.offset_size :]
    length = count * TYPE_SIZES[kind]
    if length > len(inside):
        start = form.offset(inside)
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
        page.description = decoded(data.rstrip(b"\0"))
    elif tag in WANTED and kind in INTEGER_CODES:
        page.tags[tag] = form.unpack(f"{count}{INTEGER_CODES[kind]}", data)


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
    needed = page.pixels * page.first(BITS, 1) // 8
    if trusted and page.first(COMPRESSION, 1) == 1 and sum(counts) < needed:
        raise BrokenChainError(f"a page of {needed} bytes has only {sum(counts)} of them")
    if max(ends) > size:
        raise BrokenChainError(f"it breaks off: pixels up to byte {max(ends)} are missing, it has {size}")
