"""The parts of a run and how they hang together: made here for the service and for `nusetd process` alike."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from daemon.configuration.service_config import EngineConfig
from daemon.errors import DaemonError
from daemon.installation.best_workers import threads_each, worker_count
from daemon.installation.kept_weights import located
from daemon.installation.state_folder import state_folder
from daemon.processing.crash_record import SUFFIX, CrashRecord
from daemon.processing.messages import EngineSetup, Graphics
from daemon.processing.queue_loop import QueueLoop, Seen
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.workers.graphics import shared_out
from daemon.processing.workers.helped_workers import LIMIT_S, HelpedWorkers
from daemon.processing.workers.local_workers import LocalWorkers, Worker
from daemon.processing.workers.protocol import Awaited, Workers
from daemon.processing.workers.stores_lock import StoresLock
from daemon.watching.idle_lane import IdleLane
from daemon.watching.inspection import InspectionClient
from storage import naming
from storage.database.catalog import Catalog
from storage.omezarr import places

_LIVE = 10  # priority in a cluster


@dataclass(frozen=True)
class Rules:
    """How long is waited, and how often tried.

    Attributes
    ----------
    worker_silence_s : float
        A worker that says nothing for this long hangs.
    reader_limit_s : float
        A file that is looked into for longer than this hangs its reader.
    retry_policy : RetryPolicy
    """

    worker_silence_s: float
    reader_limit_s: float
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True)
class Where:
    """What workers read and write.

    Attributes
    ----------
    outputs : sequence of place
        Where results go, at least one.
    sources : sequence of Path
        Folders with images.
    live : bool
        They are of an experiment that still runs: they go before archives, where both use one cluster or machine.
    """

    outputs: Sequence[naming.Place]
    sources: Sequence[Path] = ()
    live: bool = False


@dataclass(frozen=True)
class Hooks:
    """What the queue loop tells and asks whoever runs it, see `QueueLoop`."""

    observer: Callable[[Seen], None] | None = None
    reachable: Callable[[Path], bool] = lambda source: True
    look_again: Callable[[Iterable[Path]], None] = lambda files: None


@dataclass(frozen=True)
class Assembly:
    """The parts: the workers with their queue, and those who look into files."""

    workers: Workers[Any]
    queue_loop: QueueLoop
    inspection_client: InspectionClient
    idle_lane: IdleLane

    @property
    def told(self) -> list[Awaited]:
        """What to wait for when there is nothing else to do."""
        inspects = self.inspection_client.connection
        return [*([] if inspects is None else [inspects]), *self.workers.told]

    def stop(self) -> None:
        """End the processes."""
        self.inspection_client.stop()
        self.idle_lane.stop()
        self.workers.end()


def assemble(
    catalog: Catalog,
    engine: EngineConfig,
    where: Where,
    rules: Rules,
    hooks: Hooks,
    clock: Callable[[], float] = time.monotonic,
    crash_record: CrashRecord | None = None,
) -> Assembly:
    """Put the parts together; no process is started yet."""
    workers = _workers(catalog, engine, where, rules, clock)
    queue_loop = QueueLoop(
        catalog,
        workers,
        rules.retry_policy,
        hooks.observer,
        hooks.reachable,
        hooks.look_again,
        clock,
        crash_record,
        lambda: _room(where.outputs[0]),
    )
    live, own = (InspectionClient(rules.reader_limit_s, clock) for _ in range(2))
    return Assembly(workers, queue_loop, live, IdleLane(live, own, clock))


def _workers(
    catalog: Catalog, engine: EngineConfig, where: Where, rules: Rules, clock: Callable[[], float]
) -> Workers[Any]:
    path = worker_lock(catalog, where.outputs[0])
    lock = StoresLock(path)
    if engine.cluster is None:
        workers = local_workers(engine, lock, rules.worker_silence_s, clock, yields=not where.live)
        return HelpedWorkers(workers, _helper(engine, rules, clock), lock, clock)
    from daemon.processing.cluster.dask_workers import DaskWorkers

    setup = EngineSetup(engine.factory, located(engine.weights), engine.threads, engine.runtime)
    near = LocalWorkers([Worker(replace(setup, later=True), rules.worker_silence_s, clock)], lock)
    priority = _LIVE if where.live else 0
    return DaskWorkers(
        engine.cluster, setup, near, where.outputs, where.sources, str(path), rules.worker_silence_s, priority, clock
    )


def _helper(engine: EngineConfig, rules: Rules, clock: Callable[[], float]) -> Worker:
    """Who carries out corrections while workers are busy: on one core, and without a graphics card of its own."""
    graphics = Graphics(visible="")
    setup = EngineSetup(engine.factory, located(engine.weights), 1, engine.runtime, graphics, later=True)
    return Worker(setup, min(LIMIT_S, rules.worker_silence_s), clock)


def local_workers(
    engine: EngineConfig,
    lock: StoresLock,
    silence_s: float,
    clock: Callable[[], float] = time.monotonic,
    yields: bool = False,
) -> LocalWorkers:
    """Workers on this machine, which share its cores and its graphics cards; none is started yet.

    Those of an archive let a service beside them go first: it `yields` cores to whatever else asks for them.
    """
    count = worker_count(engine.workers)
    shares = shared_out(engine.device, count, engine.gpu_memory_gb)
    threads = threads_each(engine.threads, count)
    weights = located(engine.weights)
    setups = [
        EngineSetup(engine.factory, weights, threads, engine.runtime, graphics, yields=yields) for graphics in shares
    ]
    return LocalWorkers([Worker(setup, silence_s, clock) for setup in setups], lock)


def worker_lock(catalog: Catalog, output: naming.Place) -> Path:
    """What keeps workers of two services from writing at once: beside the database, in the output, with the state."""
    return naming.worker_lock_path(_beside(catalog, output))


def crash_record(catalog: Catalog, output: naming.Place) -> CrashRecord:
    """Where a crash leaves a trace: in the same place."""
    return CrashRecord(Path(f"{_beside(catalog, output)}{SUFFIX}"))


def make_folder(path: naming.Place) -> None:
    """Make an output folder; of a URL, see that there is a package for its protocol.

    Raises
    ------
    DaemonError, StorageError
        When it cannot be made, or used.
    """
    if isinstance(path, str):
        places.store_at(path)
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{path} cannot be made ({error.strerror}): choose another output folder."
        raise DaemonError(reason) from error


def _room(output: naming.Place) -> int | None:
    """Free bytes where results go, 0 where no more files can be made; None where that cannot be told."""
    if isinstance(output, str):
        return None
    try:
        disk = os.statvfs(output)
    except OSError:
        return None
    return 0 if disk.f_files and not disk.f_favail else disk.f_bavail * disk.f_frsize


def _beside(catalog: Catalog, output: naming.Place) -> Path:
    database = naming.sqlite_path(catalog.url)
    if database is not None:
        return database
    name = f"nusetd-{hashlib.sha256(catalog.url.encode()).hexdigest()[:16]}"
    return (output if isinstance(output, Path) else state_folder()) / name
