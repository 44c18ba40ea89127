"""The lines of an event: what became of tracks, rows of nuclei and of tracks, and last the event itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, select

from storage.query import statements
from storage.query.filters import condition
from storage.query.following.cursor import CHANGES, NUCLEI, TRACKS, WHOLE, Cursor
from storage.query.following.event_rows import EventRow
from storage.query.statements import Selection
from storage.schema.event_kinds import (
    BORN,
    DIVIDED,
    ENDED,
    FINAL,
    NOT_BORN,
    NOT_DIVIDED,
    NOT_ENDED,
    RENEWED,
    EventKind,
)
from storage.schema.tables import acquisitions, nuclei, timepoints, tracks

Line = dict[str, Any]
"""What is told, with its kind and its cursor; plain values."""

_WORDS = ((NOT_BORN, "birth", True), (NOT_DIVIDED, "division", True), (NOT_ENDED, "end", True),
          (BORN, "birth", False), (DIVIDED, "division", False), (ENDED, "end", False))  # fmt: skip
_AT_ONCE = 400


@dataclass(frozen=True)
class Scope:
    """What is followed.

    Attributes
    ----------
    acquisition_id : int or None
        None: all.
    where : str or None
        Nuclei are told that fulfil this filter.
    rows : bool
        Rows of nuclei and tracks are told, besides what happened.
    """

    acquisition_id: int | None = None
    where: str | None = None
    rows: bool = True


@dataclass(frozen=True)
class _Named:
    """An acquisition as lines name it."""

    name: str | None
    first_number: int


class Expander:
    """Makes lines of events, within one snapshot."""

    def __init__(self, connection: Connection, scope: Scope) -> None:
        self._connection, self._scope = connection, scope
        self._names: dict[int | None, _Named] = {None: _Named(None, 0)}

    def lines(self, event: EventRow, cursor: Cursor) -> Iterator[Line]:
        """Give the lines of an event that are behind a cursor."""
        begin = cursor if cursor.event == event.id else Cursor(event.id, CHANGES, -1)
        if begin.part == WHOLE:
            return
        if begin.part == CHANGES:
            yield from self._changes(event, begin.first)
            begin = Cursor(event.id, NUCLEI, -1, -1)
        if self._scope.rows and self._is_there(event):
            if begin.part == NUCLEI:
                yield from self._nuclei(event, begin)
                begin = Cursor(event.id, TRACKS, -1)
            yield from self._tracks(event, begin.first)
        yield self._whole(event)

    def _is_there(self, event: EventRow) -> bool:
        return event.acquisition_id is not None and self._named(event.acquisition_id).name is not None

    def _changes(self, event: EventRow, told: int) -> Iterator[Line]:
        number = 0
        for fact, kind, taken_back in _WORDS:
            for change in event.facts.get(fact, ()):
                if number > told:
                    cursor = Cursor(event.id, CHANGES, number)
                    if kind == "division":
                        parent, daughters, t, *score = change
                        line = self._head(kind, event, cursor, t) | {"track_id": parent, "daughters": daughters}
                        line |= {"score": score[0]} if any(score) else {}
                    else:
                        line = self._head(kind, event, cursor, change[1]) | {"track_id": change[0]}
                    yield line | ({"taken_back": True} if taken_back else {})
                number += 1

    def _nuclei(self, event: EventRow, begin: Cursor) -> Iterator[Line]:
        times = {*event.facts.get(RENEWED, ()), *([event.t] if event.t is not None else [])}
        wanted = Selection(where=self._scope.where)
        number = event.acquisition_id
        assert number is not None  # who tells of nuclei tells whose they are
        for t in sorted(times):
            if t < begin.first:
                continue
            query = statements.nuclei(self._connection, number, replace(wanted, t=t))
            if t == begin.first:
                query = query.where(nuclei.c.label > begin.second)
            for row in self._connection.execute(query).mappings():
                cursor = Cursor(event.id, NUCLEI, t, int(row["label"]))
                yield self._head("nucleus", event, cursor, t) | _row(row)

    def _tracks(self, event: EventRow, told: int) -> Iterator[Line]:
        ids = sorted(number for number in event.facts.get(FINAL, ()) if number > told)
        number = event.acquisition_id
        assert number is not None
        for start in range(0, len(ids), _AT_ONCE):
            some = tracks.c.track_id.in_(ids[start : start + _AT_ONCE])
            query = statements.tracks(number).where(some)
            for row in self._connection.execute(query).mappings():
                cursor = Cursor(event.id, TRACKS, int(row["track_id"]))
                yield self._head("track", event, cursor, None) | _row(row)

    def _whole(self, event: EventRow) -> Line:
        line = self._head(event.kind.value, event, Cursor(event.id), event.t)
        facts = event.facts
        if event.kind is EventKind.FORGOTTEN:
            return line | {"acquisition": facts.get("name")}
        if event.kind is EventKind.TIMEPOINT:
            line |= self._counted(event)
        if RENEWED in facts:
            line["renewed"] = [self._source_t(event, t) for t in facts[RENEWED]]
        told = {name: facts[name] for name in _TOLD if name in facts}
        return line | told

    def _counted(self, event: EventRow) -> Line:
        here = and_(timepoints.c.acquisition_id == event.acquisition_id, timepoints.c.t == event.t)
        count = self._connection.execute(select(timepoints.c.nuclei_count).where(here)).scalar()
        return {} if count is None else {"nuclei_count": count}

    def _head(self, kind: str, event: EventRow, cursor: Cursor, t: int | None) -> Line:
        line: Line = {"kind": kind, "cursor": str(cursor), "at": event.at}
        if event.acquisition_id is not None:
            line |= {"acquisition_id": event.acquisition_id, "acquisition": self._named(event.acquisition_id).name}
        return line | ({} if t is None else {"t": t, "source_t": self._source_t(event, t)})

    def _source_t(self, event: EventRow, t: int) -> int:
        return t + self._named(event.acquisition_id).first_number

    def _named(self, number: int | None) -> _Named:
        if number not in self._names:
            query = select(acquisitions.c.name, acquisitions.c.first_number).where(acquisitions.c.id == number)
            row = self._connection.execute(query).one_or_none()
            self._names[number] = _Named(None, 0) if row is None else _Named(row[0], row[1] or 0)
        return self._names[number]


_TOLD = ("applied", "misfits", "state", "reason", "alert", "subject", "message", "facts")
_LEFT_OUT = ("id", "acquisition_id")


def check(connection: Connection, scope: Scope) -> None:
    """Refuse a filter that cannot be read, or names what nuclei do not have.

    Raises
    ------
    WrongRequestError
    """
    if scope.where is None:
        return
    if scope.acquisition_id is not None:
        statements.nuclei(connection, scope.acquisition_id, Selection(where=scope.where))
    else:
        condition(
            scope.where, {column.name: column for column in nuclei.columns if column.name != "measurements"}, "nuclei"
        )


def _row(row: Mapping[Any, Any]) -> Line:
    """A row's values, but for what is empty."""
    return {name: value for name, value in row.items() if value is not None and name not in _LEFT_OUT}
