"""Olympus OIF (settings and a folder of planes) and OIB (the same in an OLE2 file), written from an array."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import tifffile

SECTOR = 512
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


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
    tables = 1
    while tables * (SECTOR // 4) < used + tables:
        tables += 1
    assert tables <= 109  # more would need a table of tables
    fat = [_FAT] * tables + _run(tables, directory)
    starts, position = [], tables + directory
    for count in counts:
        starts.append(position)
        fat += _run(position, count)
        position += count
    fat += [_FREE] * (tables * (SECTOR // 4) - len(fat))
    entries = _entry("Root Entry", 5, _END, 0, child=1 if streams else _FREE)
    for i, (name, data) in enumerate(zip(streams, contents, strict=True), start=1):
        # A chain of right siblings is a tree, if not a balanced one.
        entries += _entry(name, 2, starts[i - 1], len(data), right=i + 1 if i < len(streams) else _FREE)
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, tables, tables, 0, 4096, _END, 0, _END, 0)
    header += struct.pack("<109I", *(list(range(tables)) + [_FREE] * (109 - tables)))
    body = struct.pack(f"<{len(fat)}I", *fat) + entries.ljust(directory * SECTOR, b"\0")
    return header + body + b"".join(data.ljust(n * SECTOR, b"\0") for data, n in zip(contents, counts, strict=True))


def _run(start: int, count: int) -> list[int]:
    """The table's entries of sectors that follow each other."""
    return [*range(start + 1, start + count), _END]


def _entry(name: str, kind: int, start: int, size: int, right: int = _FREE, child: int = _FREE) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16sIQQIQ", text, len(text), kind, 1, _FREE, right, child, b"", 0, 0, 0, start, size
    )  # fmt: skip
