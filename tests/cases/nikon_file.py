"""A Nikon ND2 (version 3), written from an array (P, T, C, Z, Y, X): chunks, and a map of them at the end."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_MAGIC = 0x0ABECEDA
_NAME_RESERVE = 4072  # a frame's name is padded, so that its pixels begin at a round place


def nd2(folder: Path, array: np.ndarray) -> Path:
    return experiment(folder / "embryo.nd2", array[None])


def experiment(path: Path, array: np.ndarray, frames: int | None = None) -> Path:
    """Write frames by time, position, slice; `frames` of them, where the experiment was stopped early."""
    p, t, c, z, y, x = array.shape
    bits = 8 * array.dtype.itemsize
    attributes = {"uiWidth": x, "uiWidthBytes": x * c * bits // 8, "uiHeight": y, "uiComp": c, "uiBpcInMemory": bits}
    attributes |= {"uiBpcSignificant": bits, "uiSequenceCount": p * t * z, "eCompression": 2}
    probe = {"pFluorescentProbe": {"m_sName": "a dye"}, "uiCompCount": 1, "uiModalityMask": 0}
    planes = {f"a{i}": {"sDescription": f"dye {i}", **probe} for i in range(c)}
    picture = {"sPicturePlanes": {"uiCount": c, "sPlaneNew": planes}, "bCalibrated": True, "dCalibration": 0.5}
    chunks = {"ImageAttributesLV!": {"SLxImageAttributes": attributes}}
    chunks |= {"ImageMetadataSeqLV|0!": {"SLxPictureMetadata": picture}}
    chunks |= {"ImageMetadataLV!": {"SLxExperiment": _loops(t, p, z)}}
    file = _File()
    for name, values in chunks.items():
        file.add(name, b"".join(_variant(key, value) for key, value in values.items()))
    times = []
    for n, (i, j, k) in enumerate(np.ndindex(t, p, z)):
        times.append(60_000.0 * i + k)
        if frames is None or n < frames:
            pixels = np.ascontiguousarray(np.moveaxis(array[j, i, :, k], 0, -1)).tobytes()
            file.add(f"ImageDataSeq|{n}!", struct.pack("<d", times[-1]) + pixels, _NAME_RESERVE)
    file.add("CustomData|AcqTimesCache!", struct.pack(f"<{len(times)}d", *times))
    path.write_bytes(file.finished())
    return path


def _loops(t: int, p: int, z: int) -> dict[str, Any]:
    """Time, in it positions, in them slices."""
    inner: dict[str, Any] = {"eType": 4, "uLoopPars": {"uiCount": z, "dZStep": 2.0, "dZLow": 0.0, "dZHigh": 2.0 * z}}
    if p > 1:
        points = {f"i{i:010}": {"dPosX": 1.0 * i, "dPosY": 0.0, "dPosName": f"well {i}"} for i in range(p)}
        inner = {"eType": 2, "uLoopPars": {"Points": points}, "ppNextLevelEx": {"i0000000000": inner}}
    time = {"uiCount": t, "dStart": 0.0, "dPeriod": 60_000.0, "dDuration": 60_000.0 * t}
    return {"eType": 1, "uLoopPars": time, "ppNextLevelEx": {"i0000000000": inner}}


def _variant(name: str, value: object) -> bytes:
    """A named value in the "lite variant" form; a mapping is a level with an index of its items behind."""
    text = (name + "\0").encode("utf-16-le")
    if isinstance(value, Mapping):
        content = b"".join(_variant(key, item) for key, item in value.items())
        head = struct.pack("<BB", 11, len(name) + 1) + text
        return head + struct.pack("<IQ", len(value), len(head) + 12 + len(content)) + content + bytes(8 * len(value))
    if isinstance(value, str):
        kind, data = 8, (value + "\0").encode("utf-16-le")
    elif isinstance(value, bool):
        kind, data = 1, struct.pack("<B", value)
    elif isinstance(value, float):
        kind, data = 6, struct.pack("<d", value)
    else:
        assert isinstance(value, int)
        kind, data = 3, struct.pack("<I", value)
    return struct.pack("<BB", kind, len(name) + 1) + text + data


class _File:
    """Chunks so far, and where they are."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._map = b""
        self._add(b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0".ljust(64, b"\0"))

    def _add(self, name: bytes, data: bytes) -> int:
        position = len(self._data)
        self._data += struct.pack("<IIQ", _MAGIC, len(name), len(data)) + name + data
        return position

    def add(self, name: str, data: bytes, reserve: int = 0) -> None:
        position = self._add(name.encode().ljust(reserve, b"\0"), data)
        self._map += name.encode() + struct.pack("<QQ", position, len(data))

    def finished(self) -> bytes:
        end = b"ND2 CHUNK MAP SIGNATURE 0000001!"
        position = self._add(b"ND2 FILEMAP SIGNATURE NAME 0001!", self._map + end)
        # The map's own end, and after it the place of the map.
        return bytes(self._data) + end + struct.pack("<Q", position)
