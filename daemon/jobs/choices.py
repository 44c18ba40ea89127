"""Reading what a person chose on a form: numbers within bounds, names out of a list; all faults are told at once."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from daemon.errors import UsageError


class Choices:
    """The values of one form.

    Parameters
    ----------
    given : mapping
        Plain values by name, from anywhere.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.faults: list[str] = []

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number within bounds; the default where none is given."""
        value = self._given.get(name)
        if value is None or value == "":
            return default
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and low <= value <= high
        ):
            return float(value)
        self.faults.append(f"{name} = {_shown(value)} is no number from {low:g} to {high:g}")
        return default

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.number(name, default, low, high)
        if value != int(value):
            self.faults.append(f"{name} = {value:g} is no whole number")
        return int(value)

    def one_of(self, name: str, allowed: Collection[str], default: str) -> str:
        """One of a few words."""
        value = self._given.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, str) and value in allowed:
            return value
        self.faults.append(f"{name} = {_shown(value)} is not one of {', '.join(allowed)}")
        return default

    def text(self, name: str) -> str:
        """A text of one line; empty where none is given."""
        value = self._given.get(name)
        if value is None:
            return ""
        if isinstance(value, str) and len(value) < 1000 and value.isprintable():
            return value.strip()
        self.faults.append(f"{name} = {_shown(value)} is no text of one line")
        return ""

    def check(self) -> None:
        """Refuse what was wrong.

        Raises
        ------
        UsageError
            With every fault.
        """
        if self.faults:
            raise UsageError("; ".join(self.faults) + ": correct that, and order again.")


def _shown(value: object) -> str:
    return repr(value)[:60]
