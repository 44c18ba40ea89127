"""The structure of an Olympus OIR: blocks, and at the end an index of them; large images go on in further files.

A plane's pixels follow a block with its name, such as ``z001t002_0_1_<channel>_0``; the rest is XML. The format is not
published; this is what is known of it from files.
"""

from __future__ import annotations

import itertools
import re
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from storage.readers.bounded import BoundedFile, BrokenFileError

MAGIC = b"OLYMPUSRAWFORMAT"
METADATA, FRAME_PROPERTIES, NAME, PIXELS = 0, 1, 3, 4
_INDEX_MARK = 0xFFFFFFFF
_SUFFIX = re.compile(r"(?:_\d+_\d+)?_(?P<channel>[0-9a-fA-F-]+)_\d+\Z")
_AXIS = re.compile(r"([tlz])(\d{1,9})")

Key = tuple[int, int, int, str]  # t, lambda, z as in the name, and the channel's id
Piece = tuple[int, int, int]  # number of the file, offset, bytes


@dataclass
class OirLayout:
    """What the walk found.

    Attributes
    ----------
    planes : mapping of a plane's key to the pieces of its pixels
    frames : list of XML elements that describe frames, in order
    descriptions : list of XML elements that describe the image
    """

    planes: dict[Key, list[Piece]] = field(default_factory=dict)
    frames: list[ElementTree.Element] = field(default_factory=list)
    descriptions: list[ElementTree.Element] = field(default_factory=list)


def read(files: Sequence[Path]) -> OirLayout:
    """Walk an OIR and its continuations, and see that every block is inside its file.

    Raises
    ------
    BrokenFileError
        When one is not, or it is no OIR.
    """
    layout = OirLayout()
    for number, path in enumerate(files):
        try:
            with BoundedFile(path) as file:
                _walk(file, number, layout)
        except BrokenFileError as error:
            raise BrokenFileError(f"{error} ({path.name})" if number else str(error)) from error
    if not layout.planes or not layout.frames:
        raise BrokenFileError("it holds no plane")
    return layout


def _walk(file: BoundedFile, number: int, layout: OirLayout) -> None:
    if file.size == 0:
        raise BrokenFileError("it is empty (0 bytes)")
    if file.at(0, min(16, file.size), "its header") != MAGIC:
        raise BrokenFileError("it is no OIR, whatever its name says")
    size, index = file.unpack("<QQ", 32, "its header")
    if size > file.size:
        raise BrokenFileError(f"it breaks off: it should have {size} bytes and has {file.size}")
    if not 96 <= index < size:
        raise BrokenFileError("the index at its end is not written yet")
    name: str | None = None
    for position in _blocks(file, index, size):
        length, kind = file.unpack("<II", position, "a block")
        data = position + 8
        if data + length > file.size:
            raise BrokenFileError(f"it breaks off: a block should end at byte {data + length} of {file.size}")
        if kind == PIXELS and name is not None:
            _note_plane(layout, name, (number, data, length))
        name = _name(file, data) if kind == NAME else None
        if kind in (METADATA, FRAME_PROPERTIES):
            found = _documents(file.metadata(data, length, "a description"))
            (layout.frames if kind == FRAME_PROPERTIES else layout.descriptions).extend(found)


def _blocks(file: BoundedFile, index: int, size: int) -> list[int]:
    """Return the positions of the blocks."""
    data = file.metadata(index, size - index, "its index")
    if len(data) < 4 or struct.unpack_from("<I", data)[0] != _INDEX_MARK:
        raise BrokenFileError("the index at its end is damaged")
    places = [place for (place,) in struct.iter_unpack("<Q", data[4 : 4 + (len(data) - 4) // 8 * 8])]
    return places[: places.index(0)] if 0 in places else places


def _name(file: BoundedFile, data: int) -> str:
    (length,) = file.unpack("<8xI", data, "the name of a plane")
    if length > 4096:
        raise BrokenFileError("the name of a plane is damaged")
    return file.at(data + 12, length, "the name of a plane").decode("ascii", "replace").rstrip("\0")


def _note_plane(layout: OirLayout, name: str, piece: Piece) -> None:
    told = _SUFFIX.search(name)
    if told is None or name.startswith("REF_"):
        return  # a reference picture
    at = {letter: int(number) for letter, number in _AXIS.findall(name[: told.start()])}
    key = (at.get("t", 1), at.get("l", 1), at.get("z", 1), told["channel"])
    layout.planes.setdefault(key, []).append(piece)


def _documents(data: bytes) -> list[ElementTree.Element]:
    """Return the XML documents in a block, which lie behind each other with other bytes between."""
    found = []
    starts = [match.start() for match in re.finditer(rb"<\?xml", data)]
    for start, end in itertools.pairwise([*starts, len(data)]):
        text = data[start : data.rfind(b">", start, end) + 1]
        try:
            found.append(ElementTree.fromstring(text))
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            raise BrokenFileError(f"its description is damaged ({error})") from error
    return found
