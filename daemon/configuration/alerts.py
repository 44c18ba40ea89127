"""`[alerts]`: what a person is told of at once, by a command of theirs."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.configuration.fields import Reader


@dataclass(frozen=True)
class AlertsConfig:
    """When an alert is raised, and the command that carries it. A limit of 0 switches its alert off.

    Attributes
    ----------
    command : tuple of str
        Program and arguments, run as they are and never by a shell; empty: alerts are only logged.
    timeout_s : float
        A command that takes longer is ended.
    pause_s : float
        The same alert about the same thing is not repeated sooner.
    at_most_per_hour : int
        All alerts together.
    count_drop : float
        Share of nuclei lost against the median of the five time points before (0..1).
    signal_drop : float
        Share of the nuclei's signal, above the background, lost since the first three time points (0..1).
    missing_slices : int
        So many slices of a stack are blank.
    lag_s : float
        A time point has been waiting for so long.
    folder_offline : bool
        A watched folder cannot be reached.
    set_aside : bool
        A time point or a file was set aside.
    stalled : bool
        Results cannot be stored or shown: a full disk, a locked database, a broken store.
    disk_low_gb : float
        So little room is left for results.
    disk_low_hours : float
        Room for so many hours is left at the present rate.
    """

    command: tuple[str, ...] = ()
    timeout_s: float = 30.0
    pause_s: float = 3600.0
    at_most_per_hour: int = 20
    count_drop: float = 0.5
    signal_drop: float = 0.5
    missing_slices: int = 1
    lag_s: float = 1800.0
    folder_offline: bool = True
    set_aside: bool = True
    stalled: bool = True
    disk_low_gb: float = 5.0
    disk_low_hours: float = 2.0


def read_alerts(table: Reader) -> AlertsConfig:
    """Read the table `[alerts]`, noting its faults."""
    defaults = AlertsConfig()
    alerts = AlertsConfig(
        command=table.words("command"),
        timeout_s=table.number("timeout_s", defaults.timeout_s, at_least=0.1),
        pause_s=table.number("pause_s", defaults.pause_s, at_least=0.0),
        at_most_per_hour=table.whole("at_most_per_hour", defaults.at_most_per_hour, at_least=1),
        count_drop=table.number("count_drop", defaults.count_drop, at_least=0.0, at_most=1.0),
        signal_drop=table.number("signal_drop", defaults.signal_drop, at_least=0.0, at_most=1.0),
        missing_slices=table.whole("missing_slices", defaults.missing_slices, at_least=0),
        lag_s=table.number("lag_s", defaults.lag_s, at_least=0.0),
        folder_offline=table.boolean("folder_offline", defaults.folder_offline),
        set_aside=table.boolean("set_aside", defaults.set_aside),
        stalled=table.boolean("stalled", defaults.stalled),
        disk_low_gb=table.number("disk_low_gb", defaults.disk_low_gb, at_least=0.0),
        disk_low_hours=table.number("disk_low_hours", defaults.disk_low_hours, at_least=0.0),
    )
    table.finish()
    return alerts
