"""TIFFs beyond 4 GiB that take no room on the disk: what is not written of them are holes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

_OFFSET, _COUNT = 273, 279


def _tag(order: str, big: bool, tag: int, kind: int, count: int, value: int) -> bytes:
    if big:
        return struct.pack(f"{order}HHQ", tag, kind, count) + struct.pack(f"{order}Q", value)
    short = struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value)
    return struct.pack(f"{order}HHI", tag, kind, count) + short


def imagej_in_one_run(path: Path, sizes: tuple[int, int, int, int, int], marked: dict[int, int], cut: int = 0) -> Path:
    """One page of (T, Z, C, Y, X) 16-bit pixels and the other planes behind it, as ImageJ writes what is large.

    `marked` gives planes, by number, the value of all pixels of their first row.
    """
    t, z, c, y, x = sizes
    said = f"ImageJ=1.53t\nimages={t * z * c}\nchannels={c}\nslices={z}\nframes={t}\nhyperstack=true\nunit=um\n"
    text = f"{said}spacing=2.0\nfinterval=60.0\n\0".encode()
    tags = 10
    start = 8 + 2 + 12 * tags + 4
    data = start + len(text) + 16
    values = [(256, 4, 1, x), (257, 4, 1, y), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1)]
    values += [(270, 2, len(text), start), (_OFFSET, 4, 1, data), (_COUNT, 4, 1, y * x * 2)]
    values += [(282, 5, 1, data - 16), (283, 5, 1, data - 8)]
    head = struct.pack(">2sHIH", b"MM", 42, 8, tags) + b"".join(_tag(">", False, *value) for value in values)
    with path.open("wb") as file:
        file.write(head + struct.pack(">I", 0) + text + struct.pack(">4I", 4, 1, 2, 1))
        file.truncate(data + t * z * c * y * x * 2 - cut)
        for number, value in marked.items():
            file.seek(data + number * y * x * 2)
            file.write(np.full(x, value, ">u2").tobytes())
    return path


def big_pages(path: Path, text: str, pages: int, y: int, x: int, marked: dict[int, int]) -> Path:
    """A BigTIFF of so many pages of 16-bit pixels, the first of which says the text."""
    said = text.encode() + b"\0"
    tags, plane = 8, y * x * 2
    index = 8 + 20 * tags + 8
    start = 16 + pages * index
    data = start + len(said)
    with path.open("wb") as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16))
        for page in range(pages):
            values = [(256, 4, 1, x), (257, 4, 1, y), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1)]
            values += [(270, 2, len(said) if page == 0 else 1, start if page == 0 else 0)]
            values += [(_OFFSET, 16, 1, data + page * plane), (_COUNT, 16, 1, plane)]
            file.write(struct.pack("<Q", tags) + b"".join(_tag("<", True, *value) for value in values))
            file.write(struct.pack("<Q", 16 + (page + 1) * index if page + 1 < pages else 0))
        file.write(said)
        file.truncate(data + pages * plane)
        for number, value in marked.items():
            file.seek(data + number * plane)
            file.write(np.full(x, value, "<u2").tobytes())
    return path
