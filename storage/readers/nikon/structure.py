"""The structure of a Nikon ND2: chunks, and at the end a map that names each and says where it is."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.readers.bounded import BoundedFile, BrokenFileError

_MAGIC = 0x0ABECEDA
_LEGACY = b"\0\0\0\x0cjP"  # a JPEG 2000 file, as ND2 was before 2008
_MAP, _MAP_END = b"ND2 FILEMAP SIGNATURE NAME 0001!", b"ND2 CHUNK MAP SIGNATURE 0000001!"
_FRAME, _TIMES = b"ImageDataSeq|", b"CustomData|AcqTimesCache!"
_TIME_STAMP = 8  # bytes before the pixels of a frame


@dataclass(frozen=True)
class Nd2Layout:
    """What the walk found.

    Attributes
    ----------
    frames : mapping of a frame's number to (offset, bytes) of its pixels
    times_ms : tuple of float
        When each frame was taken, from the start; empty where the file does not say.
    """

    frames: Mapping[int, tuple[int, int]]
    times_ms: tuple[float, ...]


def read(path: Path) -> Nd2Layout:
    """Read the map at the end and see that every chunk in it is inside the file.

    Raises
    ------
    BrokenFileError
        When one is not, or it is no ND2.
    """
    with BoundedFile(path) as file:
        if file.size == 0:
            raise BrokenFileError("it is empty (0 bytes)")
        start = file.at(0, min(8, file.size), "its header")
        if start.startswith(_LEGACY):
            raise BrokenFileError("it is an ND2 of the old kind (JPEG 2000): export it as OME-TIFF")
        if start[:4] != _MAGIC.to_bytes(4, "little"):
            raise BrokenFileError("it is no ND2, whatever its name says")
        if file.size < 40 or file.at(file.size - 40, 32, "its end") != _MAP_END:
            raise BrokenFileError("the map at its end is missing, so it is still being written or broke off")
        chunks = _chunks(file)
        frames, times = {}, ()
        for name, position in chunks.items():
            data, length = _chunk(file, position, name)
            if name.startswith(_FRAME) and name[len(_FRAME) : -1].isdigit():
                frames[int(name[len(_FRAME) : -1])] = (data + _TIME_STAMP, length - _TIME_STAMP)
            elif name == _TIMES and length % 8 == 0:
                stamps = file.metadata(data, length, "its time stamps")
                times = struct.unpack(f"<{length // 8}d", stamps)
    if not frames:
        raise BrokenFileError("it has no frame")
    return Nd2Layout(frames, times)


def _chunks(file: BoundedFile) -> dict[bytes, int]:
    """Return the positions of the chunks by name."""
    (position,) = file.unpack("<Q", file.size - 8, "its end")
    data, length = _chunk(file, position, _MAP)
    listed = file.metadata(data, length, "its map")
    found: dict[bytes, int] = {}
    where = 0
    while True:
        end = listed.find(b"!", where) + 1
        name = listed[where:end]
        if end == 0 or end + 16 > len(listed) + (16 if name == _MAP_END else 0):
            raise BrokenFileError("its map breaks off")
        if name == _MAP_END:
            return found
        found[name] = struct.unpack_from("<Q", listed, end)[0]
        where = end + 16


def _chunk(file: BoundedFile, position: int, name: bytes) -> tuple[int, int]:
    """Return (offset, bytes) of a chunk's data."""
    said = name.decode("latin-1")
    magic, name_length, length = file.unpack("<IIQ", position, f"the chunk {said}")
    if magic != _MAGIC or not file.at(position + 16, name_length, said).startswith(name):
        raise BrokenFileError(f"there is no chunk {said} at byte {position}")
    data = position + 16 + name_length
    if data + length > file.size:
        raise BrokenFileError(f"it breaks off inside the chunk {said}")
    return data, length
