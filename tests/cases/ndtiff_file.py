"""A Micro-Manager NDTiff dataset, written from an array (T, C, Z, Y, X): an index and stacks of planes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np


def ndtiff(folder: Path, array: np.ndarray) -> Path:
    return dataset(folder / "embryo", array, positions=1)


def dataset(folder: Path, array: np.ndarray, positions: int = 1, closed: bool = True, per_file: int = 10_000) -> Path:
    """Write planes in time, channel, z order; position p holds the pixels + p. Unclosed, the chain of pages goes on."""
    folder.mkdir(exist_ok=True)
    index, stacks = bytearray(), [_Stack("run_NDTiffStack.tif")]
    for t, p, c, z in np.ndindex(array.shape[0], positions, array.shape[1], array.shape[2]):
        if stacks[-1].pages == per_file:
            stacks.append(_Stack(f"run_NDTiffStack_{len(stacks)}.tif"))
        axes = {"time": t, "channel": f"dye {c}", "z": z, **({"position": p} if positions > 1 else {})}
        place = {"XPosition_um_Intended": 100.0 * p - 2.5 * t, "YPosition_um_Intended": 50.0 + t}
        said = {"PixelSizeUm": 0.5, "ZPosition_um_Intended": 2.0 * z, "ElapsedTime-ms": 60000 * t, "Axes": axes} | place
        index += stacks[-1].append(array[t, c, z] + p, axes, {**said, "Time": "2026-01-02 03:04:05 -"})
    for stack in stacks:
        (folder / stack.name).write_bytes(stack.content(closed))
    (folder / "NDTiff.index").write_bytes(bytes(index))
    return folder / "NDTiff.index"


class _Stack:
    """One stack file: a TIFF whose pages carry their metadata."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pages = 0
        self._next = 4  # where the offset of the next page is written
        self._data = bytearray(b"II*\0" + struct.pack("<IIIIII", 0, 483729, 3, 2, 2355492, 0))

    def append(self, plane: np.ndarray, axes: dict, said: dict) -> bytes:
        """Write a page; return its entry in the index."""
        text = json.dumps(said).encode()
        start = len(self._data)
        tags = 9
        pixels = start + 2 + 12 * tags + 4
        where = pixels + plane.nbytes
        y, x = plane.shape
        bits = plane.dtype.itemsize * 8
        values = [
            (256, 4, 1, x),
            (257, 4, 1, y),
            (258, 3, 1, bits),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (273, 4, 1, pixels),
        ]
        values += [(277, 3, 1, 1), (279, 4, 1, plane.nbytes), (51123, 2, len(text), where)]
        self._data[self._next : self._next + 4] = struct.pack("<I", start)
        self._next = start + 2 + 12 * tags
        self._data += struct.pack("<H", tags) + b"".join(struct.pack("<HHII", *value) for value in values)
        self._data += bytes(4) + plane.tobytes() + text
        self.pages += 1
        named, name = json.dumps(axes).encode(), self.name.encode()
        kind = {1: 0, 2: 1}[plane.dtype.itemsize]
        entry = struct.pack("<I", len(named)) + named + struct.pack("<I", len(name)) + name
        return entry + struct.pack("<IiiiiIii", pixels, x, y, kind, 0, where, len(text), 0)

    def content(self, closed: bool) -> bytes:
        """The file; of one that is still open, the last page points to where the next will be."""
        data = bytearray(self._data)
        if not closed:
            data[self._next : self._next + 4] = struct.pack("<I", len(data))
        return bytes(data)
