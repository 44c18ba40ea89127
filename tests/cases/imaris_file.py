"""An Imaris file: HDF5 with the full resolution and a smaller one, blocks padded, attributes as single letters."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np


def ims(folder: Path, array: np.ndarray) -> Path:
    path = folder / "embryo.ims"
    t, c, z, y, x = array.shape
    with h5py.File(path, "w") as file:
        for level in range(2):
            step = 1 << level
            for i, k in np.ndindex(t, c):
                group = file.create_group(f"DataSet/ResolutionLevel {level}/TimePoint {i}/Channel {k}")
                data = array[i, k, :, ::step, ::step]
                padded = np.pad(data, [(0, -n % 4) for n in data.shape])
                group.create_dataset("Data", data=padded, chunks=(4, 4, 4), compression="gzip")
        sizes = {"X": x, "Y": y, "Z": z, "ExtMin0": -1, "ExtMax0": x * 0.25 - 1, "ExtMin1": 0, "ExtMax1": y * 0.5}
        say(file.create_group("DataSetInfo/Image"), {**sizes, "ExtMin2": 5, "ExtMax2": 5 + 2.0 * z, "Unit": "um"})
        for k in range(c):
            say(file.create_group(f"DataSetInfo/Channel {k}"), {"Name": f"dye {k}"})
        times = {f"TimePoint{i + 1}": f"2026-01-02 10:{i:02d}:00.000" for i in range(t)}
        say(file.create_group("DataSetInfo/TimeInfo"), times)
    return path


def say(group: h5py.Group, values: dict[str, object]) -> None:
    """Write attributes as Imaris does: an array of letters each."""
    for name, value in values.items():
        group.attrs[name] = np.frombuffer(str(value).encode(), "S1")
