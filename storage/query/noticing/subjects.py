"""Which columns there are of what a condition can be about, without any acquisition at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Float, Integer, literal

from storage.query.filters import Columns, condition
from storage.schema.tables import nuclei, tracks

_NUMBERED = re.compile(r"channel_\d{1,3}_\w+")
_KINDS: Mapping[str, type[Integer] | type[Float[float]]] = {"int": Integer, "float": Float}
MADE: Mapping[str, Mapping[str, str]] = {
    "divisions": {
        **dict.fromkeys(("parent_track_id", "daughter_1", "daughter_2", "t", "source_t"), "int"),
        **dict.fromkeys(("z_um", "y_um", "x_um", "score", "parent_volume_um3"), "float"),
        **dict.fromkeys(("daughter_1_volume_um3", "daughter_2_volume_um3"), "float"),
    },
    "counts": {
        **dict.fromkeys(("t", "source_t", "nuclei_count", "divisions_count", "divisions_total", "blank_slices"), "int"),
        **dict.fromkeys(("nuclei_before", "nuclei_ratio", "signal", "signal_ratio"), "float"),
    },
    "drift": {
        **dict.fromkeys(("t", "source_t", "links"), "int"),
        **{f"{what}_{axis}um": "float" for what in ("step", "total") for axis in ("z_", "y_", "x_", "")},
    },
}
"""Columns that are computed, with their kinds."""


class Together(Mapping[str, ColumnElement[Any]]):
    """Columns of two kinds of rows that belong together; names of the first count before those of the second."""

    def __init__(self, first: Columns, second: Columns) -> None:
        self._first, self._second = first, second

    def __getitem__(self, name: str) -> ColumnElement[Any]:
        """Return a column."""
        return self._first[name] if name in self._first else self._second[name]

    def __iter__(self) -> Iterator[str]:
        """Give all names."""
        return iter(dict.fromkeys([*self._first, *self._second]))

    def __len__(self) -> int:
        """Number of names."""
        return len(list(iter(self)))


class OfAnyChannel(Together):
    """Columns before any image has come: intensities of other channels are known by their numbers."""

    def __getitem__(self, name: str) -> ColumnElement[Any]:
        """Return a column, or what stands for one that images may have."""
        return literal(0.0, Float()) if _NUMBERED.fullmatch(name) else super().__getitem__(name)


def check(subject: str, where: str) -> None:
    """Refuse a condition that cannot be read, or names what there is not of its subject.

    Raises
    ------
    WrongRequestError
    """
    if subject in MADE:
        values = dict.fromkeys(MADE[subject])
        condition(where, made_columns(subject, values), subject)
        return
    columns: Columns = {column.name: column for column in nuclei.columns if column.name != "measurements"}
    more = of_tracks(literal(0, Integer()), literal(0.0, Float())) if subject == "tracks" else {}
    condition(where, OfAnyChannel(more, columns), subject)


def of_tracks(first_number: ColumnElement[Any], from_first: ColumnElement[Any]) -> dict[str, ColumnElement[Any]]:
    """What is known of a nucleus' track at the time, besides the columns of the nucleus."""
    return {
        "parent_track_id": tracks.c.parent_track_id,
        "first_t": tracks.c.first_t,
        "first_source_t": tracks.c.first_t + first_number,
        "age": nuclei.c.t - tracks.c.first_t,
        "from_first_um": from_first,
    }


def made_columns(subject: str, values: Mapping[str, Any]) -> dict[str, ColumnElement[Any]]:
    """Return computed values as columns of their kinds."""
    return {name: literal(values.get(name), _KINDS[kind]()) for name, kind in MADE[subject].items()}
