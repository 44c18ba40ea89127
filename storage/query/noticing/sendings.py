"""What rules are still to send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from storage.schema.tables import rule_sendings

DUE, SENT, VOID, FAILED = "due", "sent", "void", "failed"
KEPT = ("rule", "event_id", "action", "acquisition_id", "t", "content", "expires_at")


@dataclass(frozen=True)
class Sending:
    """What is to be sent, or was: for a rule, an event and a way to send it.

    Attributes
    ----------
    content : mapping
        What is sent.
    expires_at : str
        From then on it is void.
    """

    rule: str
    event_id: int
    action: str
    acquisition_id: int
    t: int
    content: Mapping[str, Any]
    expires_at: str
    id: int = 0
    attempts: int = 0


def due(connection: Connection, rule: str, action: str) -> list[Sending]:
    """Return what a rule is still to send by an action, in the order in which it was decided."""
    table = rule_sendings
    query = select(table).where(table.c.state == DUE, table.c.rule == rule, table.c.action == action)
    rows = connection.execute(query.order_by(table.c.id)).mappings().all()
    return [Sending(**{name: row[name] for name in (*KEPT, "id", "attempts")}) for row in rows]
