"""Who changed what: written down before an order is carried out, and how it ended afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, update

from storage.database.book import Book
from storage.schema.tables import changes

_LONGEST_NAME = 255
_LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Change:
    """An order of a person.

    Attributes
    ----------
    who : str
        The name of the person's token, or of the account.
    via : str
        ``page`` or ``command``.
    what : str
        One word: ``retry``, ``submit``, ``forget``.
    subject : str
        What it is about: an acquisition, a file.
    facts : mapping
        What was given with it.
    """

    who: str
    via: str
    what: str
    subject: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class ChangeBook(Book):
    """The part of the catalog that knows who ordered what; every method is one transaction."""

    def begin(self, change: Change) -> int:
        """Write down what somebody is about to change; return its number."""
        values = {
            "at": self._now(),
            "who": change.who[:_LONGEST_NAME],
            "via": change.via,
            "what": change.what,
            "subject": change.subject[:_LONGEST_TEXT],
            "facts": dict(change.facts) or None,
        }
        with self._transaction() as connection:
            key = connection.execute(insert(changes).values(values)).inserted_primary_key
        assert key is not None  # every dialect that we use reports the key of a single row
        return int(key[0])

    def end(self, number: int, accepted: bool, outcome: str, requests: Sequence[int] = ()) -> None:
        """Write down how it ended; the answers of `requests` tell more, once they are there."""
        values = {
            "ended_at": self._now(),
            "accepted": accepted,
            "outcome": outcome[:_LONGEST_TEXT],
            "requests": list(requests) or None,
        }
        with self._transaction() as connection:
            connection.execute(update(changes).where(changes.c.id == number).values(values))
