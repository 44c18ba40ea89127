"""The part of the catalog that tells what is no result: alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from storage.database.book import Book
from storage.database.ledger.entries import tell
from storage.schema.event_kinds import EventKind
from storage.schema.tables import acquisitions


class EventBook(Book):
    """Every method is one transaction."""

    def alarm(self, kind: str, subject: str, message: str, facts: Mapping[str, Any]) -> None:
        """Tell that an alert was raised; it belongs to the acquisition that it names, if it names one."""
        with self._transaction() as connection:
            named = acquisitions.c.name == facts.get("acquisition", subject)
            number = connection.execute(select(acquisitions.c.id).where(named)).scalar()
            told = {"alert": kind, "subject": subject, "message": message, "facts": dict(facts)}
            tell(connection, EventKind.ALARM, number, self._now(), facts=told)
