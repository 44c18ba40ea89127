"""What a parameter means to people, kept at the parameter itself: meaning, unit, range, and when to change it.

The documents, `nusetd settings`, the checks of a configuration and the page are all made from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from nuset_engine.errors import ParameterFault

_KEY = "setting"


@dataclass(frozen=True)
class Setting:
    """A parameter as people meet it.

    Attributes
    ----------
    meaning : str
        What it does, in a sentence or two.
    change : str
        When to change it, and to what effect.
    unit : str
        Empty: a number without one.
    low, high : float or None
        Smallest and largest value that is taken; None: no limit on that side.
    low_excluded, high_excluded : bool
        The limit itself is not taken.
    multiple : int or None
        Only multiples of it are taken.
    choices : tuple of str
        The texts that are taken, of a setting that is a text.
    unset : str
        What None does; empty where None is not taken.
    later : bool
        Came after results had been stored: at its default it is left out of what is stored, so that equal results keep
        equal parameters.
    """

    meaning: str
    change: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    low_excluded: bool = False
    high_excluded: bool = False
    multiple: int | None = None
    choices: tuple[str, ...] = ()
    unset: str = ""
    later: bool = False

    def allows(self, value: object) -> bool:
        """Whether a value of the right kind is within range."""
        if value is None:
            return bool(self.unset)
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return True
        above = self.low is None or (value > self.low if self.low_excluded else value >= self.low)
        below = self.high is None or (value < self.high if self.high_excluded else value <= self.high)
        return math.isfinite(value) and above and below and (self.multiple is None or value % self.multiple == 0)

    @property
    def range(self) -> str:
        """The range as people write it, such as ``0 to 1``, ``above 0`` or ``on or off``; empty where there is none."""
        if self.choices:
            return f"{', '.join(self.choices[:-1])} or {self.choices[-1]}"
        above = "above " if self.low_excluded else ""
        below = "below " if self.high_excluded else ""
        low, high = (None if end is None else f"{end:g}" for end in (self.low, self.high))
        if low is not None and high is not None:
            text = f"{above}{low} to {below}{high}"
        elif low is not None:
            text = f"{above or 'at least '}{low}"
        else:
            text = "" if high is None else f"{below or 'at most '}{high}"
        return f"a multiple of {self.multiple}, {text}".rstrip(", ") if self.multiple else text

    @property
    def refusal(self) -> str:
        """What is wrong with a value out of range, after "name = value"."""
        if self.low is not None and self.high is not None and not self.multiple:
            above = "above " if self.low_excluded else ""
            below = "below " if self.high_excluded else ""
            unit = f" {self.unit}" if self.unit else ""
            return f"is not between {above}{self.low:g} and {below}{self.high:g}{unit}"
        return f"is not {self.range}{' ' + self.unit if self.unit else ''}"


def setting(default: Any, meaning: str, change: str, **details: Any) -> Any:  # noqa: ANN401 - as `dataclasses.field`
    """A field of a parameter object, with its `Setting`."""
    return field(default=default, metadata={_KEY: Setting(meaning, change, **details)})


def settings_of(kind: type) -> dict[str, Setting]:
    """The settings of a parameter class, by name and in its order."""
    return {one.name: one.metadata[_KEY] for one in fields(kind) if _KEY in one.metadata}


def range_faults(params: object) -> list[ParameterFault]:
    """Every parameter that is out of its range."""
    return [
        ParameterFault(name, getattr(params, name), known.refusal)
        for name, known in settings_of(type(params)).items()
        if not known.allows(getattr(params, name))
    ]


def plain_values(params: object) -> dict[str, Any]:
    """The parameters as plain values for JSON, as they are stored beside results."""
    known: Mapping[str, Setting] = settings_of(type(params))
    values: dict[str, Any] = {}
    for one in fields(params):  # type: ignore[arg-type]  # a dataclass, by contract
        value = getattr(params, one.name)
        came_later = one.name in known and known[one.name].later
        if not (came_later and one.default is not MISSING and value == one.default):
            values[one.name] = value
    return values
