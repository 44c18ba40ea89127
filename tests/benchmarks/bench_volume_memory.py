"""Peak memory of reconstruction on slices that come one by one: the labels and a few slices, whatever the depth.

Run it by hand:  python tests/benchmarks/bench_volume_memory.py [--shape 60,1024,1024]

Slices of balls 36 px apart and 11 slices thick are made as they are asked for. What the process needs at most beyond
what it had before, by the kernel's count (Linux), may exceed the labels by 8 slices of them; exit code 1 if it does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "nuset_engine"))

from volume_scenes import Slice

from nuset_engine.reconstruction.volume import reconstruct

VOXEL = (1.0, 0.3, 0.3)
CELL, RADIUS, HALF = 36, 16.0, 6.0
SPARE_SLICES = 8


def balls(shape: tuple[int, int, int]) -> Iterator[Slice]:
    """One ball at its own depth in each cell of a grid, slice by slice."""
    depth, rows, columns = shape[0], shape[1] // CELL, shape[2] // CELL
    centre = np.random.default_rng(0).uniform(0, depth, (rows, columns))
    y, x = np.mgrid[:CELL, :CELL] - (CELL - 1) / 2
    for z in range(depth):
        plane, count = np.zeros(shape[1:], np.int32), 0
        for row, column in np.argwhere(np.abs(centre - z) < HALF).tolist():
            radius = RADIUS * np.sqrt(1 - ((centre[row, column] - z) / HALF) ** 2)
            inside = y**2 + x**2 < radius**2
            if inside.any():
                count += 1
                plane[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL][inside] = count
        yield Slice(plane, np.ones(count, np.float32))


def peak_mib() -> float:
    """Most memory that this process ever held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="60,1024,1024")
    depth, height, width = (int(part) for part in parser.parse_args().shape.split(","))
    # What is imported, and used for single slices, is not counted.
    reconstruct(balls((24, 4 * CELL, 4 * CELL)), VOXEL)
    reconstruct(balls((4, height, width)), VOXEL)
    before = peak_mib()
    volume = reconstruct(balls((depth, height, width)), VOXEL)
    rise, labels = peak_mib() - before, volume.labels.nbytes / 2**20
    limit = labels * (1 + SPARE_SLICES / depth)
    found = f"{len(volume.trust)} nuclei, labels {labels:.0f} MiB"
    print(f"{found}, peak {rise:.0f} MiB above the start, limit {limit:.0f}")
    return int(rise > limit)


if __name__ == "__main__":
    sys.exit(main())
