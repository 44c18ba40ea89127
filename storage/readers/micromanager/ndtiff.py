"""Micro-Manager NDTiff: stacks of planes, and an index that gains an entry with each plane.

The index is the truth about what is there. Axes beyond time, channel and z (position, row ...) make acquisitions of
their own. Source: NDTiffStorage, "NDTiff specification v3".
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers.bounded import BoundedFile, BrokenFileError
from storage.readers.completion import Completion
from storage.readers.file_stamp import FileStamp, file_stamp
from storage.readers.fingerprint import Extent, FreshFiles, of_page_starts
from storage.readers.image import MOST_PLANES, ExtentSource, Image, PlaneIndex, acquisitions, first_line
from storage.readers.length_units import micrometres
from storage.readers.micromanager.plane_facts import MOST, PlaneFacts, stages, time_stamps
from storage.readers.parts import companions
from storage.readers.tiff.chain import walk

PIXEL_TYPES = {0: np.uint8, 1: np.uint16, 3: np.uint16, 4: np.uint16, 5: np.uint16, 6: np.uint16}
_T, _C, _Z = "time", "channel", "z"


@dataclass(frozen=True)
class Entry:
    """One plane: its axes, the file and byte where it begins, its size, and where its metadata (JSON) is."""

    axes: Mapping[str, int | str]
    file: str
    offset: int
    width: int
    height: int
    pixel_type: int
    compression: int
    metadata: tuple[int, int]

    @property
    def dtype(self) -> np.dtype:
        """The type of its pixels."""
        return np.dtype(PIXEL_TYPES[self.pixel_type]).newbyteorder("<")

    @property
    def bytes(self) -> int:
        """The bytes of its pixels."""
        return self.width * self.height * self.dtype.itemsize


@dataclass(frozen=True)
class _Position:
    """The planes of one acquisition by place, and the names of its channels."""

    planes: Mapping[PlaneIndex, Entry]
    channels: tuple[str, ...]

    @property
    def sizes(self) -> tuple[int, int, int]:
        t, c, z = (max(place[i] for place in self.planes) + 1 for i in range(3))
        return (t, c, z)

    @property
    def time_points(self) -> tuple[int, ...]:
        """Those of which every plane is there."""
        size_t, size_c, size_z = self.sizes
        every = [(c, z) for c in range(size_c) for z in range(size_z)]
        return tuple(t for t in range(size_t) if all((t, c, z) in self.planes for c, z in every))


class _Stacks:
    """The stack files of a folder, opened when needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BoundedFile] = {}

    def opened(self, name: str) -> BoundedFile:
        if name not in self._files:
            self._files[name] = BoundedFile(self._folder / name)
        return self._files[name]

    def read(self, name: str, offset: int, length: int) -> bytes:
        return self.opened(name).at(offset, length, "a plane")

    def close(self) -> None:
        files, self._files = self._files, {}
        for file in files.values():
            file.close()


class NdtiffSource(ExtentSource[_Stacks]):
    """Planes read where the index says that they are."""

    def __init__(self, path: Path, planes: Mapping[PlaneIndex, Entry], sizes: PlaneIndex) -> None:
        super().__init__(path, ())
        self._planes = planes
        _, self._size_c, self._size_z = sizes

    def extents(self, t: int) -> list[list[Extent]]:
        """Return where the time point's planes are."""
        return [[self._extent(entry)] for _, entry in self._of(t)]

    def former_fingerprint(self, t: int) -> str:
        """Return a hash of where the time point's planes are and how they begin."""
        pages = [(f"{place} {entry.file} {entry.offset} ", [self._extent(entry)]) for place, entry in self._of(t)]
        with FreshFiles() as files:
            return of_page_starts(pages, files)

    def _of(self, t: int) -> list[tuple[PlaneIndex, Entry]]:
        places = ((t, c, z) for c in range(self._size_c) for z in range(self._size_z))
        return [(place, self._planes[place]) for place in places if place in self._planes]

    def _extent(self, entry: Entry) -> Extent:
        return Extent(str(self._path.parent / entry.file), entry.offset, entry.bytes)

    def _open(self) -> _Stacks:
        return _Stacks(self._path.parent)

    def _read(self, handle: _Stacks, t: int, c: int, z: int) -> PlaneYX:
        entry = self._planes[t, c, z]
        if entry.compression:
            raise ValueError(f"compression {entry.compression} is not read")
        data = handle.read(entry.file, entry.offset, entry.bytes)
        return np.frombuffer(data, entry.dtype).reshape(entry.height, entry.width)


def probe(path: Path) -> Completion:
    """Return whether an NDTiff is whole: its index ends with an entry, its planes are there, its writer closed it."""
    try:
        entries = read_index(path)
        positions = _positions(path, entries)
        _check_planes(path.parent, entries)
        fault = _fault_of_end(path, entries)
    except (OSError, BrokenFileError, UnreadableInputError) as error:
        reason = str(error) if str(path) in str(error) else f"{path} is not a whole NDTiff: {first_line(error)}."
        return Completion("incomplete", reason)
    declared = sum(math.prod(position.sizes) for position in positions.values())
    ready = next(iter(positions.values())).time_points
    if fault is None and len(entries) >= declared:
        return Completion("complete", f"{path} is whole.", ready, len(entries), declared)
    why = fault or f"a grid of {declared} is not full"
    return Completion("growing", f"{path} holds {len(entries)} planes so far: {why}.", ready, len(entries), declared)


def open_ndtiff(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images of an NDTiff, one per position.

    Raises
    ------
    UnreadableInputError
        When its index cannot be read.
    """
    del axes  # an NDTiff names its axes
    try:
        entries = read_index(path)
        files = [path, *(path.parent / name for name in dict.fromkeys(entry.file for entry in entries))]
        found = [_image(path, name, position) for name, position in _positions(path, entries).items()]
    except (BrokenFileError, OSError) as error:
        raise UnreadableInputError(
            f"{path} cannot be read as NDTiff ({first_line(error)}): export it again."
        ) from error
    return acquisitions(path, "ndtiff", found, files)


class _Index:
    """An index that is read on from where it was when it has grown.

    Attributes
    ----------
    entries : list of Entry
        Those read so far.
    facts : dict
        What the metadata of planes say of when and where they were taken, by file and offset, as far as it was read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin()

    def _begin(self) -> None:
        self.entries: list[Entry] = []
        self.facts: dict[tuple[str, int], PlaneFacts] = {}
        self._where = 0
        self._stamp: FileStamp | None = None
        self._ends: tuple[tuple[int, bytes], ...] = ()  # (offset, bytes) of the first and of the last entry

    def go_on(self) -> list[Entry]:
        """Read what came, or everything where it is not the same index any more; return all entries.

        Raises
        ------
        BrokenFileError
            When it breaks off or is damaged.
        """
        stamp = file_stamp(self._path.stat())
        with BoundedFile(self._path) as file:
            if file.size == 0:
                raise BrokenFileError("its index is empty")
            if not self._has_grown(stamp, file):
                self._begin()
            self._stamp = stamp
            while self._where < file.size:
                self._read_one(file)
        return list(self.entries)

    def _has_grown(self, stamp: FileStamp, file: BoundedFile) -> bool:
        """Say whether it is the same file, longer (or just read), with the same first and last entry."""
        before = self._stamp
        if before is None or (before.device, before.inode) != (stamp.device, stamp.inode):
            return False
        if file.size < self._where or (stamp.size <= before.size and stamp != before):
            return False
        return all(file.at(offset, len(data), "an entry of its index") == data for offset, data in self._ends)

    def _read_one(self, file: BoundedFile) -> None:
        texts, where = [], self._where
        for _ in range(2):
            (length,) = file.unpack("<I", where, "an entry of its index")
            texts.append(file.metadata(where + 4, length, "an entry of its index"))
            where += 4 + length
        fields = file.unpack("<IiiiiIii", where, "an entry of its index")
        entry = _entry(texts[0], texts[1], fields)
        last = (self._where, file.at(self._where, where + 32 - self._where, "an entry of its index"))
        self._ends = (self._ends[0], last) if self._ends else (last, last)
        self.entries.append(entry)
        self._where = where + 32


_INDICES_KEPT = 4
_indices: OrderedDict[Path, _Index] = OrderedDict()  # those of this process, the latest last


def read_index(path: Path) -> list[Entry]:
    """Return the entries of an index, of which only those that came since the last time are read.

    Raises
    ------
    BrokenFileError
        When it breaks off or is damaged.
    """
    index = _indices.pop(path, None) or _Index(path)
    _indices[path] = index
    while len(_indices) > _INDICES_KEPT:
        _indices.popitem(last=False)
    return index.go_on()


def _entry(axes: bytes, file: bytes, fields: Sequence[int]) -> Entry:
    offset, width, height, pixel_type, compression, metadata, length, _ = fields
    try:
        named = json.loads(axes)
        name = file.decode("utf-8")
    except ValueError as error:
        raise BrokenFileError("an entry of its index is damaged") from error
    if not isinstance(named, dict) or not all(isinstance(v, int | str) for v in named.values()):
        raise BrokenFileError("an entry of its index is damaged")
    if pixel_type not in PIXEL_TYPES or min(width, height) < 1 or not name or "/" in name or "\0" in name:
        raise BrokenFileError(f"an entry of its index is damaged (pixel type {pixel_type}, {width} x {height})")
    return Entry(named, name, offset, width, height, pixel_type, compression, (metadata, length))


def _positions(path: Path, entries: Sequence[Entry]) -> dict[str, _Position]:
    """Return the planes of each acquisition, by the text of its further axes."""
    if len({(entry.width, entry.height, entry.pixel_type) for entry in entries}) > 1:
        raise UnreadableInputError(f"{path} mixes planes of different sizes or types: export it as OME-TIFF.")
    channels: dict[str, None] = dict.fromkeys(str(entry.axes.get(_C, "")) for entry in entries)
    order = sorted(channels, key=int) if all(name.isdecimal() for name in channels) else list(channels)
    index = {name: i for i, name in enumerate(order)}
    numbers = [{name: _number(entry.axes.get(name, 0)) for name in (_T, _Z)} for entry in entries]
    first = {name: min(one[name] for one in numbers) for name in (_T, _Z)}
    found: dict[str, dict[PlaneIndex, Entry]] = {}
    for entry, number in zip(entries, numbers, strict=True):
        others = " ".join(f"{k}{v}" for k, v in sorted(entry.axes.items()) if k not in (_T, _C, _Z))
        place = (number[_T] - first[_T], index[str(entry.axes.get(_C, ""))], number[_Z] - first[_Z])
        if math.prod(n + 1 for n in place) > min(MOST_PLANES, 1000 * len(entries) + 1000):
            raise BrokenFileError(f"an entry of its index claims the place {dict(entry.axes)}")
        found.setdefault(others, {})[place] = entry
    named = tuple(name for name in order) if any(not name.isdecimal() for name in order) else ()
    return {others: _Position(planes, named) for others, planes in found.items()}


def _number(value: int | str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise BrokenFileError(f"its time points or slices are not numbered ({value!r})") from error


def _check_planes(folder: Path, entries: Sequence[Entry]) -> None:
    ends: dict[str, int] = {}
    for entry in entries:
        ends[entry.file] = max(ends.get(entry.file, 0), entry.offset + entry.bytes)
    for name, end in ends.items():
        try:
            size = (folder / name).stat().st_size
        except OSError as error:
            raise BrokenFileError(f"{name} is not there") from error
        if size < end:
            raise BrokenFileError(f"{name} breaks off: pixels up to byte {end} are missing, it has {size}")


def _fault_of_end(path: Path, entries: Sequence[Entry]) -> str | None:
    """Return what shows that more is to come, or that the index was cut between two entries.

    Only in closing does the writer end the last stack's chain of pages; no stack and no page is without an entry.
    """
    last = entries[-1].file
    if {stack.name for stack in companions(path)} != {entry.file for entry in entries}:
        return "its index does not list all of its stacks"
    chain = walk(path.parent / last)
    if chain.fault is not None:
        return "its writer has not closed it"
    listed = sum(entry.file == last for entry in entries)
    return None if chain.pages == listed else f"its index lists {listed} of the {chain.pages} planes in {last}"


def _image(path: Path, name: str, position: _Position) -> tuple[Image, NdtiffSource]:
    first = min(position.planes)
    entry, source = position.planes[first], NdtiffSource(path, position.planes, position.sizes)
    t, c, z = position.sizes
    second = position.planes.get((first[0], first[1], first[2] + 1))
    with closing(_Stacks(path.parent)) as stacks:
        said = _metadata(stacks, entry)
        z_um = _distance(said, _metadata(stacks, second)) if second is not None else None
        index = _indices.get(path)
        facts = _facts(stacks, position, {} if index is None else index.facts)
    yx_um = micrometres(said.get("PixelSizeUm", said.get("PixelSize_um")), "um")
    image = Image(
        shape=(t, c, z, entry.height, entry.width),
        dtype=entry.dtype,
        voxel_um=(z_um, yx_um, yx_um),
        channel_names=position.channels,
        time_stamps_s=time_stamps(facts, t),
        started_at=str(said.get("Time") or "").rstrip(" -") or None,
        name=name,
        time_points=position.time_points,
        stage_um=PlaneFacts.of(said).stage_um,
        stages_um=stages(facts),
    )
    return image, source


def _metadata(stacks: _Stacks, entry: Entry) -> dict[str, Any]:
    """Return a plane's metadata; empty where it has none that can be read."""
    try:
        said = json.loads(stacks.opened(entry.file).metadata(*entry.metadata, "the metadata of a plane"))
    except (OSError, BrokenFileError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> float | None:
    """Return the distance of two slices by the stage positions that were asked for."""
    for key in ("ZPosition_um_Intended", "ZPositionUm"):
        try:
            step = abs(float(other[key]) - float(one[key]))
        except (KeyError, TypeError, ValueError):
            continue
        return micrometres(round(step, 6), "um")
    return None


def _facts(stacks: _Stacks, position: _Position, known: dict[tuple[str, int], PlaneFacts]) -> dict[int, PlaneFacts]:
    """Return what the first plane of each time point says of it."""
    size_t, size_c, _ = position.sizes  # asked once: it looks at all planes
    found = {}
    for t in range(min(size_t, MOST)):
        entry = next((position.planes[t, c, 0] for c in range(size_c) if (t, c, 0) in position.planes), None)
        if entry is None:
            continue
        where = (entry.file, entry.offset)
        if where not in known and (said := _metadata(stacks, entry)):
            known[where] = PlaneFacts.of(said)
        if where in known:
            found[t] = known[where]
    return found
