"""The overrides of a running service: read with its configuration, changed by orders, told to whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.configuration.config import Config, WatchConfig
from daemon.errors import DaemonError, UsageError
from daemon.installation.state_folder import overrides_path
from daemon.overrides import book
from daemon.overrides.applying import applied, overlaid, with_weights, without
from daemon.overrides.book import SERVICE, WEIGHTS, OverrideChange, Overrides, Value
from daemon.overrides.origins import in_use, service_in_use, spoken


@dataclass(frozen=True)
class OverrideOrder:
    """What somebody wants changed for one watched folder, or for the service as a whole.

    Attributes
    ----------
    watch : str
        `SERVICE`: the weights.
    at, by : str
        When (UTC), and who.
    values : mapping
        New values of settings, by their full names.
    removed : tuple of str
        Settings that are to be as the configuration says.
    """

    watch: str
    at: str
    by: str
    values: Mapping[str, Value] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON, without the folder."""
        return {"at": self.at, "by": self.by, "values": dict(self.values), "removed": list(self.removed)}

    @classmethod
    def from_dict(cls, watch: str, stored: Mapping[str, Any]) -> OverrideOrder:
        """Read what was stored."""
        values = dict(stored.get("values") or {})
        return cls(watch, str(stored.get("at")), str(stored.get("by")), values, tuple(stored.get("removed") or ()))


class SettingsInUse:
    """The overrides of the service on one database.

    Parameters
    ----------
    database : str
        Its URL.
    """

    def __init__(self, database: str) -> None:
        self._overrides = Overrides()
        self._faults: tuple[str, ...] = ()
        self._path: Path | None = None
        try:
            self._path = overrides_path(database)
        except DaemonError as error:
            self._overrides = Overrides(fault=f"There are no overrides: {error}")

    @property
    def faults(self) -> tuple[str, ...]:
        """A sentence for each override that does not count."""
        return self._faults

    @property
    def overrides(self) -> Overrides:
        """As they were read."""
        return self._overrides

    def laid_over(self, config: Config) -> Config:
        """Read the file, and lay it over a configuration."""
        if self._path is not None:
            self._overrides = book.read(self._path)
        return self._lay(config)

    def order(self, config: Config, order: OverrideOrder) -> tuple[Config, str]:
        """Carry out an order: the file is written, and the configuration with it returned, with a sentence.

        Carried out again, as after a crash in between, it changes nothing more.

        Raises
        ------
        DaemonError
            When it cannot be done; nothing is changed then.
        """
        path, changes, after = self._after(config, order)
        book.write(path, after)
        self._overrides = after
        return self._lay(config), _told(order.watch, changes)

    def weights_after(self, config: Config, order: OverrideOrder) -> str:
        """The weights that an order leads to; nothing is changed yet.

        Raises
        ------
        DaemonError
            When it cannot be done.
        """
        _, _, after = self._after(config, order)
        return with_weights(config, after.values.get(SERVICE, {}).get(WEIGHTS))[0].engine.weights

    def _after(self, config: Config, order: OverrideOrder) -> tuple[Path, tuple[OverrideChange, ...], Overrides]:
        """Where they are kept, what an order changes, and what they are after it."""
        if self._path is None or self._overrides.fault is not None:
            raise DaemonError(self._overrides.fault or "There is no folder for the service's state.")
        watch = next((one for one in config.watch if str(one.path) == order.watch), None)
        if watch is None and order.watch != SERVICE and order.values:
            folders = ", ".join(str(one.path) for one in config.watch)
            raise UsageError(f"{order.watch} is not watched: choose one of {folders}.")
        changes = self._changes(config, watch, order)
        after = self._overrides.with_changes(changes)
        mine, faults = after.values.get(order.watch, {}), list[str]()
        if order.watch == SERVICE:
            faults = [f"{name} can only be changed in the configuration." for name in mine if name != WEIGHTS]
            faults += with_weights(config, mine.get(WEIGHTS))[1]
        elif watch is not None:
            faults = overlaid(without(watch, config), mine)[1]
        if faults:
            raise UsageError(f"Nothing was changed: {' '.join(faults)}")
        return self._path, changes, after

    def told(self, config: Config) -> dict[str, Any]:
        """For the service's report: where values come from that are no defaults, and what does not count."""
        settings = {
            str(watch.path): [one.as_dict() for one in in_use(config, watch, self._overrides)] for watch in config.watch
        }
        path = None if self._path is None else str(self._path)
        overridden = sorted(self._overrides.values.keys() - {SERVICE})
        service = [one.as_dict() for one in service_in_use(config, self._overrides)]
        told = {"path": path, "faults": list(self._faults), "settings": settings, "overridden": overridden}
        return {**told, "service": service}

    def _lay(self, config: Config) -> Config:
        found = applied(config, self._overrides)
        self._faults = found.faults
        return found.config

    def _changes(self, config: Config, watch: WatchConfig | None, order: OverrideOrder) -> tuple[OverrideChange, ...]:
        there = self._overrides.values.get(order.watch, {})
        removed = there.keys() if "*" in order.removed else order.removed
        wanted: dict[str, Value | None] = {**dict.fromkeys(removed), **order.values}

        def before(name: str) -> Value | None:
            section, _, key = name.partition(".")
            if order.watch == SERVICE:
                return config.engine.weights
            params = None if watch is None else getattr(config.processing_of(watch), section, None)
            found: Value | None = there.get(name) if params is None else getattr(params, key, None)
            return found

        return tuple(
            OverrideChange(order.at, order.by, order.watch, name, value, before(name)) for name, value in wanted.items()
        )


def _told(watch: str, changes: tuple[OverrideChange, ...]) -> str:
    if watch == SERVICE and changes:
        now = "those of the configuration" if changes[-1].value is None else str(changes[-1].value)
        return f"From now on nuclei are found with other weights: {now} (before: {spoken(changes[-1].before)})."
    if not changes:
        return f"For {watch} nothing is overridden."
    parts = [
        f"{one.setting} = {spoken(one.value)} (before: {spoken(one.before)})"
        if one.value is not None
        else f"{one.setting} as the configuration says (before: {spoken(one.before)})"
        for one in changes
    ]
    return f"From now on for {watch}: {', '.join(parts)}."
