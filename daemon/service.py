"""`nusetd run`: the main loop, the signals, and what the service manager is told."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType

from daemon import logs
from daemon.assembly import Hooks, Rules, Where, assemble, crash_record, make_folder
from daemon.children.page_process import PageProcess
from daemon.configuration import reload
from daemon.configuration.config import Config, WatchConfig
from daemon.errors import DaemonError
from daemon.monitoring.monitor import Live, Monitor, Root
from daemon.monitoring.notify import Notifier
from daemon.overrides.in_use import OverrideOrder, SettingsInUse
from daemon.processing.crash_record import CrashRecord
from daemon.processing.queue_loop import Seen
from daemon.processing.recipe import Recipe
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.steps.troubles import Trouble
from daemon.rules.rule_runner import RuleRunner
from daemon.service_requests import ServiceRequests
from daemon.upkeep.service_upkeep import Upkeep
from daemon.watching.intake import Intake
from daemon.watching.watch import FolderThread, FolderWatch
from daemon.weights_orders import WeightsOrders
from storage.database.catalog import Catalog
from storage.errors import DatabaseReplacedError, DatabaseUnavailableError, StorageError
from storage.spans import counted

_TURN_S = 0.2  # the loop turns at least five times a second
_LONGEST_OUTAGE_PAUSE_S = 5.0
_MORE_TIME_S = 60.0  # asked of the service manager again and again while the engine loads, or the last work ends


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
    origin : Path, optional
        The configuration file, read again when that is asked for.
    crash_record : CrashRecord, optional
        Where a crash leaves a trace.
    """

    def __init__(
        self,
        config: Config,
        catalog: Catalog,
        notifier: Notifier,
        clock: Callable[[], float] = time.monotonic,
        observer: Callable[[Seen], None] | None = None,
        origin: Path | None = None,
        crash_record: CrashRecord | None = None,
    ) -> None:
        self._settings = SettingsInUse(config.database)
        self._config = config = self._settings.laid_over(config)
        self._catalog = catalog
        self._notifier = notifier
        self._clock = clock
        self._observer = observer
        self._origin = origin
        # Plain values: the handlers of signals interrupt the main loop anywhere, also where it would hold a lock.
        self._asked_to_stop = self._asked_to_hurry = self._asked_to_reload = False
        self._state = "starting"
        self._monitor = Monitor(config, catalog, notifier, clock, origin)
        self._tell_settings()
        rules = Rules(config.service.worker_silence_s, config.service.reader_limit_s)
        where = Where([watch.output for watch in config.watch], [watch.path for watch in config.watch], live=True)
        hooks = Hooks(self._hear, self._is_reachable, lambda files: self._requests.look_again(files))
        self._parts = assemble(catalog, config.engine, where, rules, hooks, clock, crash_record)
        self._queue_loop = self._parts.queue_loop
        self._rules = RuleRunner(config.database, config.rules)
        self._page = PageProcess(config.database, config.page, clock)
        self._intakes = {watch: self._intake(watch) for watch in config.watch}
        self._upkeep = Upkeep(catalog, self._parts.inspection_client, self._is_reachable, self._let_go)
        weights = WeightsOrders(
            self._settings, self._queue_loop.exchange, lambda: self._config, self._go_on_with_weights
        )
        self._requests = ServiceRequests(
            catalog, self._upkeep.forgetting, lambda: self._intakes.values(), self._change_settings, weights.begin
        )
        self._outage = 0  # turns in a row that the database refused
        self._outage_reason: str | None = None

    def ask_to_stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        """Finish the time point under way, then end; asked twice, abandon it. Also the handler of signals."""
        self._asked_to_hurry = self._asked_to_stop
        self._asked_to_stop = True

    def ask_to_reload(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        """Read the configuration again; also the handler of SIGHUP."""
        self._asked_to_reload = True

    def run(self) -> None:
        """Turn until asked to stop.

        Raises
        ------
        EngineFailedError
            When the engine cannot be loaded.
        """
        failure: str | None = None
        try:
            while not self._asked_to_stop:
                self.turn()
            self._wind_down()
        except Exception as error:
            failure = str(error) or type(error).__name__
            raise
        finally:
            self._end(failure)

    def turn(self) -> None:
        """One turn of the loop: folders, requests, worker, service manager.

        Raises
        ------
        DatabaseUnavailableError
            When the database is damaged. One that is locked, or whose disk is full, is waited for.
        """
        try:
            self._work()
            if self._state == "starting":
                self._starting()
            elif self._asked_to_reload:
                self._asked_to_reload = False
                self._reload()
            self._pulse()
        except DatabaseUnavailableError as error:
            if not error.may_pass:
                raise
            self._wait_for_database(error)
        else:
            if self._outage:
                logs.info("database is back", refusals=self._outage)
            self._outage, self._outage_reason = 0, None

    def _pulse(self) -> None:
        """The loop went round, and the worker's signs of life were looked at: only now the watchdog hears of it.

        A report is a row: while a transaction lasts beside the loop, it would wait for its end, and the loop with it.
        """
        now = self._clock()
        self._notifier.ping(now)
        self._monitor.turned(now)
        if not self._queue_loop.writing_beside:
            self._monitor.look(self._live, now)

    def _starting(self) -> None:
        if self._queue_loop.model is None:
            self._notifier.extend(self._clock(), _MORE_TIME_S)
            return
        self._state = "running"
        self._rules.start()
        self._notifier.ready(f"watching {counted(len(self._intakes), 'folder')}")
        self._monitor.look(self._live, self._clock(), at_once=True)

    def _reload(self) -> None:
        """Go on with the configuration as it is now, if it is valid; else with the one so far, and say so."""
        self._notifier.reloading()
        try:
            taken = reload.read(self._origin, self._config, self._settings.laid_over)
            for watch in taken.config.watch:
                make_folder(watch.output)
        except DaemonError as error:
            for line in str(error).splitlines():
                logs.error("configuration refused, the old one stays", fault=line)
            self._monitor.config_error = str(error)
            self._notifier.ready("configuration refused, the old one stays: see the log")
            return
        self._take_over(taken)
        for intake in self._intakes.values():
            intake.accept_mount()
        self._monitor.look(self._live, self._clock(), at_once=True)  # whoever asks now finds what is in use
        self._notifier.ready("configuration read again")

    def _take_over(self, taken: reload.Taken) -> None:
        old, self._config = self._config, taken.config
        logs.set_up(taken.config.service.log_level)
        kept = set() if taken.restarts_intakes else set(old.watch) & set(taken.config.watch)
        for watch, intake in self._intakes.items():
            if watch not in kept:
                intake.stop()
                self._requests.ask_anew(intake.root)
        self._intakes = {
            watch: self._intakes[watch] if watch in kept else self._intake(watch) for watch in taken.config.watch
        }
        self._monitor.config_error = taken.for_restart
        self._monitor.reconfigure(taken.config)
        self._tell_settings()
        self._page.reconfigure(taken.config.page)
        self._rules.reconfigure(taken.config.rules)
        logs.info("configuration read again", changed=", ".join(taken.changed) or "nothing")
        if taken.for_restart is not None:
            logs.warning("configuration partly taken over", reason=taken.for_restart)

    def _change_settings(self, order: OverrideOrder) -> str:
        """Carry out an order for overrides, and go on with them as after a reload.

        Raises
        ------
        DaemonError
        """
        config, told = self._settings.order(self._config, order)
        self._take_over(reload.compare(self._config, config))
        self._monitor.look(self._live, self._clock(), at_once=True)  # whoever hears the answer finds it there
        return told

    def _go_on_with_weights(self, config: Config) -> None:
        """What was begun with others, and is not finished, is found by every folder, and begun anew."""
        self._take_over(reload.Taken(config, ("engine",), None, restarts_intakes=True))
        self._monitor.look(self._live, self._clock(), at_once=True)

    def _tell_settings(self) -> None:
        self._monitor.settings = self._settings.told(self._config)
        for fault in self._settings.faults:
            logs.error("override left out", fault=fault)

    def _work(self) -> None:
        if self._queue_loop.writing_beside:  # what follows needs the database
            self._queue_loop.step(_TURN_S)
            return
        now = self._clock()
        self._parts.inspection_client.turn()
        for intake in self._intakes.values():
            intake.tick(now)
        self._parts.inspection_client.turn()
        self._parts.idle_lane.turn()
        self._page.turn()
        self._requests.turn(now)
        self._upkeep.turn(self._config.retention, now)
        if self._parts.told:
            wait(self._parts.told, _TURN_S)
        else:
            time.sleep(_TURN_S)
        self._queue_loop.step(0.0)

    def _wait_for_database(self, error: DatabaseUnavailableError) -> None:
        """What was done stays where it is, and is handed in again by the next turn."""
        self._outage += 1
        self._outage_reason = str(error)
        pause_s = min(2.0 ** (self._outage - 1), _LONGEST_OUTAGE_PAUSE_S)
        logs.error("database refuses, trying again", seconds=pause_s, reason=error)
        self._notifier.ping(self._clock())
        self._notifier.status(str(error))
        self._monitor.look_without_database(self._live(), self._clock())
        until = self._clock() + pause_s
        while self._clock() < until and not self._asked_to_stop:
            time.sleep(_TURN_S)

    def _wind_down(self) -> None:
        """Let the time point under way end and be committed, and what waits for it be painted, for a while."""
        self._state = "stopping"
        self._queue_loop.stopping = True
        busy = self._queue_loop.working_on
        self._notifier.stopping(f"finishing {busy}" if busy else "stopping")
        until = self._clock() + self._config.service.stop_s
        logs.info("stopping", finishing=busy, patience_s=self._config.service.stop_s)
        while self._queue_loop.winding_down and self._clock() < until and not self._asked_to_hurry:
            self._notifier.extend(self._clock(), _MORE_TIME_S)
            try:
                self._queue_loop.step(_TURN_S)
                self._pulse()
            except DatabaseUnavailableError as error:
                logs.error("database refuses while stopping, trying again", reason=error)
                time.sleep(_TURN_S)

    def _end(self, failure: str | None) -> None:
        """Leave everything as the next start wants it."""
        if self._state != "stopping":
            self._notifier.stopping(failure or "stopping")
        for intake in self._intakes.values():
            intake.stop()
        self._page.stop()
        self._rules.stop()
        self._parts.stop()
        try:
            self._queue_loop.abandon()
        except StorageError as error:
            logs.error("left for the next start", reason=error)
        self._state = "stopped" if failure is None else "failed"
        self._monitor.close(self._live(), failure)
        logs.info("stopped")

    def _live(self) -> Live:
        model = self._queue_loop.model
        return Live(
            state=self._state,
            model=None if model is None else f"{model.model_name} ({model.model_sha256[:12]})",
            workers=self._queue_loop.workers,
            working_on=self._queue_loop.working_on,
            worker_deaths=self._queue_loop.deaths,
            roots=[Root(w.path, w.output, intake.online, intake.settling) for w, intake in self._intakes.items()],
            troubles=self._troubles(),
        )

    def _troubles(self) -> list[Trouble]:
        """What keeps results from being stored or shown now."""
        locked = [] if self._outage_reason is None else [Trouble("database", self._outage_reason)]
        return locked + self._queue_loop.troubles

    def _hear(self, seen: Seen) -> None:
        self._monitor.hear(seen)
        self._rules.wake()
        if seen.what == "finished":
            self._upkeep.finished(seen.acquisition)
        if self._observer is not None:
            self._observer(seen)

    def _let_go(self, acquisition_id: int) -> None:
        for intake in self._intakes.values():
            intake.admission.let_go(acquisition_id)

    def _is_reachable(self, source: Path) -> bool:
        """False while the watched folder of a source is offline; a source of no watched folder may well be there."""
        return all(intake.online for intake in self._intakes.values() if source.is_relative_to(intake.root))

    def _intake(self, watch: WatchConfig) -> Intake:
        outputs = {other.output for other in self._config.watch if isinstance(other.output, Path)}
        service = self._config.service
        folder = FolderWatch(
            watch.path, watch.recursive, outputs | {*watch.exclude}, service.events, service.rescan_s, watch.pattern
        )
        folder_thread = FolderThread(folder, self._clock)
        return Intake(
            watch,
            folder_thread,
            self._catalog,
            self._queue_loop,
            self._parts.inspection_client,
            lambda: self._recipe(watch),
            self._parts.idle_lane,
            self._is_reachable,
            lambda files: self._requests.look_again(files),
        )

    def _recipe(self, watch: WatchConfig) -> Recipe | None:
        model = self._queue_loop.model
        if model is None:
            return None
        return Recipe(
            model,
            self._config.processing_of(watch),
            watch.nuclear_channel,
            watch.ome_zarr_version,
            watch.pattern,
            watch.image,
            watch.axes,
            watch.step,
            watch.unclear_channel,
        )


def run_service(config: Config, origin: Path | None = None) -> int:
    """Run the service in this process until SIGTERM or SIGINT; return the exit code."""
    logs.set_up(config.service.log_level)
    logs.catch_all()
    try:
        for watch in config.watch:
            make_folder(watch.output)
        with Catalog.open(config.database) as catalog, crash_record(catalog, config.watch[0].output) as record:
            record.judge(catalog, RetryPolicy().crashes)
            service = Service(config, catalog, Notifier(), origin=origin, crash_record=record)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, service.ask_to_stop)
            signal.signal(signal.SIGHUP, service.ask_to_reload)
            logs.info("started", pid=os.getpid(), database=catalog.url, folders=len(config.watch))
            try:
                service.run()
            except DatabaseReplacedError:
                rescued = catalog.rescue()
                if rescued is not None:
                    logs.error("what the deleted database held is kept", path=rescued)
                raise
    except (DaemonError, StorageError) as error:
        logs.error("the service cannot go on", reason=error)
        return 1
    except Exception:  # noqa: BLE001  # the journal gets the trace as one line, the service manager the exit code
        logs.log.exception("a fault in nusetd ended the service")
        return 1
    return 0
