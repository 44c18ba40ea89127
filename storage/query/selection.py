"""Which rows and columns of a table are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select

from storage.query.filters import Columns, condition, unknown_columns

TimeRange = int | tuple[int | None, int | None]


@dataclass(frozen=True)
class Selection:
    """What is wanted of a table.

    Attributes
    ----------
    where : str or None
        A filter in the grammar of `storage.query.filters`.
    t : int, or (first, last), or None
        A time point, or a range with both ends, of which either may be None. Tracks are those that live in it.
    source_t : the same, or None
        Time points as people write them, by the numbers in the names of files; one that is not there is refused.
    track : int or None
        Nuclei of this track, or this track; for a lineage, all tracks of its family.
    columns : names in the order wanted, or None for all
    limit : int or None
        At most so many rows, the first ones.
    """

    where: str | None = None
    t: TimeRange | None = None
    source_t: TimeRange | None = None
    track: int | None = None
    columns: Sequence[str] | None = None
    limit: int | None = None

    def of(self, query: Select[Any], columns: Columns, what: str) -> Select[Any]:
        """Return a query with this filter, these columns and this limit.

        Parameters
        ----------
        query : what is selected when all columns are wanted
        columns : by name, those that may be used
        what : what the rows are, for messages

        Raises
        ------
        WrongRequestError
            For an unknown column, or a filter that cannot be read.
        """
        if self.columns is not None:
            unknown = [name for name in self.columns if name not in columns]
            if unknown:
                raise unknown_columns(unknown, columns, what)
            chosen = list(dict.fromkeys(self.columns))
            query = query.with_only_columns(*(columns[name].label(name) for name in chosen))
        if self.where is not None:
            query = query.where(condition(self.where, columns, what))
        if self.limit is not None:
            query = query.limit(self.limit)
        return query

    def bounds(self) -> tuple[int | None, int | None]:
        """Return the first and the last time point, None where there is no bound."""
        return _ends(self.t)

    def source_bounds(self) -> tuple[int | None, int | None]:
        """Return the same as people write it."""
        return _ends(self.source_t)

    def counted_from(self, first_number: int) -> Selection:
        """Return the same with `t` in place of `source_t`."""
        if self.source_t is None:
            return self
        first, last = (None if end is None else end - first_number for end in self.source_bounds())
        return replace(self, source_t=None, t=(first, last))


def _ends(t: TimeRange | None) -> tuple[int | None, int | None]:
    return (t, t) if isinstance(t, int) else (t or (None, None))


ALL = Selection()
