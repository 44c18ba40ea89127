"""Olympus OIF (settings and a folder of planes) and OIB (the same in an OLE2 file), written from an array."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import tifffile

SECTOR = 512
_FREE, _END, _FAT, _DIFAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC


def oif(folder: Path, array: np.ndarray) -> Path:
    path = folder / "embryo.oif"
    planes = folder / "embryo.oif.files"
    planes.mkdir(exist_ok=True)
    for name, data in plane_files(array).items():
        (planes / name).write_bytes(data)
    path.write_bytes(settings(array))
    return path


def oib(folder: Path, array: np.ndarray) -> Path:
    path = folder / "embryo.oib"
    streams = {f"Stream{i:05d}": data for i, data in enumerate(plane_files(array).values(), start=1)}
    listed = [f"Stream{i:05d}=Storage00001/{name}" for i, name in enumerate(plane_files(array), start=1)]
    info = [
        "[OibSaveInfo]",
        "Name=OibSaveInfo",
        "Version=2.0.0.0",
        "MainFileName=Stream00000",
        "Stream00000=embryo.oif",
    ]
    info += [*listed, "Storage00001=embryo.oif.files"]
    content = {"OibInfo.txt": _text(info), "Stream00000": settings(array), **streams}
    path.write_bytes(compound_file(content))
    return path


def plane_files(array: np.ndarray) -> dict[str, bytes]:
    """The planes as TIFFs, by name."""
    files = {}
    for t, c, z in np.ndindex(array.shape[:3]):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, array[t, c, z], metadata=None)
        files[f"s_C{c + 1:03d}Z{z + 1:03d}T{t + 1:03d}.tif"] = buffer.getvalue()
    return files


def settings(array: np.ndarray) -> bytes:
    """The settings file: UTF-16 with sections."""
    t, c, z, y, x = array.shape
    lines = ["[Acquisition Parameters Common]", 'ImageCaputreDate="2026-01-02 03:04:05"']
    axes = (("X", x, 0, "um"), ("Y", y, 0, "um"), ("C", c, 0, "Ch"), ("Z", z, 2000, "nm"), ("T", t, 60000, "ms"))
    for i, (code, size, interval, unit) in enumerate(axes):
        lines += [f"[Axis {i} Parameters Common]", f'AxisCode="{code}"', f"MaxSize={size}", f'UnitName="{unit}"']
        lines += [f"Interval={interval}", "StartPosition=0.0", f"EndPosition={interval * (size - 1)}.0"]
    lines += ["[Axis Parameter Common]", "AxisCount=5", 'AxisOrder="XYCZT"']
    for i in range(c):
        lines += [f"[Channel {i + 1} Parameters]", f'DyeName="dye {i}"', f'CH Name="CH{i + 1}"']
    lines += ["[ProfileSaveInfo]", 'Name="COFAImages"', 'Version="2.0.0.0"', f"FrameCount={t * c * z}"]
    lines += ["[Reference Image Parameter]", f"ImageDepth={array.dtype.itemsize}", "ValidBitCounts=12"]
    lines += ["HeightConvertValue=0.5", 'HeightUnit="um"', "WidthConvertValue=0.25", 'WidthUnit="um"']
    return _text(lines)


def _text(lines: list[str]) -> bytes:
    return ("\ufeff" + "".join(f"{line}\r\n" for line in lines)).encode("utf-16-le")


def compound_file(streams: dict[str, bytes]) -> bytes:
    """An OLE2 file of version 3. All streams are padded to at least 4096 bytes, so that none needs the short table."""
    contents = [data.ljust(4096, b"\0") if len(data) < 4096 else data for data in streams.values()]
    counts = [-(-len(data) // SECTOR) for data in contents]
    directory = -(-(len(streams) + 1) // 4)
    used = directory + sum(counts)
    per_sector, tables, lists = SECTOR // 4, 1, 0  # lists: sectors that name tables for which the header has no room
    while tables * per_sector < used + tables + lists:
        tables += 1
        lists = -(-max(0, tables - 109) // (per_sector - 1))
    fat = [_FAT] * tables + [_DIFAT] * lists + _run(tables + lists, directory)
    starts, position = [], tables + lists + directory
    for count in counts:
        starts.append(position)
        fat += _run(position, count)
        position += count
    fat += [_FREE] * (tables * (SECTOR // 4) - len(fat))
    top, beside = _tree(list(streams))
    entries = _entry("Root Entry", 5, _END, 0, child=top)
    for i, (name, data) in enumerate(zip(streams, contents, strict=True), start=1):
        entries += _entry(name, 2, starts[i - 1], len(data), *beside[i])
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack(
        "<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, tables, tables + lists, 0, 4096, _END, 0,
        tables if lists else _END, lists,
    )  # fmt: skip
    named = [*range(tables), *[_FREE] * (109 + lists * (per_sector - 1) - tables)]
    header += struct.pack("<109I", *named[:109])
    body = struct.pack(f"<{len(fat)}I", *fat)
    for i in range(lists):
        start, following = 109 + i * (per_sector - 1), tables + i + 1 if i + 1 < lists else _END
        body += struct.pack(f"<{per_sector}I", *named[start : start + per_sector - 1], following)
    body += entries.ljust(directory * SECTOR, b"\0")
    return header + body + b"".join(data.ljust(n * SECTOR, b"\0") for data, n in zip(contents, counts, strict=True))


def _run(start: int, count: int) -> list[int]:
    """The table's entries of sectors that follow each other."""
    return [*range(start + 1, start + count), _END]


def _tree(names: list[str]) -> tuple[int, dict[int, tuple[int, int]]]:
    """The top of a balanced tree of entries, which count from 1, and what is left and right of each."""
    order = [i for _, _, i in sorted((len(name), name.upper(), i) for i, name in enumerate(names, start=1))]
    beside: dict[int, tuple[int, int]] = {}

    def top_of(some: list[int]) -> int:
        if not some:
            return _FREE
        middle = len(some) // 2
        beside[some[middle]] = (top_of(some[:middle]), top_of(some[middle + 1 :]))
        return some[middle]

    return top_of(order), beside


def _entry(
    name: str, kind: int, start: int, size: int, left: int = _FREE, right: int = _FREE, child: int = _FREE
) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16sIQQIQ", text, len(text), kind, 1, left, right, child, b"", 0, 0, 0, start, size
    )  # fmt: skip
