"""MetaMorph: a stack as STK, and an experiment as the ``.nd`` that lists one for each wavelength and time point."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

DAY, INTERVAL_MS = 2_460_000, 60_000
UNIT = b"um\0"


def stk(folder: Path, array: np.ndarray) -> Path:
    """Write the slices of a stack (1, 1, Z, Y, X)."""
    return stack(folder / "embryo.stk", array[0, 0])


def stk_in_time(folder: Path, array: np.ndarray) -> Path:
    """Write the time points of a plane (T, 1, 1, Y, X)."""
    return stack(folder / "embryo.stk", array[:, 0, 0], along="T")


def nd(folder: Path, array: np.ndarray) -> Path:
    """Write an experiment (T, C, Z, Y, X)."""
    t, c, z = array.shape[:3]
    lines = [
        '"NDInfoFile", Version 1.0', '"Description", File recreated.', '"StartTime1", 20260102 10:00:00.000',
        '"DoTimelapse", TRUE', f'"NTimePoints", {t}', '"DoStage", FALSE', '"DoWave", TRUE', f'"NWavelengths", {c}',
        *(f'"WaveName{k + 1}", "dye {k}"\n"WaveDoZ{k + 1}", TRUE' for k in range(c)),
        '"DoZSeries", TRUE', f'"NZSteps", {z}', '"ZStepSize", 2', '"WaveInFileName", TRUE', '"NEvents", 0', '"EndFile"',
    ]  # fmt: skip
    path = folder / "embryo.nd"
    path.write_bytes("\r\n".join(lines).replace("\n", "\r\n").replace("\r\r", "\r").encode() + b"\r\n")
    for i, k in np.ndindex(t, c):
        stack(folder / f"embryo_w{k + 1}dye {k}_t{i + 1}.stk", array[i, k], ms=i * INTERVAL_MS)
    return path


def stack(path: Path, planes: np.ndarray, along: str = "Z", ms: int = 0) -> Path:
    """Write planes (N, Y, X) one behind the other, and what MetaMorph says of them."""
    count, height, width = planes.shape
    data = bytearray(8)
    data += planes.astype(planes.dtype.newbyteorder("<")).tobytes()

    def put(values: bytes) -> int:
        place = len(data)
        data.extend(values)
        return place

    length = [put(struct.pack("<II", 25 * n, 100)) for n in (1, 2)]  # 0.25 and 0.5 micrometres
    unit = put(struct.pack("<I", len(UNIT)) + UNIT)
    calibration = put(struct.pack("<6I", 4, length[0], 5, length[1], 6, unit))
    steps = [
        (2 if along == "Z" else 0, 1, DAY, ms + (n * INTERVAL_MS if along == "T" else 0), 0, 0) for n in range(count)
    ]
    distances = put(b"".join(struct.pack("<6I", *step) for step in steps))
    waves = put(struct.pack("<II", 461, 1) * count)
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8 * planes.dtype.itemsize), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, planes[0].nbytes),
        (33628, 4, 3, calibration), (33629, 5, count, distances), (33630, 5, count, waves),
    ]  # fmt: skip
    index = put(struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4))
    data[:8] = struct.pack("<2sHI", b"II", 42, index)
    path.write_bytes(bytes(data))
    return path
