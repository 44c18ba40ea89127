"""Reading typed values out of a TOML table, collecting every fault instead of stopping at the first."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from daemon.configuration.toml_lines import KeyPath
from nuset_engine.errors import ParametersError
from nuset_engine.settings import settings_of
from storage import naming
from storage.given_facts import AXES_REMEDY, GivenSize, checked_axes
from storage.naming import Place

Params = TypeVar("Params")

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_KINDS = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "a text in quotes"}


@dataclass(frozen=True)
class Fault:
    """One mistake: the key that it is in, and a sentence with the value and the remedy."""

    key: KeyPath
    sentence: str


class Reader:
    """One table of the document; tables inside share its list of faults.

    Parameters
    ----------
    values : mapping
        What `tomllib` made of the table.
    key : tuple
        The table's own place in the document.
    faults : list of Fault, optional
        Where faults are collected.
    """

    def __init__(self, values: Mapping[str, Any], key: KeyPath = (), faults: list[Fault] | None = None) -> None:
        self._values = values
        self._key = key
        self._known: set[str] = set()
        self.faults: list[Fault] = [] if faults is None else faults

    @property
    def values(self) -> Mapping[str, Any]:
        """The table as it is."""
        return self._values

    @property
    def key(self) -> KeyPath:
        """Its place in the document."""
        return self._key

    def inner(self, name: str) -> Mapping[str, Any]:
        """The table `name` as it is, empty where it is none; it is not checked."""
        found = self._values.get(name)
        return found if isinstance(found, Mapping) else {}

    def fault(self, key: KeyPath, sentence: str) -> None:
        """Note a mistake at `key` inside this table."""
        self.faults.append(Fault((*self._key, *key), sentence))

    def table(self, name: str) -> Reader:
        """The table `name`, empty when it is not written."""
        value = self._take(name, {})
        if not isinstance(value, Mapping):
            self.fault((name,), f"{name} = {value!r} must be a table: write [{name}] and its keys below.")
            value = {}
        return Reader(value, (*self._key, name), self.faults)

    def tables(self, name: str) -> list[Reader]:
        """The array of tables `name`."""
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            self.fault((name,), f"{name} must be a list of tables: write [[{name}]] with two brackets.")
            return []
        return [Reader(item, (*self._key, name, index), self.faults) for index, item in enumerate(value)]

    def text(self, name: str, default: str) -> str:
        """A text that is not empty."""
        value = self._take(name, default)
        if isinstance(value, str) and value.strip():
            return value
        self.fault((name,), f"{name} = {value!r} must be a text in quotes that is not empty.")
        return default

    def optional_text(self, name: str) -> str | None:
        """A text, or None when the key is not written."""
        if name in self._values:
            return self.text(name, "")
        self._known.add(name)
        return None

    def boolean(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._take(name, default)
        if isinstance(value, bool):
            return value
        self.fault((name,), f"{name} = {value!r} must be true or false.")
        return default

    def number(self, name: str, default: float, at_least: float, at_most: float = math.inf) -> float:
        """A finite number within bounds."""
        value = self._take(name, default)
        if _is_number(value) and at_least <= value <= at_most:
            return float(value)
        bounds = f"of at least {at_least:g}" if at_most == math.inf else f"from {at_least:g} to {at_most:g}"
        self.fault((name,), f"{name} = {value!r} must be a number {bounds}.")
        return default

    def whole(self, name: str, default: int, at_least: int) -> int:
        """A whole number of at least `at_least`."""
        value = self._take(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= at_least:
            return value
        self.fault((name,), f"{name} = {value!r} must be a whole number of at least {at_least}.")
        return default

    def whole_or_auto(self, name: str, default: int | Literal["auto"], most: int, else_: str) -> int | Literal["auto"]:
        """A whole number from 1 to `most`, or `auto`; `else_` says what to do instead of more."""
        value = self._take(name, default)
        if value == "auto":
            return "auto"
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
            return value
        self.fault((name,), f"{name} = {value!r} must be a whole number from 1 to {most}, or 'auto'; {else_}.")
        return default

    def optional_whole(self, name: str, at_least: int) -> int | None:
        """A whole number of at least `at_least`, or None where the key is not written."""
        return self.whole(name, at_least, at_least) if name in self._values else None

    def words(self, name: str) -> tuple[str, ...]:
        """A program and its arguments; empty when the key is not written."""
        value = self._take(name, [])
        texts = isinstance(value, list) and all(isinstance(word, str) for word in value)
        if texts and (not value or value[0].strip()):
            return tuple(value)
        remedy = 'write ["/path/of/program", "argument"]; it is not run by a shell.'
        self.fault((name,), f"{name} = {value!r} must be a list of texts, the program first: {remedy}")
        return ()

    def texts(self, name: str) -> tuple[str, ...]:
        """Texts; none when the key is not written."""
        value = self._take(name, [])
        if isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value):
            return tuple(value)
        self.fault((name,), f"{name} = {value!r} must be a list of texts, each in quotes.")
        return ()

    def loopback(self, name: str) -> str | None:
        """An address `host:port` that only this machine reaches, or None."""
        value = self._take(name, None)
        if value is None:
            return None
        host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
        if host in LOOPBACK and port.isdecimal() and 0 < int(port) < 65536:
            return str(value)
        remedy = "write one of this machine's own, such as '127.0.0.1:9464'; others reach it through a proxy of yours."
        self.fault((name,), f"{name} = {value!r} must be an address that only this machine reaches: {remedy}")
        return None

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """One of a few texts."""
        value = self._take(name, default)
        if value in choices:
            return str(value)
        self.fault((name,), f"{name} = {value!r} must be one of {', '.join(map(repr, choices))}.")
        return default

    def path(self, name: str, folder: Path) -> Path:
        """A path that must be given; a relative one counts from `folder`."""
        value = self._take(name, None)
        if value is None:
            self.fault((name,), f'{name} is missing; write {name} = "/a/folder".')
            return folder
        if isinstance(value, str) and value.strip():
            return (folder / Path(value).expanduser()).resolve()
        self.fault((name,), f"{name} = {value!r} must be the path of a folder, in quotes.")
        return folder

    def folders(self, name: str, folder: Path) -> tuple[Path, ...]:
        """Paths of folders, none when the key is not written; relative ones count from the path that is `path` here."""
        value = self._take(name, [])
        around = self._values.get("path")
        inside = folder / Path(around).expanduser() if isinstance(around, str) else folder
        if isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value):
            return tuple((inside / Path(one).expanduser()).resolve() for one in value)
        self.fault((name,), f"{name} = {value!r} must be a list of folders, each in quotes.")
        return ()

    def place(self, name: str, folder: Path) -> Place:
        """A path as `path` takes it, or the URL of an object store."""
        value = self._values.get(name)
        if isinstance(value, str) and naming.is_url(value):
            return naming.as_place(str(self._take(name, None)))
        return self.path(name, folder)

    def channel(self, name: str) -> int | str | None:
        """A channel by index or name, or None."""
        value = self._take(name, None)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        self.fault((name,), f"{name} = {value!r} must be a channel's number from 0, or its name in quotes.")
        return None

    def voxel_size(self, name: str) -> GivenSize | None:
        """Lengths in micrometres: z, y, x; y, x or one number for planes; or None."""
        value = self._take(name, None)
        if value is None:
            return None
        values = value if isinstance(value, list) else [value]
        if 1 <= len(values) <= 3 and all(_is_number(v) and v > 0 for v in values):
            return tuple(float(v) for v in values)
        remedy = "in micrometres; for planes [y, x] or one number will do."
        self.fault((name,), f"{name} = {value!r} must be three positive numbers [z, y, x] {remedy}")
        return None

    def optional_number(self, name: str) -> float | None:
        """A finite number above 0, or None."""
        value = self._take(name, None)
        if value is None:
            return None
        if _is_number(value) and value > 0:
            return float(value)
        self.fault((name,), f"{name} = {value!r} must be a number above 0.")
        return None

    def axes(self, name: str) -> str | None:
        """Letters of axes, or None."""
        value = self._take(name, None)
        if value is None:
            return None
        letters = checked_axes(value) if isinstance(value, str) else None
        if letters is None:
            self.fault((name,), f"{name} = {value!r} is no order of axes: {AXES_REMEDY}.")
        return letters

    def params(self, kind: type[Params]) -> Params:
        """A frozen parameter object that checks itself; its table's keys are its fields."""
        given: dict[str, Any] = {}
        settings = settings_of(kind)
        for field in fields(kind):  # type: ignore[arg-type]  # a dataclass, by contract
            self._known.add(field.name)
            if field.name in self._values:
                value = self._values[field.name]
                if _fits(value, str(field.type)):
                    given[field.name] = value
                elif field.name in settings and settings[field.name].choices:
                    self.fault((field.name,), f"{field.name} = {value!r} {settings[field.name].refusal}.")
                else:
                    wanted = _KINDS.get(str(field.type).split(" | ")[0], "of another kind")
                    self.fault((field.name,), f"{field.name} = {value!r} must be {wanted}.")
        self.finish()
        try:
            return kind(**given)
        except ParametersError as error:
            for fault in error.faults:
                self.fault((fault.name,), f"{fault}.")
            return kind()

    def finish(self) -> None:
        """Every key that nobody asked for is a mistake, most often a misspelt one."""
        for name in self._values:
            if name not in self._known:
                near = difflib.get_close_matches(name, sorted(self._known), n=1)
                remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(self._known))}."
                self.fault((name,), f"{name} is not a known key here; {remedy}")

    def _take(self, name: str, default: object) -> Any:  # noqa: ANN401 - what TOML holds, of any kind
        self._known.add(name)
        return self._values.get(name, default)


def _fits(value: object, annotation: str) -> bool:
    """True where a value is of a parameter's kind; a whole number also serves as a float."""
    if isinstance(value, bool):
        return "bool" in annotation
    wanted = annotation.split(" | ")
    return not {"int", "float", "bool", "str"}.isdisjoint(wanted) and (
        (isinstance(value, int) and not {"int", "float"}.isdisjoint(wanted))
        or (isinstance(value, float) and "float" in wanted and math.isfinite(value))
        or (isinstance(value, str) and "str" in wanted)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
