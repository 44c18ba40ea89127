"""Reading the configuration again while the service runs: what may change at once, and what a restart is needed for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.configuration import config as configuration
from daemon.configuration.config import Config
from daemon.errors import ConfigError


@dataclass(frozen=True)
class Taken:
    """A configuration to go on with.

    Attributes
    ----------
    config : Config
        The new one, but for what only a restart can change.
    changed : tuple of str
        What is new.
    for_restart : str or None
        What was left as it was, and what to do.
    restarts_intakes : bool
        Every watched folder is looked at anew, as after a restart.
    """

    config: Config
    changed: tuple[str, ...]
    for_restart: str | None
    restarts_intakes: bool


def read(origin: Path | None, old: Config, laid_over: Callable[[Config], Config] = lambda config: config) -> Taken:
    """Read the configuration file again; `laid_over` is told of it, and returns what counts.

    Raises
    ------
    ConfigError
        When it has faults; all of them are told.
    """
    if origin is None:
        raise ConfigError("The service was not started with a configuration file: there is none to read again.")
    return compare(old, laid_over(configuration.load(origin, old.assignments)))


def compare(old: Config, new: Config) -> Taken:
    """What of a new configuration is taken over in place of the old one."""
    left = [name for name in ("database", "engine") if getattr(old, name) != getattr(new, name)]
    if old.service.worker_silence_s != new.service.worker_silence_s:
        left.append("service.worker_silence_s")
    service = replace(new.service, worker_silence_s=old.service.worker_silence_s)
    taken = replace(new, database=old.database, engine=old.engine, service=service)
    names = ("watch", "service", "processing", "alerts", "page", "retention", "rules")
    changed = tuple(name for name in names if getattr(old, name) != getattr(taken, name))
    outputs = [{watch.output for watch in which.watch} for which in (old, taken)]
    watching = [(which.service.events, which.service.rescan_s, which.processing) for which in (old, taken)]
    reason = f"{', '.join(left)} changes with a restart only: systemctl restart nusetd" if left else None
    return Taken(taken, changed, reason, outputs[0] != outputs[1] or watching[0] != watching[1])
