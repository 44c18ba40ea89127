"""Where the value of each setting comes from: the configuration, an override with its date and author, the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from daemon.configuration.catalogue import every_setting
from daemon.configuration.config import Config, Processing, WatchConfig
from daemon.configuration.service_config import DEFAULT_WEIGHTS
from daemon.overrides.applying import without
from daemon.overrides.book import SERVICE, WEIGHTS, Overrides, Value

ValueOrigin = Literal["default", "configuration", "command line", "override"]


@dataclass(frozen=True)
class SettingInUse:
    """A setting as it counts for a watched folder, or for the service as a whole.

    Attributes
    ----------
    name : str
        Its full name.
    value, configured : bool, int, float, str or None
        In use, and by the configuration alone; None: measured, or not limited.
    origin : str
    by, at : str or None
        Who chose an override, and when.
    """

    name: str
    value: Value | None
    configured: Value | None
    origin: ValueOrigin
    by: str | None = None
    at: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> SettingInUse:
        """Read what was stored."""
        return cls(**{name: stored.get(name) for name in cls.__dataclass_fields__})  # type: ignore[arg-type]

    def __str__(self) -> str:
        """As a line for people."""
        value = spoken(self.value)
        if self.origin != "override":
            return f"{self.name} = {value}, by the {self.origin}"
        who = f"chosen by {self.by} at {self.at}" if self.by else "written into the file of overrides"
        return f"{self.name} = {value}, {who}; by the configuration {spoken(self.configured)}"


def spoken(value: Value | None) -> str:
    """A value for people."""
    if value is None:
        return "not given"
    return str(value).lower() if isinstance(value, bool) else str(value)


def in_use(config: Config, watch: WatchConfig, overrides: Overrides) -> list[SettingInUse]:
    """Every setting of a watched folder whose value is no default, by section."""
    now, alone = config.processing_of(watch), without(watch, config)
    mine, index = overrides.values.get(str(watch.path), {}), config.watch.index(watch)
    given = {one.key for one in config.assignments}
    found = []
    for known in every_setting():
        key = (known.section, known.name)
        value, configured = _value(now, key), _value(alone, key)
        origin: ValueOrigin = "default"
        if known.full_name in mine and (value != configured or mine[known.full_name] == value):
            origin = "override"
        elif key in given:
            origin = "command line"
        elif key in config.written or ("watch", index, *key) in config.written:
            origin = "configuration"
        if origin != "default":
            change = overrides.latest(str(watch.path), known.full_name) if origin == "override" else None
            by, at = (None, None) if change is None else (change.by, change.at)
            found.append(SettingInUse(known.full_name, value, configured, origin, by, at))
    return found


def service_in_use(config: Config, overrides: Overrides) -> list[SettingInUse]:
    """The weights, where they are no default."""
    value, configured = config.engine.weights, config.configured_weights
    if configured is not None:
        change = overrides.latest(SERVICE, WEIGHTS)
        by, at = (None, None) if change is None else (change.by, change.at)
        return [SettingInUse(WEIGHTS, value, configured, "override", by, at)]
    if value == DEFAULT_WEIGHTS:
        return []
    given = ("engine", "weights") in {one.key for one in config.assignments}
    return [SettingInUse(WEIGHTS, value, value, "command line" if given else "configuration")]


def _value(processing: Processing, key: tuple[str, str]) -> Any:  # noqa: ANN401 - of any kind
    return getattr(getattr(processing, key[0]), key[1])
