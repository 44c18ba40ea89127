"""Events as they lie in the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from storage.schema.event_kinds import EventKind
from storage.schema.tables import events

_AT_ONCE = 200


@dataclass(frozen=True)
class EventRow:
    """One event.

    Attributes
    ----------
    id : int
    kind : EventKind
    at : str
        When it was committed.
    acquisition_id, t : int or None
    facts : mapping
        See `storage.schema.event_kinds`.
    """

    id: int
    kind: EventKind
    at: str
    acquisition_id: int | None
    t: int | None
    facts: Mapping[str, Any]


def last_event(connection: Connection) -> int:
    """Return the number of the newest event; 0 where there is none."""
    return int(connection.execute(select(func.max(events.c.id))).scalar() or 0)


def events_from(connection: Connection, number: int, acquisition_id: int | None = None) -> Iterator[EventRow]:
    """Give the events from a number on, in their order, of one acquisition or of all."""
    query = select(events).order_by(events.c.id).limit(_AT_ONCE)
    if acquisition_id is not None:
        query = query.where(events.c.acquisition_id == acquisition_id)
    while True:
        rows = connection.execute(query.where(events.c.id >= number)).mappings().all()
        for row in rows:
            yield EventRow(
                int(row["id"]), EventKind(row["kind"]), row["at"], row["acquisition_id"], row["t"], row["facts"] or {}
            )
        if len(rows) < _AT_ONCE:
            return
        number = int(rows[-1]["id"]) + 1
