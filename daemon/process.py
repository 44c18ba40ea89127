"""`nusetd process`: the same pipeline as the service, over files and folders that are there now, once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import pipeline
from daemon.errors import DaemonError, UsageError
from daemon.output import complain, say
from daemon.processing.messages import EngineSetup, Ready
from daemon.processing.queue_loop import QueueLoop
from daemon.processing.recipe import Recipe
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.worker_client import Worker
from daemon.progress import Bars
from daemon.service import make_folder, worker_lock
from daemon.watching.series import spans
from storage import naming, readers
from storage.database.catalog import Catalog
from storage.errors import StorageError
from storage.omezarr.empty_store import ImageKind
from storage.schema.states import AcquisitionState

if TYPE_CHECKING:
    from daemon.configuration.config import EngineConfig, Processing
    from storage.acquisition import Acquisition

_SILENCE_S = 900.0


@dataclass(frozen=True)
class ProcessOptions:
    """What is to be processed, and how.

    Attributes
    ----------
    paths : sequence of Path
        Files, OME-Zarr folders, and folders to look through.
    output : Path or str
        A folder, or the URL of an object store: gets a `<name>.ome.zarr` per acquisition.
    database : str or None
        Where the rows go; None: `nusetd.sqlite` in the output folder.
    """

    paths: Sequence[Path]
    output: naming.Place
    engine: EngineConfig
    processing: Processing
    voxel_size_um: tuple[float, float, float] | None = None
    nuclear_channel: int | str | None = None
    ome_zarr_version: str = "0.4"
    pattern: str | None = None
    image: ImageKind = "copy"
    database: str | None = None


@dataclass
class _Outcome:
    """What became of the order so far: acquisitions by id, and what could not be taken up at all."""

    rows: list[int] = field(default_factory=list)
    faults: int = 0


def process(options: ProcessOptions) -> int:
    """Process everything that the order names; return the exit code: 0 only when all of it succeeded."""
    if options.database is not None:
        database = naming.database_url(options.database)
    elif isinstance(options.output, Path):
        database = naming.database_url(naming.database_path(options.output))
    else:
        raise UsageError(f"{options.output} is no folder: say with --database where the rows go.")
    make_folder(options.output)
    outcome = _Outcome()
    with Catalog.open(database) as catalog, Bars() as bars:
        engine = options.engine
        lock = worker_lock(catalog, options.output)
        setup = EngineSetup(engine.factory, engine.weights, engine.threads, lock, engine.runtime)
        worker = Worker(setup, _SILENCE_S, time.monotonic)
        queue_loop = QueueLoop(catalog, worker, RetryPolicy(attempts=3, pause_s=1.0), bars.show)
        try:
            groups = _groups(options, catalog, outcome)
            while queue_loop.model is None and groups:
                queue_loop.step(0.5)
            for paths in groups:
                _take_up(paths, options, catalog, queue_loop, outcome)
            while queue_loop.owing:
                queue_loop.step(0.5)
        finally:
            worker.stop()
        return _report(catalog, outcome)


def _groups(options: ProcessOptions, catalog: Catalog, outcome: _Outcome) -> list[list[Path]]:
    """The files of each acquisition; one that is not whole is complained about, and set aside if nothing of it is."""
    whole: list[Path] = []
    for path in _candidates(options):
        try:
            completion = readers.probe(path)
        except (StorageError, OSError) as error:
            _complain(path, str(error), catalog, outcome)
            continue
        if completion.state == "growing" and completion.time_points_ready:
            outcome.faults += 1
            complain(f"{completion.reason.rstrip('.')}: it is processed as far as it goes.")
        elif completion.state != "complete":
            _complain(path, completion.refusal, catalog, outcome)
            continue
        whole.append(path)
    return list(readers.group(whole, options.pattern).values())


def _candidates(options: ProcessOptions) -> list[Path]:
    found: dict[Path, None] = {}
    for given in (path.absolute() for path in options.paths):
        found.update(dict.fromkeys(readers.discover(given, options.pattern)))
    if not found:
        raise DaemonError(f"There is no image in {', '.join(map(str, options.paths))}: nothing was processed.")
    return list(found)


def _take_up(
    paths: list[Path], options: ProcessOptions, catalog: Catalog, queue_loop: QueueLoop, outcome: _Outcome
) -> None:
    assert queue_loop.model is not None
    try:
        found = readers.open_acquisitions(paths, voxel_size_um=options.voxel_size_um, pattern=options.pattern)
        for acquisition in found:
            with acquisition:
                _admit(acquisition, options, catalog, queue_loop, outcome, queue_loop.model)
    except (StorageError, DaemonError, OSError) as error:
        _complain(paths[0], str(error), catalog, outcome)


def _admit(
    acquisition: Acquisition,
    options: ProcessOptions,
    catalog: Catalog,
    queue_loop: QueueLoop,
    outcome: _Outcome,
    model: Ready,
) -> None:
    absent = sorted(set(range(acquisition.time_points[-1])) - set(acquisition.time_points))
    if absent:
        complain(f"{acquisition.name}: time points {spans(absent)} are not there and are passed over.")
    recipe = Recipe(
        model, options.processing, options.nuclear_channel, options.ome_zarr_version, options.pattern, options.image
    )
    row = pipeline.admit(catalog, acquisition, recipe, options.output)
    if row.id not in outcome.rows:
        outcome.rows.append(row.id)
    queue_loop.end(row.id)


def _complain(path: Path, reason: str, catalog: Catalog, outcome: _Outcome) -> None:
    """One sentence for the person, the same in the database."""
    outcome.faults += 1
    catalog.set_aside_source(path, path.stem, reason)
    complain(reason if path.name in reason else f"{path}: {reason}")


def _report(catalog: Catalog, outcome: _Outcome) -> int:
    """Where the results are, one line per acquisition; what failed, to standard error."""
    states: Counter[AcquisitionState] = Counter()
    for row_id in outcome.rows:
        row = catalog.acquisition(row_id)
        states[row.state] += 1
        count = sum(point.nuclei_count or 0 for point in catalog.timepoints(row_id))
        say(f"{row.name}: {row.state}, {count} nuclei in {row.size_t} time points, {row.zarr_path}")
        if row.state is not AcquisitionState.COMPLETE:
            complain(f"{row.name}: {row.error or row.state.meaning}")
    failed = outcome.faults + sum(states.values()) - states[AcquisitionState.COMPLETE]
    return 1 if failed else 0
