"""Knowing how it is: the service's own report, metrics, health, the status line, and what raises an alert."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon import logs
from daemon.errors import DaemonError
from daemon.installation.best_workers import kept_rates
from daemon.monitoring.alarms import (
    BEFORE,
    Alert,
    course_alerts,
    end_alerts,
    pace_alerts,
    problem_alerts,
    root_alerts,
    store_alerts,
    trouble_alerts,
)
from daemon.monitoring.alert_sender import AlertSender
from daemon.monitoring.disks import Disks, Room, disk_alerts
from daemon.monitoring.pace import Pace, pace_of, stopped
from daemon.monitoring.report import Report, RootReport
from daemon.monitoring.trouble_note import TroubleNote, trouble_note_path
from daemon.processing.steps.troubles import Trouble
from daemon.processing.workers.protocol import WorkerNow
from storage.clock import iso, utc_now
from storage.errors import StorageError
from storage.spans import counted

if TYPE_CHECKING:
    from daemon.configuration.config import Config
    from daemon.monitoring.endpoint import Endpoint
    from daemon.monitoring.metrics import Metrics, Pulse
    from daemon.monitoring.notify import Notifier
    from daemon.processing.queue_loop import Seen
    from storage.database.catalog import Catalog
    from storage.query.health import Problem

_HANGS_S = 120.0  # a main loop that is silent for so long is not healthy, where no watchdog interval says otherwise

_GLANCE_S = 1.0  # how often it is looked whether anything keeps results from being stored, or a folder is away
_REMEMBERED = 1000  # problems that were told already


@dataclass(frozen=True)
class Root:
    """One watched folder as the main loop sees it."""

    path: Path
    output: Path | str
    online: bool
    settling: int


@dataclass(frozen=True)
class Live:
    """What the main loop knows at one moment."""

    state: str
    model: str | None = None
    workers: Sequence[WorkerNow] = ()
    working_on: str | None = None
    worker_deaths: int = 0
    roots: Sequence[Root] = ()
    troubles: Sequence[Trouble] = ()


class Monitor:
    """Looks at everything every few seconds, and tells everybody who wants to know.

    Parameters
    ----------
    config : Config
    catalog : Catalog
    notifier : Notifier
    clock : callable
        Steady seconds.
    origin : Path or None
        The configuration file.
    today : callable
        The present moment.
    """

    def __init__(
        self,
        config: Config,
        catalog: Catalog,
        notifier: Notifier,
        clock: Callable[[], float],
        origin: Path | None = None,
        today: Callable[[], datetime] = utc_now,
    ) -> None:
        self._config, self._catalog, self._notifier, self._clock = config, catalog, notifier, clock
        self._origin, self._today = origin, today
        self._started_at = iso(today())
        self._next_look = float("-inf")
        self._since: dict[str, tuple[bool, str]] = {}
        self._known_problems: dict[tuple[str, int | None, str], None] | None = None
        self._trouble: str | None = None
        self._listening: str | None = None
        self._metrics: Metrics | None = None
        self._pulse: Pulse | None = None
        self._endpoint: Endpoint | None = None
        self._next_glance = float("-inf")
        self._told_troubles: tuple[str, ...] = ()
        self._told_online: tuple[bool, ...] = ()
        self._trouble_note = TroubleNote(trouble_note_path(config.database))
        self._disks = Disks()
        self._rates = kept_rates()
        self._rooms: list[Room] = []
        self.config_error: str | None = None
        self.settings: dict[str, Any] = {}
        self.alert_sender = AlertSender(config.alerts, lambda: iso(today()))
        self._listen()

    def reconfigure(self, config: Config) -> None:
        """Go on with another configuration."""
        before, self._config = self._config, config
        self.alert_sender.config = config.alerts
        self._next_look = float("-inf")
        if config.service.listen != before.service.listen:
            self._hang_up()
            self._listen()

    def hear(self, seen: Seen) -> None:
        """Something happened to a time point: count it, and see whether it is a reason for an alert."""
        if self._metrics is not None and seen.what in ("again", "failed"):
            self._metrics.ended.labels(seen.what).inc()
        if seen.what == "store lost":
            self._raise(store_alerts(seen.acquisition.name, seen.done, seen.reason or ""))
        if seen.what != "done" or seen.t is None:
            return
        try:
            course = self._catalog.recent_quality(seen.acquisition.id, seen.t, BEFORE + 1)
        except StorageError as error:
            row = seen.acquisition
            logs.error("quality not looked at", acquisition=row.name, t=row.source_t(seen.t), reason=error)
            return
        if self._metrics is not None and course.latest:
            self._metrics.done(seen.done, course.latest[-1].timings)
        self._raise(course_alerts(self._config.alerts, seen.acquisition.name, course))

    def turned(self, now: float) -> None:
        """The main loop went round."""
        if self._pulse is not None:
            self._pulse.turned(now)

    def look(self, live: Callable[[], Live], now: float, at_once: bool = False) -> None:
        """Report, if it is time or `at_once`: to the database, the endpoint, the service manager and by alerts."""
        if now < self._next_glance and not at_once:
            return
        self._next_glance = now + _GLANCE_S
        seen = live()
        online = tuple(root.online for root in seen.roots)
        news = tuple(map(str, seen.troubles)) != self._told_troubles or online != self._told_online
        if now < self._next_look and not at_once and not news:
            return
        self._next_look = now + self._config.service.report_s
        report = self._report(seen)
        try:
            state = self._catalog.queue_state()
            self._catalog.report(report.as_dict())
        except StorageError as error:
            if self._trouble is None:
                logs.error("the database cannot be used", reason=error)
            self._trouble = str(error)
            self.look_without_database(seen, now)
            return
        self._trouble = None
        self._trouble_note.write(report.troubles)
        self._told_troubles, self._told_online = report.troubles, online
        pace = pace_of(state, max(len(seen.workers), 1), self._rates)
        if report.troubles:
            pace = stopped(pace, report.troubles[0])
        self._tell(report, pace, now)
        if seen.state == "running":
            self._notifier.status(status_line(report, pace))
            self._raise(pace_alerts(self._config.alerts, pace))
            self._raise(root_alerts(self._config.alerts, report.roots))
            self._raise(trouble_alerts(self._config.alerts, seen.troubles))
            self._raise(disk_alerts(self._config.alerts, self._rooms))
        self._raise(problem_alerts(self._config.alerts, self._new_problems(state.problems)))

    def look_without_database(self, seen: Live, now: float) -> None:
        """Tell of a database that cannot be used everywhere but there."""
        found = list(seen.troubles)
        if self._trouble is not None and not any(trouble.subject == "database" for trouble in found):
            found.insert(0, Trouble("database", self._trouble))
        report = self._report(replace(seen, troubles=found))
        self._trouble_note.write(report.troubles)
        self._told_troubles = ()  # to the database, when it is back
        self._tell(report, None, now)
        self._raise(trouble_alerts(self._config.alerts, found))

    def close(self, live: Live, error: str | None = None) -> None:
        """The service ends: the last report, and no endpoint any more; that it failed is told."""
        self._raise(end_alerts(self._config.alerts, error))
        try:
            self._catalog.report({**self._report(live).as_dict(), "error": error})
        except StorageError as trouble:
            logs.error("the last report could not be kept", reason=trouble)
        self._hang_up()
        self._trouble_note.close()
        self.alert_sender.stop()

    def _raise(self, alerts: Iterator[Alert]) -> None:
        """Tell of alerts, those who follow as well; while the database refuses they are not told there."""
        now = self._clock()
        for alert in alerts:
            if self.alert_sender.raise_alert(alert, now) and self._trouble is None:
                try:
                    self._catalog.events.alarm(alert.kind, alert.subject, alert.message, alert.facts)
                except StorageError as error:
                    logs.error("alert not told to who follows", kind=alert.kind, reason=error)

    def _new_problems(self, problems: Sequence[Problem]) -> list[Problem]:
        """Problems that were not there at the last look; those at the start are no news."""
        first, known = self._known_problems is None, self._known_problems or {}
        new = [problem for problem in problems if (problem.acquisition, problem.t, problem.at) not in known]
        known |= {(problem.acquisition, problem.t, problem.at): None for problem in new}
        while len(known) > _REMEMBERED:
            del known[next(iter(known))]
        self._known_problems = known
        return [] if first else new

    def _report(self, live: Live) -> Report:
        roots = [self._root(root) for root in live.roots]
        self._rooms = self._disks.look(roots, self._clock())
        hours = {room.output: room.hours for room in self._rooms}
        return Report(
            state=live.state,
            pid=os.getpid(),
            host=socket.gethostname(),
            version=own_version(),
            started_at=self._started_at,
            interval_s=self._config.service.report_s,
            config=None if self._origin is None else str(self._origin),
            model=live.model,
            worker_pid=next((worker.pid for worker in live.workers), None),
            cluster=None if self._config.engine.cluster is None else self._config.engine.cluster.told,
            workers=tuple(live.workers),
            worker_rates={str(count): rate for count, rate in self._rates.items()},
            working_on=live.working_on,
            worker_deaths=live.worker_deaths,
            roots=tuple(replace(root, free_hours=hours.get(root.output)) for root in roots),
            alerts_sent=self.alert_sender.sent,
            alerts_held_back=self.alert_sender.held_back,
            last_alert=self.alert_sender.last,
            latest_alerts=tuple(self.alert_sender.latest),
            listen=self._listening,
            config_error=self.config_error,
            troubles=tuple(map(str, live.troubles)),
            settings=self.settings,
            engine=asdict(self._config.engine),
            rules=tuple(rule.told() for rule in self._config.rules),
        )

    def _root(self, root: Root) -> RootReport:
        path = str(root.path)
        online, since = self._since.get(path, (None, ""))
        if online is not root.online:
            since = iso(self._today())
            self._since[path] = (root.online, since)
        return RootReport(path, str(root.output), root.online, since, root.settling, _free(root.output))

    def _tell(self, report: Report, pace: Pace | None, now: float) -> None:
        """What the endpoint answers from now on."""
        if self._pulse is None or self._metrics is None:
            return
        status: dict[str, Any] = {"service": report.as_dict(), "queue": None if pace is None else pace.as_dict()}
        self._pulse.turned(now)
        self._pulse.tell(tuple(self._unready(report)), status)
        if pace is not None:
            self._metrics.look(report, pace, self._today().timestamp())
        else:
            self._metrics.stopped()

    def _unready(self, report: Report) -> Iterator[str]:
        if report.state != "running":
            yield f"the service is {report.state}"
        if report.model is None:
            yield "the network is being loaded"
        yield from report.troubles
        yield from (f"{root.path} cannot be reached" for root in report.roots if not root.online)

    def _listen(self) -> None:
        """Offer metrics and health; that they cannot be offered stops nothing else."""
        listen = self._config.service.listen
        if listen is None:
            return
        from daemon.monitoring.endpoint import Endpoint
        from daemon.monitoring.metrics import Metrics, Pulse

        self._metrics = self._metrics or Metrics()
        self._pulse = Pulse(self._notifier.watchdog_s or _HANGS_S)
        try:
            self._endpoint = Endpoint(listen, self._metrics, self._pulse, self._clock)
            self._listening = listen
        except DaemonError as error:
            self._listening = None
            logs.error("no metrics", reason=error)

    def _hang_up(self) -> None:
        endpoint, self._endpoint, self._listening = self._endpoint, None, None
        if endpoint is not None:
            endpoint.stop()


def status_line(report: Report, pace: Pace) -> str:
    """One line for `systemctl status`."""
    offline = [root.path for root in report.roots if not root.online]
    folders = counted(len(report.roots), "folder")
    away = f" ({len(offline)} offline)" if offline else ""
    counts = f"{pace.waiting + pace.running} waiting, {pace.done} done, {pace.failed} failed"
    return f"watching {folders}{away}; {counts}; keeps up: {pace.verdict}"


def own_version() -> str:
    """The installed version."""
    try:
        return version("nusetd")
    except PackageNotFoundError:
        return "unknown"


def _free(folder: Path | str) -> int | None:
    if isinstance(folder, str):
        return None  # an object store does not tell
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
