"""Where the time of a time point of 30 x 1024 x 1024 goes: the engine, and everything else, step by step.

    python tests/benchmarks/bench_overhead.py [--time-points 2]

The engine is `nuset_engine` finding nuclei: the network with all that makes labels of its maps, and the reconstruction
in 3D. Everything else is reading, measuring, writing, linking, committing, publishing and painting tracks; exit code 1
when that is more than 25 % of the processor time. What is not spent in the network is printed as well.

Goes through the pipeline's own steps in one process, with the shipped weights, on synthetic stacks in a TIFF series.
Processor seconds of all threads are judged, because other work on the machine would falsify the clock; with several
cores the network gains more from them than the rest, so the clock's share is larger: both are printed. The first time
point, in which the network is compiled, is left out. About two minutes of processor time in all.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import trackpy  # noqa: F401  # else loaded with the first link, once in the life of a service

sys.path.insert(0, str(Path(__file__).parent))

from bench_store_cost import STACK, cells

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.configuration.service_config import DEFAULT_ENGINE
from daemon.processing.engine_factory import load_factory
from daemon.processing.messages import AnalyseTask, PaintTask, Ready, TrackTask
from daemon.processing.recipe import Recipe
from daemon.processing.tracker_cache import TrackerCache
from nuset_engine.params import SegmentationParams
from storage import readers
from storage.database.catalog import Catalog
from storage.schema.rows import AnalysedTimepoint

VOXEL_UM = (1.0, 0.2, 0.2)
LIMIT = 0.25
NETWORK, ENGINE = "network and labels", ("network and labels", "reconstruction in 3D")


class Account:
    """Seconds by step, of the processor and of the clock; a step inside another is not counted twice."""

    def __init__(self) -> None:
        self.cpu: Counter[str] = Counter()
        self.clock: Counter[str] = Counter()
        self._inside: list[str] = []
        self._since = (time.process_time(), time.perf_counter())

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Book a block on a step."""
        self._book()
        self._inside.append(name)
        try:
            yield
        finally:
            self._book()
            self._inside.pop()

    def booked(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its calls booked on a step."""

        def inside(*arguments: Any, **options: Any) -> Any:
            with self.step(name):
                return function(*arguments, **options)

        return inside

    def _book(self) -> None:
        now = (time.process_time(), time.perf_counter())
        if self._inside:
            self.cpu[self._inside[-1]] += now[0] - self._since[0]
            self.clock[self._inside[-1]] += now[1] - self._since[1]
        self._since = now


class Planes(Sequence[np.ndarray]):
    """Planes whose reading is booked apart from what reads them."""

    def __init__(self, planes: Sequence[np.ndarray], account: Account) -> None:
        self._planes = planes
        self._account = account

    def __len__(self) -> int:
        return len(self._planes)

    def __getitem__(self, z: Any) -> Any:
        with self._account.step("read"):
            return self._planes[z]


class Booked:
    """A segmenter whose slices are booked on the network, and its reading on reading."""

    def __init__(self, segmenter: Any, account: Account) -> None:
        self._segmenter = segmenter
        self._account = account

    def segment_stack(
        self, planes: Sequence[np.ndarray], statistics: Any = None, progress: Any = None
    ) -> Iterator[Any]:
        """Yield the labels of each slice."""
        slices = iter(self._segmenter.segment_stack(Planes(planes, self._account), statistics, progress))
        while True:
            with self._account.step(NETWORK):
                found = next(slices, None)
            if found is None:
                return
            yield found


def run(folder: Path, count: int, account: Account) -> None:
    """The pipeline's steps for all time points of the series; `account` begins anew after the first."""
    segmenter = load_factory(DEFAULT_ENGINE)(weights="fluorescence", params=SegmentationParams(), threads=None)
    model = Ready(segmenter.weights_info.name, segmenter.weights_info.sha256)
    with Catalog.open(f"sqlite:///{folder / 'nusetd.sqlite'}") as catalog:
        found = readers.open_acquisitions(sorted(folder.glob("*.tif")), voxel_size_um=VOXEL_UM)
        pipeline.admit(catalog, found[0], Recipe(model, Processing()), folder)
        trackers = TrackerCache()
        for done in range(count):
            if done == 1:
                account.cpu.clear()
                account.clock.clear()
            time_point(catalog, Booked(segmenter, account), trackers, account)


def time_point(catalog: Catalog, segmenter: Booked, trackers: TrackerCache, account: Account) -> None:
    """What daemon and worker do for one time point, tracks painted as soon as it is done."""
    with account.step("claim, open, fingerprint"):
        job = catalog.claim_next()
        assert job is not None
        acquisition = readers.reopen(job.acquisition, job.t)
    with acquisition:
        with account.step("quality, bookkeeping"):  # what is not booked on another step inside
            analysed = pipeline.analyse(acquisition, AnalyseTask(job.acquisition, job.t), segmenter, lambda done: None)
        with account.step("claim, open, fingerprint"):
            acquisition.close()
            acquisition.fingerprint(job.t)
    with account.step("link and commit"):
        task = TrackTask(job.acquisition, catalog.address, job.t, job.t + 1, analysed.nuclei)
        found = AnalysedTimepoint(job, analysed.nuclei, analysed.timings, analysed.quality)
        assert pipeline.commit(catalog, found, pipeline.track(task, trackers))
    with account.step("publish"):
        pipeline.publish(catalog, job.acquisition, job.t)
    labels = {int(label): int(label) for label in analysed.nuclei.table["label"]}
    with account.step("paint tracks"):
        pipeline.paint(PaintTask(str(job.acquisition.zarr_path), job.t, labels))


def report(account: Account, count: int) -> float:
    """Print the table; return the share of processor time outside the engine."""
    shares = []
    for name, seconds in (("processor", account.cpu), ("clock", account.clock)):
        total = sum(seconds.values())
        print(f"{name}: {total / count:.2f} s a time point")
        for step, spent in seconds.most_common():
            print(f"  {step:28s}{spent / count:8.2f} s {100 * spent / total:6.1f} %")
        shares.append(1 - sum(seconds[step] for step in ENGINE) / total)
        print(f"  everything but the engine: {100 * shares[-1]:.1f} %", end="")
        print(f" (outside the network: {100 * (1 - seconds[NETWORK] / total):.1f} %)")
    return shares[0]


def main() -> None:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time-points", type=int, default=2, help="measured, after one to warm up")
    arguments = parser.parse_args()
    account = Account()
    for step, name in (("measure", "measure"), (ENGINE[1], "reconstruct")):
        setattr(pipeline, name, account.booked(step, getattr(pipeline, name)))
    store = pipeline.ImageStore
    store.write_timepoint = account.booked("write", store.write_timepoint)  # type: ignore[method-assign]
    store.create = account.booked("write", store.create)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as name:
        folder, count = Path(name), arguments.time_points + 1
        for t in range(count):
            stack, _ = cells(0)
            tifffile.imwrite(folder / f"movie_t{t:03d}.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
        run(folder, count, account)
    print(f"stacks of {STACK}, {arguments.time_points} measured")
    share = report(account, arguments.time_points)
    sys.exit(1 if share > LIMIT else 0)


if __name__ == "__main__":
    main()
