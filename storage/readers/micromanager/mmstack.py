"""Micro-Manager MMStack: TIFF files of at most 4 GB that go on in each other, with a map of the planes in each.

OME-XML in such files tells what was planned, and libraries fill what never came with zeros. The maps, written when a
file is closed, and before that each page's own metadata, tell what is there. Source: micro-manager.org, "Micro-Manager
File Formats".
"""

from __future__ import annotations

import json
import math
import struct
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers.bounded import BoundedFile, BrokenFileError
from storage.readers.completion import Completion
from storage.readers.fingerprint import Extent, FreshFiles, of_page_starts
from storage.readers.image import (
    LARGEST_PLANE_PIXELS,
    MOST_PLANES,
    ExtentSource,
    Image,
    PlaneIndex,
    acquisitions,
    first_line,
)
from storage.readers.length_units import micrometres, seconds
from storage.readers.micromanager.plane_facts import MOST, PlaneFacts, stages, time_stamps
from storage.readers.micromanager.planned import PlannedStack
from storage.readers.parts import absent_parts, companions, first_part
from storage.readers.remembered import Remembered

_INDEX, _MAP, _SUMMARY = 54773648, 3453623, 2355492
_WIDTH, _HEIGHT, _BITS, _OFFSET, _SAID = 256, 257, 258, 273, 51123
_HEAD_BYTES = 40  # up to the summary

_Place = tuple[int, int, int, int]
"""Channel, slice, time point and position."""


@dataclass(frozen=True)
class _Page:
    """One page: its file's number, its index' place, size and bits of pixels, where they, metadata and the next are."""

    file: int
    offset: int
    width: int
    height: int
    bits: int
    pixels: int
    said: tuple[int, int]
    following: int

    @property
    def bytes(self) -> int:
        return self.width * self.height * self.bits // 8

    def same_as(self, other: _Page) -> bool:
        """Say whether it is the same page; that another one follows now does not count."""
        return self == replace(other, following=self.following)


@dataclass
class _Walk:
    """The pages, with their places, that a file held which is being written; it is walked on from the last of them."""

    head: bytes
    pages: list[tuple[_Place, _Page]] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    facts: dict[int, PlaneFacts] = field(default_factory=dict)  # by the place of a page

    def goes_on(self, file: BoundedFile, number: int, head: bytes) -> bool:
        """Say whether it is the same file as then, with the same first and last page."""
        try:
            ends = [page for _, page in (self.pages[:1] + self.pages[-1:])]
            return head == self.head and all(_page(file, number, page.offset).same_as(page) for page in ends)
        except BrokenFileError:
            return False


_WALKS_KEPT = 16
_walks: OrderedDict[tuple[Path, int], _Walk] = OrderedDict()  # those of this process, the latest last
_mapped: Remembered[tuple[Path, int], list[tuple[_Place, _Page]]] = Remembered(64)  # pages of files that are closed


class _Files:
    """The files of a stack, opened when needed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._open: dict[int, BoundedFile] = {}

    def file(self, number: int) -> BoundedFile:
        if number not in self._open:
            self._open[number] = BoundedFile(self._paths[number])
        return self._open[number]

    def read(self, page: _Page, length: int) -> bytes:
        return self.file(page.file).at(page.pixels, length, "a plane")

    def close(self) -> None:
        files, self._open = self._open, {}
        for file in files.values():
            file.close()


class MmstackSource(ExtentSource[_Files]):
    """Planes of one position."""

    def __init__(self, files: Sequence[Path], planes: Mapping[PlaneIndex, _Page], sizes: PlaneIndex) -> None:
        super().__init__(files[0], files)
        self._planes = planes
        _, self._size_c, self._size_z = sizes

    def extents(self, t: int) -> list[list[Extent]]:
        """Return where the time point's planes are."""
        return [[self._extent(page)] for _, page in self._of(t)]

    def former_fingerprint(self, t: int) -> str:
        """Return a hash of where the time point's planes are and how they begin."""
        pages = [(f"{place} {page.file} {page.pixels} ", [self._extent(page)]) for place, page in self._of(t)]
        with FreshFiles() as files:
            return of_page_starts(pages, files)

    def _of(self, t: int) -> list[tuple[PlaneIndex, _Page]]:
        places = ((t, c, z) for c in range(self._size_c) for z in range(self._size_z))
        return [(place, self._planes[place]) for place in places if place in self._planes]

    def _extent(self, page: _Page) -> Extent:
        return Extent(str(self._files[page.file]), page.pixels, page.bytes)

    def _open(self) -> _Files:
        return _Files(self._files)

    def _read(self, handle: _Files, t: int, c: int, z: int) -> PlaneYX:
        page = self._planes[t, c, z]
        return np.frombuffer(handle.read(page, page.bytes), f"<u{page.bits // 8}").reshape(page.height, page.width)


def is_mmstack(path: Path) -> bool:
    """Say whether a TIFF was written by Micro-Manager, by the bytes behind its header."""
    try:
        with path.open("rb") as file:
            head = file.read(36)
    except OSError:
        return False
    if len(head) < 36 or head[:4] != b"II*\0":
        return False
    index, summary = (struct.unpack_from("<I", head, at)[0] for at in (8, 32))
    return bool(index == _INDEX and summary == _SUMMARY)


def probe(path: Path) -> Completion:
    """Return whether an MMStack is whole: every file is closed, and all planes are there that were planned."""
    try:
        stack = _read_stack((path, *companions(path)))
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except (BrokenFileError, UnreadableInputError) as error:
        reason = str(error) if str(path) in str(error) else f"{path} is not a whole MMStack: {first_line(error)}."
        return Completion("incomplete", reason)
    ready, declared = stack.ready, stack.declared
    first = first_part(path)
    if goes_on := stack.begins_in(first):
        others = (first,) if first is not None and not first.exists() else ()
        return Completion("growing", f"{path} {goes_on}", (), ready, declared, others, first if others else None)
    times = tuple(sorted({t for position in stack.planes for t in stack.time_points(position)}))
    if stack.closed and ready >= declared:
        return Completion("complete", f"{path} is whole.", times, ready, declared)
    why = "" if stack.closed else ", and its writer has not closed it"
    reason = stack.lacks(path) or f"{path} holds {ready} of {declared} planes{why}."
    return Completion("growing", reason, times, ready, declared)


def open_mmstack(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images of an MMStack, one per position.

    Raises
    ------
    UnreadableInputError
        When it is damaged.
    """
    del axes  # an MMStack names its axes
    files = (path, *companions(path))
    try:
        stack = _read_stack(files)
        sizes = stack.sizes
        found = [
            (_image(files, stack, position), MmstackSource(files, stack.planes[position], sizes))
            for position in sorted(stack.planes)
        ]
    except (BrokenFileError, OSError) as error:
        raise UnreadableInputError(f"{path} cannot be read as MMStack ({first_line(error)}): copy it anew.") from error
    return acquisitions(path, "micromanager", found, files)


def _read_stack(files: Sequence[Path]) -> PlannedStack[_Page]:
    planes: dict[int, dict[PlaneIndex, _Page]] = {}
    summary: Mapping[str, Any] = {}
    closed = True
    for number, path in enumerate(files):
        try:
            with BoundedFile(path) as file:
                summary = summary or _summary(file)
                pages, ended = _pages(file, path, number)
                closed = closed and ended
                for (c, z, t, p), page in pages:
                    planes.setdefault(p, {})[t, c, z] = page
        except BrokenFileError as error:
            raise BrokenFileError(f"{error} ({path.name})" if number else str(error)) from error
    all_pages = [page for position in planes.values() for page in position.values()]
    if not all_pages:
        raise BrokenFileError("it holds no plane yet")
    if len({(page.width, page.height, page.bits) for page in all_pages}) > 1:
        raise BrokenFileError("its planes differ in size")
    stack = PlannedStack(planes, summary, closed, absent_parts(files[0]))
    if math.prod(stack.sizes) > min(MOST_PLANES, 100_000 * len(all_pages) + 1000):
        raise BrokenFileError(f"it claims {stack.sizes} planes (T, C, Z) and has {len(all_pages)}")
    return stack


def _summary(file: BoundedFile) -> Mapping[str, Any]:
    mark, length = file.unpack("<II", 32, "its summary")
    if mark != _SUMMARY:
        raise BrokenFileError("its summary is damaged")
    try:
        said = json.loads(file.metadata(40, length, "its summary").rstrip(b"\0"))
    except ValueError as error:
        raise BrokenFileError("its summary is damaged") from error
    return said if isinstance(said, dict) else {}


def _pages(file: BoundedFile, path: Path, number: int) -> tuple[list[tuple[_Place, _Page]], bool]:
    """Return the pages with their places, and whether the file was closed."""
    mark, where = file.unpack("<II", 8, "its header")
    if mark == _INDEX and where:
        _walks.pop((path, number), None)  # what was known of it may be of another file of this name
        return _mapped.of((path, number), [path], lambda: _read_map(file, number, where)), True
    return _walked(file, path, number), False


def _read_map(file: BoundedFile, number: int, where: int) -> list[tuple[_Place, _Page]]:
    return [(place, _page(file, number, offset)) for place, offset in _map(file, where)]


def _walked(file: BoundedFile, path: Path, number: int) -> list[tuple[_Place, _Page]]:
    """Return the pages of a file that is being written: those seen before, and what came since."""
    head, known = file.at(0, _HEAD_BYTES, "its header"), _walks.pop((path, number), None)
    walk = known if known is not None and known.goes_on(file, number, head) else _Walk(head)
    if walk.pages:
        offset = _page(file, number, walk.pages[-1][1].offset).following
    else:
        (offset,) = file.unpack("<I", 4, "its header")
    passing: list[tuple[_Place, _Page]] = []  # from the first one on whose metadata are not written yet
    for page in _chain(file, number, offset, walk.seen):
        said = _said(file, page)
        (walk.pages if said and not passing else passing).append((_place(said), page))
    walk.seen -= {page.offset for _, page in passing}
    _walks[path, number] = walk
    while len(_walks) > _WALKS_KEPT:
        _walks.popitem(last=False)
    return walk.pages + passing


def _map(file: BoundedFile, where: int) -> list[tuple[_Place, int]]:
    mark, count = file.unpack("<II", where, "its map of planes")
    if mark != _MAP:
        raise BrokenFileError("its map of planes is damaged")
    data = file.metadata(where + 8, 20 * count, "its map of planes")
    return [((c, z, t, p), offset) for c, z, t, p, offset in struct.iter_unpack("<5I", data)]


def _chain(file: BoundedFile, number: int, offset: int, seen: set[int]) -> Iterator[_Page]:
    """Give the pages of a file that is still being written from one on: as far as they are there."""
    while offset and offset not in seen:
        try:
            page = _page(file, number, offset)
            file.at(*page.said, "the metadata of a plane")
        except BrokenFileError:
            return
        seen.add(offset)
        yield page
        offset = page.following


def _page(file: BoundedFile, number: int, offset: int) -> _Page:
    (count,) = file.unpack("<H", offset, "the index of a page")
    table = file.at(offset + 2, 12 * count + 4, "the index of a page")
    tags = {}
    for tag, kind, length, value in struct.iter_unpack("<HHII", table[:-4]):
        tags[tag] = (length, value & 0xFFFF if kind == 3 else value)
    try:
        width, height, bits = (tags[tag][1] for tag in (_WIDTH, _HEIGHT, _BITS))
        pixels, said = tags[_OFFSET][1], tags.get(_SAID, (0, 0))
    except KeyError as error:
        raise BrokenFileError("the index of a page is damaged") from error
    if tags[_OFFSET][0] != 1 or bits not in (8, 16, 32) or not 0 < width * height <= LARGEST_PLANE_PIXELS:
        raise BrokenFileError(f"a page claims {width} x {height} pixels of {bits} bits")
    page = _Page(number, offset, width, height, bits, pixels, (said[1], said[0]), struct.unpack("<I", table[-4:])[0])
    if pixels + page.bytes > file.size:
        raise BrokenFileError(f"it breaks off: pixels up to byte {pixels + page.bytes} of {file.size} are missing")
    return page


def _said(file: BoundedFile, page: _Page) -> Mapping[str, Any]:
    """Return a page's metadata; empty where it has none that can be read."""
    try:
        found = json.loads(file.metadata(*page.said, "the metadata of a plane").rstrip(b"\0"))
    except (BrokenFileError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _place(said: Mapping[str, Any]) -> _Place:
    said_of = [said.get(f"{axis}Index", 0) for axis in ("Channel", "Slice", "Frame", "Position")]
    numbers = [number if isinstance(number, int) else -1 for number in said_of]
    if any(not 0 <= number < MOST_PLANES for number in numbers):
        raise BrokenFileError("the metadata of a plane is damaged")
    return (numbers[0], numbers[1], numbers[2], numbers[3])


def _image(files: Sequence[Path], stack: PlannedStack[_Page], position: int) -> Image:
    summary, planes = stack.summary, stack.planes[position]
    page = planes[min(planes)]
    size_t, size_c, size_z = stack.sizes
    with BoundedFile(files[page.file]) as file:
        said = _said(file, page)
    facts = _facts(files, planes, size_t)
    yx_um = micrometres(summary.get("PixelSize_um") or said.get("PixelSizeUm"), "um")
    step = summary.get("z-step_um")
    names = summary.get("ChNames")
    return Image(
        shape=(size_t, size_c, size_z, page.height, page.width),
        dtype=np.dtype(f"<u{page.bits // 8}"),
        voxel_um=(micrometres(abs(step), "um") if isinstance(step, int | float) else None, yx_um, yx_um),
        channel_names=tuple(str(name) for name in names) if isinstance(names, list) else (),
        interval_s=seconds(summary.get("Interval_ms"), "ms"),
        time_stamps_s=time_stamps(facts, size_t),
        started_at=str(summary.get("StartTime") or summary.get("Time") or "") or None,
        name=str(said.get("PositionName") or f"Pos{position}"),
        time_points=stack.time_points(position),
        stage_um=PlaneFacts.of(said).stage_um,
        stages_um=stages(facts),
        lacking=tuple(filter(None, [stack.lacks(files[0])])),
    )


def _facts(files: Sequence[Path], planes: Mapping[PlaneIndex, _Page], size_t: int) -> dict[int, PlaneFacts]:
    """Return what the first plane of each time point says of it; of files that are being written, it is read once."""
    found = {}
    with closing(_Files(files)) as opened:
        for t in range(min(size_t, MOST)):
            page = planes.get((t, 0, 0))
            if page is None:
                continue
            walk = _walks.get((files[page.file], page.file))
            known = {} if walk is None else walk.facts
            if page.offset not in known and (said := _said(opened.file(page.file), page)):
                known[page.offset] = PlaneFacts.of(said)
            if page.offset in known:
                found[t] = known[page.offset]
    return found
