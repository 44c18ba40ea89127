"""The longest gap between two turns of the service's main loop while the tracks of an acquisition are made anew.

    python tests/benchmarks/bench_main_loop.py [--frames 400] [--nuclei 1000] [--changed 100]

A service with its real worker is started on a database in which an acquisition of that many time points and nuclei is
done, and in which some of its time points have been analysed again because their sources changed. Every nucleus gets
another track id than before, the most that a replay can change. The loop is timed from the start of the service
until the new tracks are current; with another program beside it, a reader that asks again and again sees the old tracks
or the new ones. Exit code 1 when a gap is longer than a second, when it took more than one replay, or when a reader saw
a mixture. At full size about ten minutes of processor time on one core, nearly all of it the worker's.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases.stored import acquisition, one_to_one, pixels, squares
from numpy.typing import NDArray

from daemon.configuration import config as configuration
from daemon.monitoring.notify import Notifier
from daemon.processing.messages import Ready, ReplayTask, Task
from daemon.processing.recipe import Recipe
from daemon.service import Service
from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from storage.schema.rows import AnalysedTimepoint
from tracking.tracker import Tracker

LIMIT_S = 1.0
SPACING_UM, STEP_UM = 12.0, 0.7
ENGINE = """
class Info:
    name, sha256 = "m", "0" * 64

class Engine:
    def __init__(self, weights, params, threads):
        self.weights_info = Info()
"""


def places(nuclei: int, frames: int) -> NDArray[np.float64]:
    """Nuclei on a grid that wander, as (T, N, 3) micrometres."""
    rng = np.random.default_rng(20261127)
    side = int(np.ceil(nuclei ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side) * SPACING_UM] * 3, indexing="ij"), -1).reshape(-1, 3)[:nuclei]
    return grid + rng.normal(0.0, STEP_UM, (frames, nuclei, 3)).cumsum(axis=0) * 0.3


def table(t: int, where: NDArray[np.float64]) -> Nuclei:
    """The nuclei of one time point."""
    return Nuclei.from_positions(t, where, volume_um3=np.full(len(where), 300.0), score=0.9)


def prepare(root: Path, where: NDArray[np.float64], changed: int) -> int:
    """An acquisition that is done, and time points of it that were analysed again; its id."""
    frames, nuclei = where.shape[:2]
    recipe = Recipe(Ready("m", "0" * 64), configuration.Processing())
    image = acquisition(pixels(t=frames), name="movie")
    with Catalog.open(root / "nusetd.sqlite") as catalog:
        row = catalog.register(
            image,
            zarr_path=root / "movie.ome.zarr",
            model_name="m",
            model_sha256="0" * 64,
            params=recipe.params(0),
        )
        store = ImageStore.create(root / "movie.ome.zarr", image)
        catalog.add_timepoints(row.id, dict.fromkeys(range(frames), "first"))
        for t in range(frames):
            job = catalog.claim_next()
            assert job is not None
            catalog.commit_timepoint(job, table(t, where[t]), one_to_one(t, nuclei), Tracker().state(), {}, {}, {})
            store.write_timepoint(t, [image.planes(t, 0)], squares(t, 1))
            store.publish(t)
            catalog.mark_published(row.id, t)
            catalog.mark_painted(row.id, t)
        again = np.linspace(0, frames - 1, changed).astype(int).tolist()
        catalog.add_timepoints(row.id, dict.fromkeys(again, "changed"))
        while (job := catalog.claim_next()) is not None:
            catalog.keep(AnalysedTimepoint(job, table(job.t, where[job.t]), {}, {}))
        return row.id


class Reader(threading.Thread):
    """Another program, which asks for nuclei and tracks again and again."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.asked, self.stopping = path, 0, False
        self.seen: list[tuple[int, int]] = []

    def run(self) -> None:
        """Note which ids there are, of nuclei and of tracks."""
        while not self.stopping:
            with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
                connection.execute("BEGIN")
                nuclei = connection.execute("SELECT sum(track_id) FROM nuclei").fetchone()[0]
                tracks = connection.execute("SELECT sum(track_id * nuclei_count) FROM tracks").fetchone()[0]
            self.asked += 1
            if (nuclei, tracks) not in self.seen:
                self.seen.append((nuclei, tracks))
            time.sleep(0.5)


def measure(root: Path, number: int) -> tuple[list[float], int, float]:
    """Gaps between turns, replays, and seconds until the new tracks were current."""
    (root / "incoming").mkdir()
    (root / "engine_of_bench.py").write_text(ENGINE)
    sys.path.insert(0, str(root))
    text = f'[[watch]]\npath = "{root}/incoming"\noutput = "{root}"\n[engine]\nfactory = "engine_of_bench:Engine"\n'
    turns, replays = [], 0
    with Catalog.open(root / "nusetd.sqlite") as catalog:
        service = Service(configuration.parse(text, root / "nusetd.toml"), catalog, Notifier())
        worker = service._parts.workers.all[0]
        give = worker.give

        def counted(task: Task) -> None:
            nonlocal replays
            replays += isinstance(task, ReplayTask)
            give(task)

        worker.give = counted  # type: ignore[method-assign]
        began = time.perf_counter()
        while catalog_waits(root, number):
            turns.append(time.perf_counter())
            service.turn()
        took = time.perf_counter() - began
        for _ in range(10):
            turns.append(time.perf_counter())
            service.turn()
        service._end(None)
    return np.diff(turns).tolist(), replays, took


def catalog_waits(root: Path, number: int) -> bool:
    """Say whether a time point is not done, as another program sees it."""
    with closing(sqlite3.connect(f"file:{root}/nusetd.sqlite?mode=ro", uri=True)) as connection:
        query = "SELECT count(*) FROM timepoints WHERE acquisition_id = ? AND state <> 'done'"
        return bool(connection.execute(query, (number,)).fetchone()[0])


def main() -> int:
    """Prepare, measure, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--nuclei", type=int, default=1000)
    parser.add_argument("--changed", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        number = prepare(root, places(options.nuclei, options.frames), options.changed)
        reader = Reader(root / "nusetd.sqlite")
        reader.start()
        gaps, replays, took = measure(root, number)
        reader.stopping = True
        reader.join()
    size = f"{options.frames} time points x {options.nuclei} nuclei, {options.changed} of them changed"
    print(f"{size}: new tracks were current after {took:.1f} s")
    print(f"replays: {replays}")
    print(f"turns: {len(gaps)}, gap median {np.median(gaps):.3f} s, longest {max(gaps):.3f} s (limit {LIMIT_S:g} s)")
    print(f"a reader asked {reader.asked} times and saw {len(reader.seen)} states (old and new: 2)")
    good = max(gaps) <= LIMIT_S and replays == 1 and len(reader.seen) <= 2
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
