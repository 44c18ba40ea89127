"""What doubts cost a time point: linking it to the tracks and committing it, with them and without.

    python tests/benchmarks/bench_doubt_cost.py [--nuclei 1000] [--frames 48] [--repeats 3] [--profile]

The same movie of nuclei that drift, divide, and are missed now and then is tracked and committed twice at once, into
two SQLite files on the disk: once as the service does it, once by a tracker that judges nothing and keeps nothing that
only doubts need, so that rows are written without their columns. Time points of the two take turns, and so does who is
first, so that whatever else the machine does slows down both. Stated are medians of a time point's elapsed and
processor time, of the transaction alone and of linking and transaction together, and their ratio; exit code 1 when one
of the two ratios of elapsed time is above 1.1. About two minutes of processor time.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.stored import acquisition, pixels

from daemon import pipeline
from daemon.configuration import config as configuration
from daemon.processing.messages import Ready, TrackTask
from daemon.processing.recipe import Recipe
from daemon.processing.tracker_cache import TrackerCache
from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.schema.rows import AnalysedTimepoint
from tracking.evidence.frame import Frame
from tracking.tracker import Tracker

MOST = 1.1
SETTLED = 8  # time points after which tracks become final
OF_DOUBTS = ("seen", "wrong", "doubt", "link_doubt", "end_doubt", "fault")
PARTS = ("transaction", "linking and transaction")
CLOCKS = (time.perf_counter, time.process_time)


def movie(count: int, frames: int) -> list[Nuclei]:
    """Nuclei that drift, grow, divide and are missed, with all that the engine measures of them."""
    chance = np.random.default_rng(1)
    places, size = chance.uniform(0, 60.0 * np.cbrt(count), (count, 3)), chance.normal(np.log(8.0), 0.1, count)
    found = []
    for t in range(frames):
        places = places + chance.normal(0, 0.6, places.shape) + (0.3, 0.1, -0.2)
        size = np.minimum(size + 0.01, np.log(10.0))
        mothers, axis = chance.random(len(size)) < 0.002, chance.normal(0, 2.5, places.shape)
        places = np.concatenate([places + axis * mothers[:, None], (places - axis)[mothers]])
        size = np.concatenate([size - 0.23 * mothers, (size - 0.23)[mothers]])
        seen = np.flatnonzero(chance.random(len(size)) > 0.02)[:count]
        found.append(_table(t, places[seen], size[seen] + chance.normal(0, 0.04, len(seen)), chance))
    return found


def _table(t: int, places: np.ndarray, size: np.ndarray, chance: np.random.Generator) -> Nuclei:
    many, volume = len(size), np.pi / 6 * np.exp(3 * size)
    slices = np.round(np.exp(size) / 2.0)
    columns = {
        "volume_um3": volume,
        "equivalent_diameter_um": np.exp(size),
        "volume_px": np.round(volume * 2.0).astype(np.int64),
        "slices_expected": slices.astype(np.int64),
        "slices_seen": (slices - (chance.random(many) < 0.1)).astype(np.int64),
        "score": chance.uniform(0.6, 1.0, many),
        "intensity_mean": np.exp(chance.normal(7.0, 0.1, many)),
        "intensity_std": np.exp(chance.normal(5.0, 0.1, many)),
        "elongation": chance.uniform(1.0, 1.6, many),
        "extent": chance.uniform(0.45, 0.6, many),
    }
    return Nuclei.from_positions(t, places, **columns)


@contextmanager
def without_doubts() -> Iterator[None]:
    """Nothing is judged, kept or written that only doubts need."""

    def arrays(frame: Frame) -> dict[str, np.ndarray]:
        kept = (f.name for f in fields(frame) if f.name not in ("t", "sums", *OF_DOUBTS))
        return {name: getattr(frame, name) for name in kept}

    with ExitStack() as stack:
        for owner, name, instead in (
            (Tracker, "_doubts", lambda *_, **__: ()),
            (Frame, "arrays", arrays),
        ):
            stack.enter_context(mock.patch.object(owner, name, instead))
        yield


class Acquired:
    """An acquisition in a database of its own, to which time points are added."""

    def __init__(self, folder: Path, frames: int) -> None:
        self.catalog = Catalog.open(folder / "nusetd.sqlite")
        params = Recipe(Ready("m", "0" * 64), configuration.Processing()).params(0)
        image = acquisition(pixels(t=1))
        store = folder / "movie.ome.zarr"
        row = self.catalog.register(image, zarr_path=store, model_name="m", model_sha256="0" * 64, params=params)
        self.catalog.add_timepoints(row.id, dict.fromkeys(range(frames), "a"))
        self.trackers, self.row = TrackerCache(), row

    def advance(self, nuclei: Nuclei) -> list[list[float]]:
        """Track and commit a time point as service and worker do; seconds by clock of each of `PARTS`."""
        job = self.catalog.claim_next()
        assert job is not None
        assert job.t == nuclei.t
        task = TrackTask(self.row, self.catalog.address, job.t, job.t + 1, nuclei)
        began = [clock() for clock in CLOCKS]
        tracked = pipeline.track(task, self.trackers)
        linked = [clock() for clock in CLOCKS]
        assert pipeline.commit(self.catalog, AnalysedTimepoint(job, nuclei, {}, {}), tracked)
        ended = [clock() for clock in CLOCKS]
        return [[now - then for now, then in zip(ended, since, strict=True)] for since in (linked, began)]


def measure(steps: list[Nuclei], profiles: dict[bool, cProfile.Profile]) -> dict[bool, list[list[list[float]]]]:
    """Seconds of each time point with doubts (True) and without."""
    found: dict[bool, list[list[list[float]]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        acquired = {True: Acquired(Path(one), len(steps)), False: Acquired(Path(other), len(steps))}
        for nuclei in steps:
            for doubted in (True, False) if nuclei.t % 2 else (False, True):
                with ExitStack() as stack:
                    if not doubted:
                        stack.enter_context(without_doubts())
                    if profiles and nuclei.t >= SETTLED:
                        stack.enter_context(profiles[doubted])
                    found[doubted].append(acquired[doubted].advance(nuclei))
        for one_of in acquired.values():
            one_of.catalog.close()
    return {doubted: taken[SETTLED:] for doubted, taken in found.items()}


def main() -> int:
    """Measure, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nuclei", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="say where the time goes, which makes all of it longer")
    given = parser.parse_args()
    steps = movie(given.nuclei, given.frames)
    profiles = {doubted: cProfile.Profile() for doubted in (True, False)} if given.profile else {}
    turns = [measure(steps, profiles) for _ in range(given.repeats)]
    found = {doubted: np.array([one for turn in turns for one in turn[doubted]]) for doubted in (True, False)}
    with_them, without = (np.median(found[doubted], axis=0) for doubted in (True, False))
    print(f"{len(found[True])} time points of {given.nuclei} nuclei, with doubts and without")
    for part, name in enumerate(PARTS):
        for clock, word in enumerate(("elapsed", "processor")):
            now, then = with_them[part, clock], without[part, clock]
            print(f"{name}, {word}: {1000 * now:.1f} ms, {1000 * then:.1f} ms, {now / then:.3f} times")
    for doubted, profile in profiles.items():
        print(f"with doubts: {doubted}")
        pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
    return 0 if (with_them[:, 0] / without[:, 0]).max() <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
