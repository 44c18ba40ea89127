"""How many time points an hour several workers of one service serve.

    python tests/benchmarks/bench_workers.py [--settings 1x2,2x1] [--shape 44,230,230] [--frames 16] [--dask 2]
                                             [--against COMMIT]
    python tests/benchmarks/bench_workers.py --sleep 10 [--workers 1,2,8,32,64] [--per-worker 6]

Without `--sleep`: `nusetd process` on rendered stacks, by workers that share this machine's cores (`2x1`: two of one
thread each). Counted is from the first claim of a time point to the last commit, after as many other time points as
there are workers: starts do not count. Labels, nuclei and tracks of each setting are compared with those of the first:
labels and track ids are equal, measures differ by at most 1e-5. With `--dask` the same goes through a Dask LocalCluster
of so many workers of one thread, which is to serve at least 0.95 of what as many local ones do, by medians of three
runs of both in turns. With `--against` the same stacks go through another commit of this repository, with its own
engine; the best setting is to serve 1.25 times as many.

With `--sleep`: engines that only wait stand for graphics cards, in processes as real ones. It tells by how much so
many workers serve more than one, the service's own processor time for each time point, and by how much its memory
grew; time points are committed in order of t. Exit code 1 when they are not, when N workers serve less than 0.86 N
times one, or when results differ.
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from daemon.assembly import Assembly, Hooks, Rules, Where, assemble
from daemon.configuration.config import Processing
from daemon.configuration.service_config import EngineConfig
from daemon.demonstration.microscope import tiff_bytes
from daemon.demonstration.worker_rates import STACKS
from daemon.pipeline import admit
from daemon.processing.queue_loop import Seen
from daemon.processing.recipe import Recipe
from storage import naming, readers
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from storage.query.question import Question
from tracking.synthetic.movie import simulate

ENGINE = """
import os, time
import numpy as np

class Info:
    name, sha256 = "sleeps", "5" * 64

class Slice:
    def __init__(self, labels):
        self.labels, self.scores = labels, np.full(1, 0.9, np.float32)

class Engine:
    def __init__(self, weights, params, threads):
        self.weights_info = Info()

    def segment_stack(self, planes, statistics=None, progress=None):
        until = time.monotonic() + float(os.environ["NUSETD_BENCH_SLEEP"])
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))
            progress(0)
        labels = np.zeros(np.asarray(planes[0]).shape, np.int32)
        labels[8:24, 8:24] = 1
        for _ in planes:
            yield Slice(labels)
"""
RULES = Rules(worker_silence_s=900.0, reader_limit_s=300.0)
SERIES = 4
MEASURES_AGREE = 1e-5
BETTER_BY, DASK_AT_LEAST = 1.25, 0.95
IN_TURNS = 3
OF_IDEAL = 55 / 64
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Served:
    """What a number of workers came to."""

    rate: float
    own_s: float
    grew_mb: float
    in_order: bool


@contextmanager
def running(folder: Path, engine: EngineConfig) -> Iterator[tuple[Catalog, Assembly, list[Seen]]]:
    """The parts with all workers ready, and what is seen of time points."""
    seen: list[Seen] = []
    with Catalog.open(naming.database_path(folder)) as catalog:
        parts = assemble(catalog, engine, Where([folder]), RULES, Hooks(seen.append))
        try:
            while len(parts.workers.idle()) < engine.workers or parts.queue_loop.model is None:  # type: ignore[operator]
                parts.queue_loop.step(0.1)
            yield catalog, parts, seen
        finally:
            parts.stop()


def work(catalog: Catalog, parts: Assembly, folder: Path, series: Sequence[Sequence[Path]]) -> None:
    """Have every file of these series done and shown."""
    model = parts.queue_loop.model
    assert model is not None
    rows = []
    for files in series:
        (image,) = readers.open_acquisitions(files)
        rows.append(admit(catalog, image, Recipe(model, Processing(), nuclear_channel=0), folder))
    while parts.queue_loop.working or any(catalog.is_waiting(row.id) for row in rows):
        parts.queue_loop.step(0.2)


def served(folder: Path, engine: EngineConfig, warm: Sequence[Path], series: Sequence[Sequence[Path]]) -> Served:
    """Measure one number of workers."""
    folder.mkdir()
    with running(folder, engine) as (catalog, parts, seen):
        work(catalog, parts, folder, [warm])
        del seen[:]
        begun, own, memory = time.monotonic(), time.process_time(), rss_mb()
        work(catalog, parts, folder, series)
        spent, own = time.monotonic() - begun, time.process_time() - own
        grew = rss_mb() - memory
    count = sum(map(len, series))
    done = defaultdict[int, list[int]](list)
    for one in seen:
        if one.what == "done" and one.t is not None:
            done[one.acquisition.id].append(one.t)
    in_order = all(times == sorted(times) for times in done.values()) and sum(map(len, done.values())) == count
    return Served(3600.0 * count / spent, own / count, grew, in_order)


def rss_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def written(folder: Path, name: str, stacks: Sequence[bytes]) -> list[Path]:
    """Files of one series."""
    files = [folder / f"{name}_t{t:04d}.ome.tif" for t in range(len(stacks))]
    for file, stack in zip(files, stacks, strict=True):
        file.write_bytes(stack)
    return files


@dataclass(frozen=True)
class Stacks:
    """What is processed: first so many time points that do not count, then a series that does."""

    warm: Sequence[bytes]
    work: Sequence[bytes]

    @classmethod
    def rendered(cls, shape: tuple[int, ...], frames: int, most_workers: int) -> Stacks:
        """A simulated movie."""
        movie = simulate(replace(STACKS, shape=shape, frames=frames), 1)
        stacks = [tiff_bytes(movie.render(frame)[0], movie) for frame in movie.frames]
        return cls(stacks[:most_workers], stacks)


def processed(folder: Path, stacks: Stacks, warm: int, code: Path, *options: str) -> float:
    """Have a version of the program process them, into `folder`; return time points an hour."""
    sources = [folder / "in" / name for name in ("a-warm", "work")]
    for source, these in zip(sources, (stacks.warm[:warm], stacks.work), strict=True):
        source.mkdir(parents=True)
        written(source, source.name, these)
    command = [sys.executable, "-m", "daemon.cli", "process", *map(str, sources), "--output", str(folder / "out")]
    environment = {**os.environ, "PYTHONPATH": str(code)}
    done = subprocess.run([*command, *options], env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    with closing(sqlite3.connect(naming.database_path(folder / "out"))) as database:
        query = (
            "SELECT min(timepoints.started_at), max(timepoints.completed_at) FROM timepoints JOIN acquisitions AS a "
        )
        first, last = database.execute(f"{query} ON a.id = acquisition_id WHERE a.name = 'work'").fetchone()
    spent = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    return 3600.0 * len(stacks.work) / spent.total_seconds()


def networks(
    folder: Path, settings: Sequence[tuple[int, int]], stacks: Stacks, dask: int, against: str | None
) -> list[str]:
    """Real engines on this machine's cores; return what is not as it is asked for."""
    rates: dict[str, float] = {}
    for workers, threads in settings:
        name, total = f"{workers}x{threads}", str(workers * threads)
        options = ("--workers", str(workers), "--threads", total)
        rates[name] = processed(folder / name, stacks, workers, ROOT, *options)
        told(f"{workers} workers of {threads} threads", rates[name], next(iter(rates.values())))
    faults, first = [], next(iter(rates))
    if dask:
        share = dask_share(folder, stacks, dask)
        print(f"a Dask LocalCluster of {dask} workers: {share:.2f} of as many local ones", flush=True)
        if share < DASK_AT_LEAST:
            faults.append(f"the Dask cluster serves less than {DASK_AT_LEAST} of as many local workers")
    for name in [*list(rates)[1:], *(["dask"] if dask else [])]:
        same = equal(folder / name, folder / first)
        print(f"labels, nuclei and tracks of {name} {'equal' if same else 'DIFFER FROM'} those of {first}", flush=True)
        if not same:
            faults.append(f"results of {name} differ")
    if against is not None:
        with tempfile.TemporaryDirectory() as name, another_commit(against, Path(name) / "code") as code:
            rate = processed(folder / "against", stacks, 1, code)
        told(against, rate, rate)
        best = max(rates, key=rates.__getitem__)
        print(f"the best setting, {best}: {rates[best] / rate:.2f} times {against}", flush=True)
        if rates[best] < BETTER_BY * rate:
            faults.append(f"the best setting serves less than {BETTER_BY} times {against}")
    return faults


def dask_share(folder: Path, stacks: Stacks, workers: int) -> float:
    """What a Dask cluster serves over what as many local workers do: medians of `IN_TURNS` runs of both, in turns."""
    rates: dict[str, list[float]] = defaultdict(list)
    for turn in range(IN_TURNS):
        options = ("--workers", str(workers), "--threads", str(workers))
        rates["local"].append(processed(folder / f"local{turn}", stacks, workers, ROOT, *options))
        with cluster(workers) as address:
            options = ("--workers", f"dask:{address}", "--threads", "1")
            place = folder / (f"dask{turn}" if turn else "dask")
            rates["dask"].append(processed(place, stacks, workers, ROOT, *options))
        print(f"in turns: local {rates['local'][-1]:.0f}, Dask {rates['dask'][-1]:.0f}", flush=True)
    return median(rates["dask"]) / median(rates["local"])


def told(what: str, rate: float, other: float) -> None:
    """Say how much is served."""
    print(f"{what}: {rate:.0f} time points an hour, {rate / other:.2f}", flush=True)


@contextmanager
def another_commit(name: str, place: Path) -> Iterator[Path]:
    """A work tree of another commit, as long as it is needed."""
    git = ("git", "-C", str(ROOT), "worktree")
    subprocess.run([*git, "add", "--quiet", "--detach", str(place), name], check=True)
    try:
        yield place
    finally:
        subprocess.run([*git, "remove", "--force", str(place)], check=True)


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """A Dask cluster on this machine; gives the address of its scheduler."""
    from distributed import LocalCluster

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as made:
        yield made.scheduler_address


def equal(one: Path, other: Path) -> bool:
    """Say whether two runs came to equal labels and track ids, and measures within the bound."""
    nuclei = [Question.nuclei(str(naming.database_path(folder / "out")), "work").frame() for folder in (one, other)]
    mine, theirs = (ImageStore.open(folder / "out" / "work.ome.zarr") for folder in (one, other))
    times = mine.published_timepoints
    same = times == theirs.published_timepoints and mine.painted_timepoints == theirs.painted_timepoints
    for t in times if same else ():
        same &= bool((mine.labels(t) == theirs.labels(t)).all())
        same &= bool((mine.track_labels(t) == theirs.track_labels(t)).all())
    return same and agree(*nuclei)


def agree(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Say whether nuclei and tracks are equal, and measures within the bound."""
    keys = ["t", "label", "track_id"]
    if len(one) != len(other) or not one[keys].equals(other[keys]):
        return False
    numbers = [name for name in one.select_dtypes("number").columns if name not in ("id", "acquisition_id")]
    first, second = (table[numbers].to_numpy(np.float64, na_value=np.nan) for table in (one, other))
    return bool(np.allclose(first, second, rtol=MEASURES_AGREE, atol=MEASURES_AGREE, equal_nan=True))


def sleepers(folder: Path, counts: Sequence[int], sleep_s: float, per_worker: int) -> list[str]:
    """Engines that wait; return what is not as it is asked for."""
    (folder / "bench_sleeping_engine.py").write_text(ENGINE)
    sys.path.insert(0, str(folder))
    os.environ["NUSETD_BENCH_SLEEP"] = str(sleep_s)
    plane = np.random.default_rng(1).integers(0, 200, (2, 32, 32)).astype(np.uint16)
    faults: list[str] = []
    stack, first = tiff_bytes(plane, simulate(STACKS, 1)), None
    warm = written(folder, "warm", [stack] * max(counts))
    for count in counts:
        each = max(count * per_worker // SERIES, 1)
        series = [written(folder, f"work{count}s{number}", [stack] * each) for number in range(SERIES)]
        engine = EngineConfig(factory="bench_sleeping_engine:Engine", workers=count)
        one = served(folder / f"with-{count}", engine, warm[:count], series)
        first = first or one.rate / count
        print(
            f"{count} workers: {one.rate / first:.1f} times one, {1000 * one.own_s:.0f} ms of the service's own "
            f"processor time for each time point, {one.grew_mb:+.0f} MB, {'in' if one.in_order else 'OUT OF'} order",
            flush=True,
        )
        if not one.in_order:
            faults.append(f"with {count} workers time points were committed out of order")
        if one.rate < OF_IDEAL * count * first:
            faults.append(f"{count} workers serve less than {OF_IDEAL * count:.1f} times one")
    return faults


def main() -> None:
    """Measure, and say how many times as much it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", default="1x2,2x1", help="numbers of workers and of threads of each")
    parser.add_argument("--shape", default="44,230,230", help="of a stack, Z,Y,X")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--dask", type=int, default=0, help="workers of a Dask LocalCluster, among the settings too")
    parser.add_argument("--against", metavar="COMMIT", help="what the best setting is compared with")
    parser.add_argument("--sleep", type=float, help="seconds that an engine waits")
    parser.add_argument("--workers", default="1,2,8,32,64", help="with --sleep: the others are compared with the first")
    parser.add_argument("--per-worker", type=int, default=6, help="time points for each worker, with --sleep")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if asked.sleep is None:
            settings = [(int(w), int(t)) for w, _, t in (one.partition("x") for one in asked.settings.split(","))]
            shape = tuple(int(size) for size in asked.shape.split(","))
            stacks = Stacks.rendered(shape, asked.frames, max(asked.dask, *(workers for workers, _ in settings)))
            faults = networks(Path(name), settings, stacks, asked.dask, asked.against)
        else:
            counts = [int(count) for count in asked.workers.split(",")]
            faults = sleepers(Path(name), counts, asked.sleep, asked.per_worker)
    if faults:
        sys.exit("; ".join(faults))


if __name__ == "__main__":
    main()
