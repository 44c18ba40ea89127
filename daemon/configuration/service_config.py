"""`[service]`: how the service watches, works and shows itself."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.configuration.fields import Reader


@dataclass(frozen=True)
class ServiceConfig:
    """How the service watches, works and shows itself.

    Attributes
    ----------
    events : bool
        Use file system events as hints; without them the rescan finds everything.
    rescan_s : float
        Seconds between two looks at a whole watched folder.
    worker_silence_s : float
        A worker that says nothing for so long hangs, and is replaced.
    reader_limit_s : float
        A file that is looked into for so long is tried again later, then set aside; the others go on.
    stop_s : float
        Told to stop, the service waits so long for the time point under way; then it is done anew at the next start.
    report_s : float
        Seconds between two reports for `nusetd status`, and two looks at what may raise an alert.
    listen : str or None
        ``host:port`` on this machine for Prometheus' `/metrics`, `/healthz` and `/readyz`; None: not offered.
    log_level : str
    """

    events: bool = True
    rescan_s: float = 10.0
    worker_silence_s: float = 600.0
    reader_limit_s: float = 60.0
    stop_s: float = 45.0
    report_s: float = 10.0
    listen: str | None = None
    log_level: str = "info"


def read_service(table: Reader) -> ServiceConfig:
    """Read the table `[service]`, noting its faults."""
    defaults = ServiceConfig()
    service = ServiceConfig(
        events=table.boolean("events", defaults.events),
        rescan_s=table.number("rescan_s", defaults.rescan_s, at_least=0.1),
        worker_silence_s=table.number("worker_silence_s", defaults.worker_silence_s, at_least=1.0),
        reader_limit_s=table.number("reader_limit_s", defaults.reader_limit_s, at_least=1.0),
        stop_s=table.number("stop_s", defaults.stop_s, at_least=0.0),
        report_s=table.number("report_s", defaults.report_s, at_least=0.1),
        listen=table.loopback("listen"),
        log_level=table.choice("log_level", defaults.log_level, ("debug", "info", "warning", "error")),
    )
    table.finish()
    return service
