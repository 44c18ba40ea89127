"""How many time points an hour several workers of one service serve.

    python tests/benchmarks/bench_workers.py [--workers 1,2] [--shape 44,230,230] [--frames 8]
    python tests/benchmarks/bench_workers.py --sleep 10 [--workers 1,2,8,32,64] [--per-worker 3]

Without `--sleep`: rendered stacks go through the network, and whatever follows, by so many workers that share this
machine's cores. Starts, and the first stack of each worker, are not counted. Nuclei and tracks of each number of
workers are compared with those of the first: numbers and tracks are equal, measures differ by at most 1e-5.

With `--sleep`: engines that only wait stand for graphics cards, in processes as real ones. It tells by how much so
many workers serve more than one, the service's own processor time for each time point, and by how much its memory
grew; time points are committed in order of t. Exit code 1 when they are not, or when results differ.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

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


@dataclass(frozen=True)
class Served:
    """What a number of workers came to; `nuclei` as they stand in the database."""

    rate: float
    own_s: float
    grew_mb: float
    in_order: bool
    nuclei: pd.DataFrame


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
    name = series[0][0].name.partition("_t")[0]
    nuclei = Question.nuclei(str(naming.database_path(folder)), name).frame()
    return Served(3600.0 * count / spent, own / count, grew, in_order, nuclei)


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


def networks(folder: Path, counts: Sequence[int], shape: tuple[int, ...], frames: int) -> bool:
    """Real engines on this machine's cores; False when results differ."""
    movie = simulate(replace(STACKS, shape=shape, frames=frames), 1)
    stacks = [tiff_bytes(movie.render(frame)[0], movie) for frame in movie.frames]
    warm, series = written(folder, "warm", stacks[: max(counts)]), [written(folder, "work", stacks)]
    found: dict[int, Served] = {}
    for count in counts:
        found[count] = served(folder / f"with-{count}", EngineConfig(workers=count), warm[:count], series)
        ratio = found[count].rate / found[counts[0]].rate
        print(f"{count} workers: {found[count].rate:.0f} time points an hour, {ratio:.2f} of {counts[0]}", flush=True)
    first = found[counts[0]]
    return all(one.in_order and agree(one.nuclei, first.nuclei) for one in found.values())


def agree(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Say whether nuclei and tracks are equal, and measures within the bound."""
    keys = ["acquisition_id", "t", "label", "track_id"]
    if len(one) != len(other) or not one[keys].equals(other[keys]):
        return False
    numbers = [name for name in one.select_dtypes("number").columns if name != "id"]
    first, second = (table[numbers].to_numpy(np.float64, na_value=np.nan) for table in (one, other))
    return bool(np.allclose(first, second, rtol=MEASURES_AGREE, atol=MEASURES_AGREE, equal_nan=True))


def sleepers(folder: Path, counts: Sequence[int], sleep_s: float, per_worker: int) -> bool:
    """Engines that wait; False when time points were committed out of order."""
    (folder / "bench_sleeping_engine.py").write_text(ENGINE)
    sys.path.insert(0, str(folder))
    os.environ["NUSETD_BENCH_SLEEP"] = str(sleep_s)
    plane = np.random.default_rng(1).integers(0, 200, (2, 32, 32)).astype(np.uint16)
    stack, good, first = tiff_bytes(plane, simulate(STACKS, 1)), True, None
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
        good &= one.in_order
    return good


def main() -> None:
    """Measure, and say how many times as much it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", help="numbers with commas between; the first is what the others are compared with")
    parser.add_argument("--shape", default="44,230,230", help="of a stack, Z,Y,X")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--sleep", type=float, help="seconds that an engine waits")
    parser.add_argument("--per-worker", type=int, default=3, help="time points for each worker, with --sleep")
    asked = parser.parse_args()
    counts = [int(count) for count in (asked.workers or ("1,2" if asked.sleep is None else "1,2,8,32,64")).split(",")]
    with tempfile.TemporaryDirectory() as name:
        if asked.sleep is None:
            shape = tuple(int(size) for size in asked.shape.split(","))
            good = networks(Path(name), counts, shape, asked.frames)
        else:
            good = sleepers(Path(name), counts, asked.sleep, asked.per_worker)
    if not good:
        sys.exit("results differ, or time points were committed out of order")


if __name__ == "__main__":
    main()
