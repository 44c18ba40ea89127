"""The file of overrides: settings as the configuration writes them, and below who changed what, when, from what."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.configuration.config import SECTIONS
from daemon.errors import DaemonError
from storage.files.whole_file import remove_unfinished, whole

Value = bool | int | float | str
MOST_CHANGES = 1000
SERVICE = ""
"""In place of a watched folder: what counts for the service as a whole."""

WEIGHTS = "engine.weights"
"""The only setting of the service as a whole that can be overridden."""

HEAD = """\
# Settings that people chose while the service ran: they count more than its configuration.
# The service writes this file: change it with `nusetd override`, or on the page.
"""


@dataclass(frozen=True)
class OverrideChange:
    """What somebody changed.

    Attributes
    ----------
    at, by : str
        When (UTC), and who.
    watch, setting : str
        The watched folder, or `SERVICE`, and the setting's full name.
    value : bool, int, float, str or None
        From then on; None: what the configuration says.
    before : bool, int, float, str or None
        What was in use until then; None: it was measured, or not limited.
    """

    at: str
    by: str
    watch: str
    setting: str
    value: Value | None = None
    before: Value | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same change, however often it is carried out."""
        return (self.at, self.by, self.watch, self.setting)


@dataclass(frozen=True)
class Overrides:
    """All of them.

    Attributes
    ----------
    values : mapping
        The settings of each watched folder, and of the service as a whole, by their full names.
    changes : tuple of OverrideChange
        The latest last.
    fault : str or None
        Why the file cannot be read.
    """

    values: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    changes: tuple[OverrideChange, ...] = ()
    fault: str | None = None

    def latest(self, watch: str, setting: str) -> OverrideChange | None:
        """Who chose the value that is in use; None where a person wrote it into the file."""
        found = [one for one in self.changes if (one.watch, one.setting) == (watch, setting)]
        return found[-1] if found and found[-1].value is not None else None

    def with_changes(self, changes: tuple[OverrideChange, ...]) -> Overrides:
        """These with some changes more; those that were carried out already change nothing."""
        known = {one.key for one in self.changes}
        new = tuple(one for one in changes if one.key not in known)
        values = {watch: dict(settings) for watch, settings in self.values.items()}
        for one in new:
            mine = values.setdefault(one.watch, {})
            if one.value is None:
                mine.pop(one.setting, None)
            else:
                mine[one.setting] = one.value
        kept = {watch: settings for watch, settings in values.items() if settings}
        return Overrides(kept, (*self.changes, *new)[-MOST_CHANGES:])


def read(path: Path) -> Overrides:
    """Read the file; none is one without overrides, and one that cannot be read says why."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        watches = [_watch(one) for one in document.get("watch", [])]
        watches += _service(document.get("engine", {}))
        changes = tuple(OverrideChange(**one) for one in document.get("changed", []))
    except FileNotFoundError:
        return Overrides()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return Overrides(fault=f"{path} does not count ({why}): correct it, or remove it.")
    return Overrides(dict(watches), changes)


def write(path: Path, overrides: Overrides) -> None:
    """Put them in the place of what is there; after a power cut the file holds the one or the other.

    Raises
    ------
    DaemonError
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_unfinished([path])
        with whole(path) as unfinished:
            unfinished.write_text(text(overrides), encoding="utf-8")
    except OSError as error:
        raise DaemonError(f"{path} cannot be written ({error.strerror}): nothing was changed.") from error


def text(overrides: Overrides) -> str:
    """The file's text."""
    lines = [HEAD]
    for watch, settings in sorted(overrides.values.items()):
        if watch == SERVICE:
            lines += ["[engine]", f"weights = {_toml(settings[WEIGHTS])}", ""]
            continue
        lines += ["[[watch]]", f"path = {_toml(watch)}"]
        for section in SECTIONS:
            mine = {name.partition(".")[2]: v for name, v in settings.items() if name.startswith(f"{section}.")}
            lines += [f"[watch.{section}]", *(f"{name} = {_toml(v)}" for name, v in mine.items())] if mine else []
        lines.append("")
    for change in overrides.changes:
        said = {name: value for name, value in vars(change).items() if value is not None}
        lines += ["[[changed]]", *(f"{name} = {_toml(value)}" for name, value in said.items()), ""]
    return "\n".join(lines)


def _watch(table: Mapping[str, Any]) -> tuple[str, dict[str, Value]]:
    path = table.get("path")
    if not isinstance(path, str):
        raise TypeError("a [[watch]] without a path")
    inside = {section: own for section, own in table.items() if isinstance(own, Mapping)}
    return path, {f"{section}.{name}": value for section, own in inside.items() for name, value in own.items()}


def _service(table: Mapping[str, Any]) -> list[tuple[str, dict[str, Value]]]:
    if not isinstance(table, Mapping) or not set(table) <= {"weights"} or not isinstance(table.get("weights", ""), str):
        raise TypeError("[engine] holds something else than weights")
    return [(SERVICE, {WEIGHTS: table["weights"]})] if table else []


def _toml(value: Value) -> str:
    """A value as TOML writes it; its texts are those of JSON but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
