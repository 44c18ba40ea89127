"""The structure of a Zeiss CZI: segments, the directory of its subblocks, its metadata, its time stamps.

A CZI is a sequence of segments of 32 bytes (id, allocated and used size) and data. The directory, written last, lists
every subblock: a tile of one plane, with its place in each dimension. Source: Zeiss, "ZISRAW (CZI) File Format".
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from pathlib import Path

from storage.readers.bounded import BoundedFile, BrokenFileError

SEGMENT_HEADER = 32
_ENTRY_HEADER, _DIMENSION = 32, 20
# Pixel type -> numpy type, samples per pixel (blue, green, red).
PIXEL_TYPES = {0: ("<u1", 1), 1: ("<u2", 1), 2: ("<f4", 1), 3: ("<u1", 3), 4: ("<u2", 3), 8: ("<f4", 3), 12: ("<i4", 1)}


@dataclass(frozen=True)
class Block:
    """One subblock at full resolution.

    Attributes
    ----------
    scene : tuple of (dimension, index)
        Dimensions beyond T, C, Z in which it lies, such as scene S or view V: what differs there is another image.
    place : (t, c, z), counted as in the file
    y, x, height, width : int
        Where it lies in the plane, in pixels; `y` and `x` may be negative.
    tile : int
        Order in which tiles lie over each other.
    pixel_type, compression : int
    position : int
        Offset of its segment.
    """

    scene: tuple[tuple[str, int], ...]
    place: tuple[int, int, int]
    y: int
    x: int
    height: int
    width: int
    tile: int
    pixel_type: int
    compression: int
    position: int


@dataclass(frozen=True)
class CziLayout:
    """What the walk found: all subblocks at full resolution, the metadata (XML), time stamps in seconds."""

    blocks: tuple[Block, ...]
    xml: str
    time_stamps_s: tuple[float, ...]


def read(path: Path) -> CziLayout:
    """Walk a CZI and see that every subblock of its directory is inside the file.

    Raises
    ------
    BrokenFileError
        When something that the file speaks of is not there, or it is no CZI.
    """
    with BoundedFile(path) as file:
        if file.size == 0:
            raise BrokenFileError("it is empty (0 bytes)")
        if file.at(0, min(10, file.size), "its header") != b"ZISRAWFILE":
            raise BrokenFileError("it is no CZI, whatever its name says")
        part, directory, metadata, pending, attachments = file.unpack("<iqqiq", SEGMENT_HEADER + 48, "its header")
        if part:
            raise BrokenFileError("it is a part of an image in several files: export it as one file")
        if pending:
            raise BrokenFileError("its writer has not finished it")
        if directory <= 0 or metadata <= 0:
            raise BrokenFileError("its directory is not written yet")
        blocks = _blocks(file, directory)
        return CziLayout(blocks, _xml(file, metadata), _time_stamps(file, attachments))


def pixels_at(file: BoundedFile, block: Block) -> bytes:
    """Return the bytes of a subblock as they are stored."""
    return file.at(*place_of_pixels(file, block), "the pixels of a subblock")


def place_of_pixels(file: BoundedFile, block: Block) -> tuple[int, int]:
    """Return (offset, bytes) of a subblock's pixels."""
    return _data(file, block.position)


def _segment(file: BoundedFile, position: int, kind: bytes) -> tuple[int, int]:
    """Return (offset, bytes) of a segment's data."""
    sid, allocated, used = file.unpack("<16sqq", position, f"the segment {kind.decode()}")
    if sid.rstrip(b"\0") != kind:
        raise BrokenFileError(f"there is no segment {kind.decode()} at byte {position}")
    length = used or allocated
    if length < 0 or position + SEGMENT_HEADER + length > file.size:
        raise BrokenFileError(f"it breaks off inside the segment {kind.decode()}")
    return position + SEGMENT_HEADER, length


def _blocks(file: BoundedFile, position: int) -> tuple[Block, ...]:
    offset, length = _segment(file, position, b"ZISRAWDIRECTORY")
    data = file.metadata(offset, length, "its directory")
    if length < 128:
        raise BrokenFileError("its directory is too short")
    count, where, found = struct.unpack_from("<i", data)[0], 128, []
    for _ in range(count):
        block, where = _entry(data, where)
        if block is not None:
            _data(file, block.position)
            found.append(block)
    if not found:
        raise BrokenFileError("its directory lists no pixels")
    return tuple(found)


def _entry(data: bytes, where: int) -> tuple[Block | None, int]:
    """Return the subblock of a directory entry (None for a smaller copy) and where the next entry is."""
    if where + _ENTRY_HEADER > len(data):
        raise BrokenFileError("its directory has fewer entries than it says")
    schema, pixel_type, position, part, compression, dimensions = struct.unpack_from("<2siqii6xi", data, where)
    end = where + _ENTRY_HEADER + dimensions * _DIMENSION
    if schema != b"DV" or part or not 0 <= dimensions <= 40 or end > len(data):
        raise BrokenFileError("an entry of its directory is damaged")
    starts: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for i in range(dimensions):
        name, start, size, _, stored = struct.unpack_from("<4siifi", data, where + _ENTRY_HEADER + i * _DIMENSION)
        letter = name.rstrip(b"\0").decode("latin-1")
        starts[letter], sizes[letter] = start, size
        if letter in "XY" and stored not in (0, size):
            return None, end
    if not {"X", "Y"} <= set(sizes) or min(sizes["X"], sizes["Y"]) < 1:
        raise BrokenFileError("a subblock has no width and height")
    scene = tuple(sorted((letter, n) for letter, n in starts.items() if letter not in "TCZXYM"))
    place = (starts.get("T", 0), starts.get("C", 0), starts.get("Z", 0))
    tile, area = starts.get("M", 0), (starts["Y"], starts["X"], sizes["Y"], sizes["X"])
    return Block(scene, place, *area, tile, pixel_type, compression, position), end


def _data(file: BoundedFile, position: int) -> tuple[int, int]:
    """Return (offset, bytes) of a subblock's pixels."""
    offset, _ = _segment(file, position, b"ZISRAWSUBBLOCK")
    metadata, _, size = file.unpack("<iiq", offset, "a subblock")
    dimensions = file.unpack("<i", offset + 16 + 28, "a subblock")[0]
    if metadata < 0 or size < 0 or not 0 <= dimensions <= 40:
        raise BrokenFileError("a subblock is damaged")
    start = offset + 16 + max(240, _ENTRY_HEADER + dimensions * _DIMENSION) + metadata
    if start + size > file.size:
        raise BrokenFileError(f"it breaks off: pixels up to byte {start + size} are missing, it has {file.size}")
    return start, size


def _xml(file: BoundedFile, position: int) -> str:
    offset, _ = _segment(file, position, b"ZISRAWMETADATA")
    (length,) = file.unpack("<i", offset, "its metadata")
    return file.metadata(offset + 256, length, "its metadata").decode("utf-8", errors="replace")


def _time_stamps(file: BoundedFile, position: int) -> tuple[float, ...]:
    """Return the attachment TimeStamps, in seconds from the first; empty where there is none that makes sense."""
    if position <= 0:
        return ()
    offset, length = _segment(file, position, b"ZISRAWATTDIR")
    count = min(file.unpack("<i", offset, "its list of attachments")[0], max(0, length - 256) // 128)
    for i in range(count):
        schema, where, name = file.unpack("<2s10xq28x80s", offset + 256 + 128 * i, "its list of attachments")
        if schema == b"A1" and name.split(b"\0")[0] == b"TimeStamps":
            start, _ = _segment(file, where, b"ZISRAWATTACH")
            stamps = file.unpack("<i", start + 256 + 4, "its time stamps")[0]
            data = file.metadata(start + 256 + 8, 8 * stamps, "its time stamps")
            return _in_seconds(struct.unpack(f"<{stamps}d", data))
    return ()


def _in_seconds(stamps: tuple[float, ...]) -> tuple[float, ...]:
    """Some writers give seconds, others days since 1899: those are about 40,000 and hardly differ."""
    if not stamps or not all(b >= a >= 0 for a, b in itertools.pairwise(stamps)):
        return ()
    days = stamps[0] > 30_000 and stamps[-1] < 80_000 and stamps[-1] - stamps[0] < 400
    return tuple(round((stamp - stamps[0]) * (86_400.0 if days else 1.0), 6) for stamp in stamps)
