"""`--set SECTION.NAME=VALUE`: settings given on the command line, over those of the configuration file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

SECTIONS = ("segmentation", "volume", "tracking", "engine")
DEFAULT = "default"  # as a value: as if the file did not give it


@dataclass(frozen=True)
class Assignment:
    """One setting: its section, its name, and the value as TOML has it; None: its default again."""

    section: str
    name: str
    value: bool | int | float | str | None

    @property
    def key(self) -> tuple[str, str]:
        """Where it stands in the document."""
        return (self.section, self.name)

    def __str__(self) -> str:
        """As it is given."""
        value = str(self.value).lower() if isinstance(self.value, bool) else self.value
        return f"{self.section}.{self.name}={DEFAULT if value is None else value}"


def assignment(text: str) -> Assignment:
    """Read ``segmentation.min_score=0.8``; a text needs no quotes, and ``default`` takes back what the file says.

    Raises
    ------
    ValueError
        With a sentence for people.
    """
    key, equals, value = text.partition("=")
    section, dot, name = key.strip().partition(".")
    if not (equals and dot and section and name and value.strip()):
        raise ValueError(f"{text!r} sets nothing: write SECTION.NAME=VALUE, such as segmentation.min_score=0.8")
    if section not in SECTIONS:
        raise ValueError(f"{text!r}: there is no section {section!r} to set; there are {', '.join(SECTIONS)}")
    return Assignment(section, name, _value(value.strip()))


def overlaid(document: Mapping[str, Any], assignments: Sequence[Assignment]) -> dict[str, Any]:
    """A configuration's document with the settings that were given over it; the later one of two counts."""
    result = dict(document)
    for one in assignments:
        section = result.get(one.section, {})
        if not isinstance(section, Mapping):
            continue  # a fault of its own
        others = {name: value for name, value in section.items() if name != one.name}
        result[one.section] = others if one.value is None else {**others, one.name: one.value}
    given = {one.key for one in assignments}
    if given and isinstance(result.get("watch"), list):
        result["watch"] = [_without(watch, given) for watch in result["watch"]]
    return result


def _without(watch: object, given: Set[tuple[str, str]]) -> object:
    """A watch without settings of its own that were given for all."""
    if not isinstance(watch, Mapping):
        return watch
    inside = {section: table for section, table in watch.items() if isinstance(table, Mapping)}
    left = {s: {name: value for name, value in table.items() if (s, name) not in given} for s, table in inside.items()}
    return {**watch, **left}


def _value(text: str) -> bool | int | float | str | None:
    """A value of TOML; what is none is a text."""
    if text == DEFAULT:
        return None
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, (bool, int, float, str)) else text
