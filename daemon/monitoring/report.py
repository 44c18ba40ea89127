"""What a running service says of itself; kept in the database, so that `nusetd status` can ask from outside."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from daemon.processing.workers.protocol import WorkerNow

ALIVE = frozenset({"starting", "running", "stopping"})

_MISSED = 3.0  # so many reports may be missing before a silent service counts as gone


@dataclass(frozen=True)
class RootReport:
    """One watched folder: whether it can be reached and since when, files not whole yet, room for results.

    The room is in bytes, and in hours at the present rate; None where it does not shrink, or too little is known.
    """

    path: str
    output: str
    online: bool
    since: str
    settling: int = 0
    free_bytes: int | None = None
    free_hours: float | None = None


@dataclass(frozen=True)
class ToldAlert:
    """An alert that was told: when, its kind, and its sentence."""

    at: str
    kind: str
    message: str


@dataclass(frozen=True)
class Report:
    """The service at one moment.

    Attributes
    ----------
    state : str
        ``starting`` (the engine loads), ``running``, ``stopping``, ``stopped`` or ``failed``.
    pid, host : int, str
        The process, and the machine it is on.
    interval_s : float
        Seconds between two reports.
    working_on : str or None
        The time point under way.
    worker_pid : int or None
        The first worker.
    cluster : str or None
        The Dask cluster that segments, and whether it asks for certificates.
    workers : tuple of WorkerNow
        What each worker does.
    worker_rates : dict
        Time points an hour that so many workers were measured to serve on this machine.
    worker_deaths : int
        Workers that died and were replaced.
    troubles : tuple of str
        What keeps results from being stored or shown now; with any, the service is not ready and does not keep up.
    latest_alerts : tuple of ToldAlert
        The latest first.
    config_error : str or None
        Why the last reload of the configuration was refused.
    error : str or None
        What ended it.
    settings : dict
        Where the settings of each watched folder come from that are no defaults, see `SettingsInUse.told`.
    engine : dict
        The segmenter: what `[engine]` says.
    rules : tuple of dict
        What `[[when]]` says, see `RuleConfig.told`.
    """

    state: str
    pid: int
    host: str
    version: str
    started_at: str
    interval_s: float
    config: str | None = None
    model: str | None = None
    worker_pid: int | None = None
    cluster: str | None = None
    workers: tuple[WorkerNow, ...] = ()
    worker_rates: dict[str, float] = field(default_factory=dict)
    working_on: str | None = None
    worker_deaths: int = 0
    roots: tuple[RootReport, ...] = ()
    alerts_sent: int = 0
    alerts_held_back: int = 0
    last_alert: str | None = None
    listen: str | None = None
    config_error: str | None = None
    error: str | None = None
    troubles: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    engine: dict[str, Any] = field(default_factory=dict)
    rules: tuple[dict[str, Any], ...] = ()
    latest_alerts: tuple[ToldAlert, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Report:
        """Read what was stored; what this version does not know is left out."""
        values = {f.name: stored[f.name] for f in fields(cls) if f.name in stored}
        values["roots"] = tuple(RootReport(**_known(RootReport, root)) for root in values.get("roots", ()))
        values["workers"] = tuple(WorkerNow(**_known(WorkerNow, one)) for one in values.get("workers", ()))
        told = values.get("latest_alerts", ())
        values["latest_alerts"] = tuple(ToldAlert(**_known(ToldAlert, alert)) for alert in told)
        values["rules"] = tuple(values.get("rules", ()))
        return cls(**{**values, "troubles": tuple(values.get("troubles", ()))})


def _known(kind: type, stored: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}


def liveness(report: Report, reported_at: datetime, moment: datetime) -> tuple[bool, str]:
    """Whether the service runs, and what can be said of it.

    A service that was killed cannot say so: on its own machine its process is looked for, from elsewhere its silence
    tells after three reports that did not come.
    """
    age = (moment - reported_at).total_seconds()
    if report.state not in ALIVE:
        return False, report.state
    if report.host == socket.gethostname() and not _is_there(report.pid):
        return False, f"ended without a word (process {report.pid} is gone)"
    if age > max(_MISSED * report.interval_s, 60.0):
        return False, f"silent for {age:.0f} s"
    return True, report.state


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
