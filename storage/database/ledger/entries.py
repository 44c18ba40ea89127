"""Events are written here, inside the transactions that they tell of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, text

from storage.schema.event_kinds import EventKind
from storage.schema.tables import events, rule_sendings

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(7310595)")


def tell(
    connection: Connection,
    kind: EventKind,
    acquisition_id: int | None,
    now: str,
    t: int | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write down what this transaction does.

    Whoever reads the events up to a number must never find a lower one later. SQLite has one writing transaction at a
    time; on a server, whoever tells something holds a lock up to the end of its transaction, so that numbers come in
    the order of the commits there too.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_AT_A_TIME)
    values = {
        "acquisition_id": acquisition_id,
        "t": t,
        "kind": kind.value,
        "at": now,
        "facts": dict(facts or {}) or None,
    }
    connection.execute(insert(events).values(values))


def forget(connection: Connection, acquisition_id: int, name: str, now: str) -> None:
    """Remove what was told of an acquisition, and what rules sent of it.

    That it is forgotten is an event that stays; its number is a new one, as those that go are never given again.
    """
    mine = events.c.acquisition_id == acquisition_id
    connection.execute(delete(events).where(mine))
    connection.execute(delete(rule_sendings).where(rule_sendings.c.acquisition_id == acquisition_id))
    tell(connection, EventKind.FORGOTTEN, acquisition_id, now, facts={"name": name})
