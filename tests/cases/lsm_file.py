"""A Zeiss LSM: a TIFF whose first page says what it is, with a small preview after each page."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import tifffile

_INFO, _FOR_NOW = 34412, 65000  # what an LSM is known by comes last: tifffile would read the rest differently


def lsm(folder: Path, array: np.ndarray) -> Path:
    return positions(folder / "embryo.lsm", array[None])


def positions(path: Path, array: np.ndarray) -> Path:
    """Write an array (P, T, C, Z, Y, X): position, time, slice over pages, the channels of each in one page."""
    p, t, c, z = array.shape[:4]
    with tifffile.TiffWriter(path) as writer:
        for n, (i, j, k) in enumerate(np.ndindex(p, t, z)):
            said = [(_FOR_NOW, 1, 512, bytes(512), True)] if n == 0 else []
            page = array[i, j, :, k] if c > 1 else array[i, j, 0, k]
            options = {"planarconfig": "separate"} if c > 1 else {}
            writer.write(page, photometric="minisblack", metadata=None, extratags=said, contiguous=False, **options)
            preview = np.zeros((8, 8), np.uint8)
            writer.write(preview, photometric="minisblack", metadata=None, subfiletype=1, contiguous=False)
    with tifffile.TiffFile(path) as tif:
        tag, at = tif.pages[0].tags[_FOR_NOW].offset, tif.pages[0].tags[_FOR_NOW].valueoffset
        bits = [page.tags[258].valueoffset for page in tif.pages if not page.is_reduced and c == 2]
    data = bytearray(path.read_bytes())
    for place in bits:  # two values would fit into the tag, but Zeiss writes them elsewhere
        data[place : place + 4] = struct.pack("<I", len(data))
        data += struct.pack("<HH", *[8 * array.dtype.itemsize] * 2)
    data[tag : tag + 2] = struct.pack("<H", _INFO)
    colours, stamps = _colours(c), struct.pack(f"<ii{t}d", 8 + 8 * t, t, *(60.0 * i for i in range(t)))
    info = _info(array, len(data), len(data) + len(colours))
    data[at : at + len(info)] = info
    path.write_bytes(bytes(data) + colours + stamps)
    return path


def _info(array: np.ndarray, at_colours: int, at_stamps: int) -> bytes:
    p, t, c, z, y, x = array.shape
    info = bytearray(512)
    kind = {1: 1, 2: 2, 4: 5}[array.dtype.itemsize]
    struct.pack_into("<Iiiiiiii", info, 0, 67127628, 512, x, y, z, c, t, kind)
    struct.pack_into("<3d", info, 40, 0.25e-6, 0.5e-6, 2e-6)
    struct.pack_into("<H", info, 88, 6)  # a time series of stacks
    struct.pack_into("<Id", info, 108, at_colours, 60.0)
    struct.pack_into("<I", info, 132, at_stamps)
    struct.pack_into("<2i", info, 264, p if p > 1 else 0, 0)
    return bytes(info)


def _colours(c: int) -> bytes:
    names = b"".join(struct.pack("<I", len(f"dye {i}") + 1) + f"dye {i}".encode() + b"\0" for i in range(c))
    head = 24 + 4 * c
    return struct.pack("<6I", head + len(names), c, c, 24, head, 0) + bytes(4 * c) + names
