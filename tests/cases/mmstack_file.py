"""A Micro-Manager MMStack, written from an array (P, T, C, Z, Y, X): TIFF files with a map of their planes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

_SIZE_OF_HEADER = 40


def mmstack(folder: Path, array: np.ndarray) -> Path:
    return stack(folder / "embryo.ome.tif", array[None])


def mmstack_in_parts(folder: Path, array: np.ndarray) -> Path:
    path = folder / "e_MMStack_Pos0.ome.tif"
    return stack(path, array[None], per_file=array.shape[1] * array.shape[2])


def stack(
    path: Path, array: np.ndarray, per_file: int = 10_000, closed: bool = True, planned_t: int | None = None
) -> Path:
    """Write planes by time, position, channel, slice; the last file without its map where it is not closed."""
    p, t, c, z = array.shape[:4]
    summary = {"Frames": planned_t or t, "Channels": c, "Slices": z, "Positions": p, "PixelSize_um": 0.5}
    summary |= {"z-step_um": -2.0, "Interval_ms": 60000.0, "ChNames": [f"dye {i}" for i in range(c)]}
    places = [(k, s, i, j) for i, j, k, s in np.ndindex(t, p, c, z)]
    files = [places[i : i + per_file] for i in range(0, len(places), per_file)]
    for number, part in enumerate(files):
        name = path if number == 0 else path.with_name(f"{path.name[:-8]}_{number}.ome.tif")
        planes = [array[j, i, k, s] for k, s, i, j in part]
        name.write_bytes(_file(planes, part, summary, closed or number < len(files) - 1))
    return path


def _file(planes: list[np.ndarray], places: list[tuple[int, ...]], summary: dict, closed: bool) -> bytes:
    text = json.dumps(summary).encode()
    data = bytearray(_SIZE_OF_HEADER) + text
    pointer, index = 4, b""
    for plane, (c, z, t, p) in zip(planes, places, strict=True):
        said = {"ChannelIndex": c, "SliceIndex": z, "FrameIndex": t, "PositionIndex": p, "ElapsedTime-ms": 60000.0 * t}
        said |= {"PositionName": f"Pos{p}", "XPositionUm": 100.0 * p - 2.5 * t, "YPositionUm": 50.0 + t}
        start = len(data)
        data[pointer : pointer + 4] = struct.pack("<I", start)
        page, pointer = _page(plane, json.dumps(said).encode(), start)
        data += page
        index += struct.pack("<5I", c, z, t, p, start)
    struct.pack_into("<4sI", data, 0, b"II*\0", struct.unpack_from("<I", data, 4)[0])
    struct.pack_into("<II", data, 8, 54773648, len(data) if closed else 0)
    struct.pack_into("<IIIIII", data, 16, 483765892, 0, 99384722, 0, 2355492, len(text))
    if closed:
        data += struct.pack("<II", 3453623, len(places)) + index
    else:
        data[pointer : pointer + 4] = struct.pack("<I", len(data))
    return bytes(data)


def _page(plane: np.ndarray, said: bytes, start: int) -> tuple[bytes, int]:
    """A page, and where the place of the next one is written."""
    y, x = plane.shape
    tags = 9
    pixels = start + 2 + 12 * tags + 4
    values = [(256, 4, 1, x), (257, 4, 1, y), (258, 3, 1, 8 * plane.itemsize), (259, 3, 1, 1), (262, 3, 1, 1)]
    values += [(273, 4, 1, pixels), (277, 3, 1, 1), (279, 4, 1, plane.nbytes)]
    values += [(51123, 2, len(said), pixels + plane.nbytes)]
    head = struct.pack("<H", tags) + b"".join(struct.pack("<HHII", *value) for value in values)
    return head + bytes(4) + plane.tobytes() + said, start + len(head)
