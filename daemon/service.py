"""`nusetd run`: the main loop, the signals, and what the service manager is told."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from daemon import logs
from daemon.conductor import Conductor, Patience, Seen
from daemon.config import Config, WatchConfig
from daemon.crew import Worker
from daemon.errors import DaemonError
from daemon.intake import Intake
from daemon.messages import EngineSetup
from daemon.notify import Notifier
from daemon.recipe import Recipe
from daemon.watch import FolderWatch
from storage import layout
from storage.catalog import Catalog
from storage.jobs import AcquisitionState

_TURN_S = 0.2  # the loop turns at least five times a second
_STOP_S = 45.0  # a time point that is not done so long after SIGTERM is abandoned; it is done again at the next start
_START_S = 120.0  # asked of the service manager while the engine loads


class Service:
    """Everything that runs between start and stop.

    Parameters
    ----------
    config : Config
    catalog : Catalog
    notifier : Notifier
    clock : callable
        Steady seconds.
    observer : callable, optional
        Told of what happens to time points.
    """

    def __init__(
        self,
        config: Config,
        catalog: Catalog,
        notifier: Notifier,
        clock: Callable[[], float] = time.monotonic,
        observer: Callable[[Seen], None] | None = None,
    ) -> None:
        self._config = config
        self._catalog = catalog
        self._notifier = notifier
        self._clock = clock
        self._stop = threading.Event()
        self._worker = Worker(engine_setup(config, catalog), config.service.worker_silence_s, clock)
        self._conductor = Conductor(catalog, self._worker, Patience(), observer)
        self._intakes = [self._intake(watch) for watch in config.watch]
        self._next_requests = float("-inf")
        self._ready = False

    def ask_to_stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        """Finish or abandon the time point under way, then end; also the handler of signals."""
        self._stop.set()

    def run(self) -> None:
        """Turn until asked to stop.

        Raises
        ------
        EngineFailedError
            When the engine cannot be loaded.
        """
        self._notifier.starting_takes_longer(_START_S)
        try:
            while not self._stop.is_set():
                self.turn()
            self._wind_down()
        finally:
            self._notifier.stopping()
            for intake in self._intakes:
                intake.stop()
            self._worker.stop()
            logs.info("stopped")

    def turn(self) -> None:
        """One turn of the loop: folders, requests, worker, service manager."""
        now = self._clock()
        for intake in self._intakes:
            intake.tick(now)
        if now >= self._next_requests:
            self._next_requests = now + self._config.service.rescan_s
            self._take_requests()
        self._conductor.step(_TURN_S)
        self._notifier.ping(self._clock())
        if not self._ready and self._conductor.model is not None:
            self._ready = True
            self._notifier.ready(f"watching {len(self._intakes)} folders")

    def _wind_down(self) -> None:
        """Let the time point under way end and be committed, and what is owed be painted, for a while."""
        self._conductor.stopping = True
        until = self._clock() + _STOP_S
        logs.info("stopping", busy=self._conductor.working)
        while self._conductor.winding_down and self._clock() < until:
            self._conductor.step(_TURN_S)
            self._notifier.ping(self._clock())

    def _take_requests(self) -> None:
        """Sources that `nusetd retry` queued again although they could never be opened."""
        for row in self._catalog.acquisitions(AcquisitionState.QUEUED):
            if row.zarr_path is None:
                for intake in self._intakes:
                    intake.reconsider(Path(row.source_path))

    def _intake(self, watch: WatchConfig) -> Intake:
        outputs = {other.output for other in self._config.watch}
        folder = FolderWatch(watch.path, watch.recursive, outputs, self._config.service.events)
        rescan_s = self._config.service.rescan_s
        return Intake(watch, folder, self._catalog, self._conductor, lambda: self._recipe(watch), rescan_s)

    def _recipe(self, watch: WatchConfig) -> Recipe | None:
        model = self._conductor.model
        if model is None:
            return None
        return Recipe(model, self._config.processing, watch.nuclear_channel, watch.ome_zarr_version, watch.pattern)


def run_service(config: Config) -> int:
    """Run the service in this process until SIGTERM or SIGINT; return the exit code."""
    logs.set_up(config.service.log_level)
    for watch in config.watch:
        make_folder(watch.output)
    with Catalog.open(config.database) as catalog:
        service = Service(config, catalog, Notifier())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, service.ask_to_stop)
        logs.info("started", pid=os.getpid(), database=catalog.url, folders=len(config.watch))
        service.run()
    return 0


def engine_setup(config: Config, catalog: Catalog) -> EngineSetup:
    """What the worker is told; its lock lies beside the first store, so that no two workers write at once."""
    engine = config.engine
    path = layout.sqlite_path(catalog.url)
    beside = path if path is not None else config.watch[0].output / "worker"
    return EngineSetup(engine.factory, engine.weights, engine.threads, str(beside) + ".worker.lock")


def make_folder(path: Path) -> None:
    """Make an output folder.

    Raises
    ------
    DaemonError
        When it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{path} cannot be made ({error.strerror}): choose another output folder."
        raise DaemonError(reason) from error
