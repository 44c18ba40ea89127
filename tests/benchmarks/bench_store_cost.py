"""What an OME-Zarr costs on the disk, and what a reader sees while it grows and while time points are replaced.

Run: ``python tests/benchmarks/bench_store_cost.py cost`` prints, for both versions, megabytes and files per time point
of image, nuclei and tracks, and the labels' size as a share of their raw size, on stacks of the demo's kind of cells
(30 x 1024 x 1024). ``... readers [READS]`` (default 1000) lets a reader of another process poll.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import zarr

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.stored import acquisition, pixels

from storage.omezarr.image_store import ImageStore

STACK = (30, 1024, 1024)
NUCLEI = 300
PARTS = {"image": ("0", "1", "2"), "nuclei": ("labels/nuclei",), "tracks": ("labels/tracks",)}


def cells(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A noisy stack (Z, Y, X) uint16 of ellipsoid nuclei, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.zeros(STACK, dtype=np.uint32)
    for label in range(1, NUCLEI + 1):
        radius = np.array([4.0, 22.0, 22.0]) * random.uniform(0.8, 1.2, 3)
        centre = random.uniform(radius, np.array(STACK) - radius)
        low, high = np.floor(centre - radius).astype(int), np.ceil(centre + radius).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        away = [((np.arange(a, b) - c) / r) ** 2 for a, b, c, r in zip(low, high, centre, radius, strict=True)]
        inside = away[0][:, None, None] + away[1][None, :, None] + away[2][None, None, :] <= 1
        labels[box][inside] = label
    light = np.where(labels > 0, 900.0, 100.0)
    return random.poisson(light).astype(np.uint16), labels


def cost() -> None:
    """Write two time points in each version, and add up what lies there."""
    print(f"stack {STACK}, {NUCLEI} nuclei; labels raw {4 * np.prod(STACK) / 1e6:.0f} MB a time point")
    stacks = [cells(t) for t in range(2)]
    for version in ("0.4", "0.5"):
        with tempfile.TemporaryDirectory() as folder:
            image = acquisition(np.stack([stack for stack, _ in stacks])[:, None])
            store = ImageStore.create(Path(folder) / "x.ome.zarr", image, version)
            begin = time.process_time()
            for t, (stack, labels) in enumerate(stacks):
                store.write_timepoint(t, [list(stack)], labels)
                store.publish(t)
                store.write_tracks(t, {int(n): int(n) + 1000 for n in range(1, NUCLEI + 1)})
                store.publish_tracks(t)
            spent = (time.process_time() - begin) / len(stacks)
            print(f"OME-Zarr {version}: {spent:.2f} s of processor time a time point")
            for part, inside in PARTS.items():
                files = [f for name in inside for f in (store.path / name).rglob("*") if f.is_file()]
                chunks = [f for f in files if f.name not in (".zarray", ".zgroup", ".zattrs", "zarr.json")]
                size = sum(f.stat().st_size for f in chunks) / len(stacks)
                raw = np.prod(STACK) * (2 if part == "image" else 4)
                count = len(chunks) / len(stacks)
                print(f"  {part}: {size / 1e6:.2f} MB ({100 * size / raw:.2f} % of raw), {count:.0f} files")


def read_grown(path: str, reads: int, seen: Any) -> None:
    """Poll the newest time point of each array as a viewer does, opening it anew: blanks and mixtures are counted."""
    while seen[0] < reads:
        root = zarr.open_group(path, mode="r")
        for name in ("0", "1", "labels/nuclei/0", "labels/nuclei/1"):
            array: Any = root[name]
            if array.shape[0]:
                values = np.unique(np.asarray(array[array.shape[0] - 1]))
                seen[1] += values.min() == 0
                seen[2] += len(values) > 1
                seen[0] += 1


def read_replaced(path: str, reads: int, seen: Any) -> None:
    """Read a time point that is being replaced: as any zarr reader, and through `storage`, in turn."""
    store = ImageStore.open(path)
    while seen[0] < reads:
        plain: Any = zarr.open_group(path, mode="r")["labels/nuclei/0"]
        values = np.unique(np.asarray(plain[0]))
        seen[1] += values.min() == 0
        seen[2] += len(values) > 1
        seen[3] += len(np.unique(store.labels(0))) > 1
        seen[0] += 1


def readers(reads: int) -> None:
    """Grow a store, then replace its first time point, while another process reads."""
    size = (1, 1, 9, 300, 300)
    context = multiprocessing.get_context("spawn")
    for version in ("0.4", "0.5"):
        for what, target in (("growing", read_grown), ("replaced", read_replaced)):
            with tempfile.TemporaryDirectory() as folder:
                store = ImageStore.create(Path(folder) / "x.ome.zarr", acquisition(pixels(*size)), version)
                write(store, 0, 1)
                seen = context.Array("i", 4)
                reader = context.Process(target=target, args=(str(store.path), reads, seen))
                reader.start()
                rounds = 1
                while reader.is_alive():
                    rounds += 1
                    write(store, rounds if what == "growing" else 0, rounds)
                reader.join()
                ours = f", {seen[3]} mixed through storage" if what == "replaced" else ""
                print(
                    f"OME-Zarr {version}, {what} {rounds} times: {seen[0]} reads, "
                    f"{seen[1]} blank, {seen[2]} mixed{ours}"
                )


def write(store: ImageStore, t: int, value: int) -> None:
    """Write and show a time point whose voxels all have one value."""
    _, _, z, y, x = store.shape
    planes = [np.full((y, x), value, dtype=np.uint16)] * z
    store.write_timepoint(t, [planes], np.full((z, y, x), value, dtype=np.uint32))
    store.publish(t)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("cost", "readers"), default="cost")
    parser.add_argument("reads", type=int, nargs="?", default=1000, help="of readers, for each version (1000)")
    given = parser.parse_args()
    readers(given.reads) if given.what == "readers" else cost()
