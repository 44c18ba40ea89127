"""What one service can carry: how many time points, and rows, its own part of the work lets through.

    python tests/benchmarks/bench_carry.py [--time-points 100] [--nuclei 100,1000,5000] [--database URL]

Workers segment and track; the service itself claims, commits, and shows labels and tracks to readers. Here it does this
for one series of stacks after another, with nothing else to do: a claim, the transaction, `publish`, and once tracks
are final their painting's `show`. Printed are commits and rows a second, elapsed and of a processor, and hence how many
time points a day one service can carry at most, whoever segments them. `--database` is an empty one on a server.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.stored import acquisition

from daemon import pipeline
from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from tracking.graph import Track
from tracking.tracker import FrameTracks, TrackUpdate

SHAPE = (30, 128, 128)  # what is written is the workers' part
DAY_S = 86_400.0
PARTS = ("claim", "commit", "publish", "show tracks")


@dataclass
class Spent:
    """Seconds, elapsed and of a processor, by part."""

    elapsed: dict[str, float]
    processor: dict[str, float]

    def add(self, part: str, begun: tuple[float, float]) -> None:
        """What was begun then is over."""
        self.elapsed[part] += time.perf_counter() - begun[0]
        self.processor[part] += time.process_time() - begun[1]


def now() -> tuple[float, float]:
    """Elapsed and processor seconds."""
    return time.perf_counter(), time.process_time()


def found(t: int, count: int, random: np.random.Generator) -> tuple[Nuclei, TrackUpdate]:
    """So many nuclei, each the next of its track."""
    table = Nuclei.from_positions(
        t, random.uniform(0, 500, (count, 3)), score=np.float32(0.9), volume_um3=random.uniform(100, 900, count)
    )
    labels = np.arange(1, count + 1)
    tracks = tuple(Track(int(n), None, 0, t, t + 1, False, None) for n in labels)
    return table, TrackUpdate((FrameTracks(t, labels, labels, False),), tracks, ())


def carried(catalog: Catalog, folder: Path, count: int, time_points: int) -> Spent:
    """Do the service's part for a series."""
    image = acquisition(np.zeros((1, 1, *SHAPE), np.uint16), name=f"series-{count}")
    row = catalog.register(
        image,
        zarr_path=folder / f"{image.name}.ome.zarr",
        model_name="m",
        model_sha256="0" * 64,
        params={"nuclear_channel": 0},
    )
    catalog.add_timepoints(row.id, {t: f"content1-{count}-{t}" for t in range(time_points)})
    store = ImageStore.create(str(row.zarr_path), image, owner=catalog.stores.owner(row))
    labels = np.zeros(SHAPE, np.uint32)
    labels[:, 10:20, 10:20] = 1
    random = np.random.default_rng(0)
    spent = Spent(dict.fromkeys(PARTS, 0.0), dict.fromkeys(PARTS, 0.0))
    for t in range(time_points):
        begun = now()
        job = catalog.claim_next()
        spent.add("claim", begun)
        assert job is not None
        table, update = found(t, count, random)
        store.write_timepoint(t, [image.planes(0, 0)], labels)
        begun = now()
        catalog.commit_timepoint(job, table, update, b"state", {})
        spent.add("commit", begun)
        begun = now()
        pipeline.publish(catalog, row, t)
        spent.add("publish", begun)
        store.write_tracks(t, {1: 1})
        begun = now()
        pipeline.show_tracks(catalog, row, t)
        spent.add("show tracks", begun)
    return spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time-points", type=int, default=100)
    parser.add_argument("--nuclei", default="100,1000,5000")
    parser.add_argument("--database")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Catalog.open(asked.database or name) as catalog:
        for count in (int(part) for part in asked.nuclei.split(",")):
            spent = carried(catalog, Path(name), count, asked.time_points)
            elapsed, processor = (sum(one.values()) / asked.time_points for one in (spent.elapsed, spent.processor))
            parts = ", ".join(f"{part} {1000 * spent.elapsed[part] / asked.time_points:.0f}" for part in PARTS)
            print(
                f"{count} nuclei: {1 / elapsed:.1f} time points and {count / elapsed:.0f} rows a second ({parts} ms; "
                f"{1000 * processor:.0f} ms of a processor), {DAY_S / elapsed:,.0f} time points a day",
                flush=True,
            )


if __name__ == "__main__":
    main()
