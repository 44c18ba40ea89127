"""What people ask of the running service through the database, and its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update

from storage.database.book import Book
from storage.given_facts import GivenFacts
from storage.schema.tables import requests

SUBMIT, FORGET, FORGET_ROWS = "submit", "forget", "forget rows"
SETTINGS, AGAIN = "settings", "again"


@dataclass(frozen=True)
class Request:
    """What somebody wants; `accepted` is None until the service has answered.

    Attributes
    ----------
    id : int
    path : str
        The file that is to be taken as it is (`SUBMIT`), the id of the acquisition that is to be forgotten, or done
        again beside its first result (`AGAIN`), or the watched folder whose settings change (`SETTINGS`).
    kind : str
        One of these, or `FORGET_ROWS`, which leaves the OME-Zarr where it is.
    given : GivenFacts
        What a person says of the file.
    details : mapping
        All that was written down with it.
    """

    id: int
    path: str
    kind: str = SUBMIT
    accepted: bool | None = None
    answer: str | None = None
    given: GivenFacts = field(default_factory=GivenFacts)
    details: Mapping[str, Any] = field(default_factory=dict)


class RequestBook(Book):
    """The part of the catalog that knows about requests; every method is one transaction."""

    def ask(
        self,
        path: str,
        given: GivenFacts | None = None,
        kind: str = SUBMIT,
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Write down what is asked of the running service; return the request's number."""
        said = given.stored() if given else dict(details) if details else None
        values = {"path": path, "kind": kind, "asked_at": self._now(), "given": said}
        with self._transaction() as connection:
            key = connection.execute(insert(requests).values(values)).inserted_primary_key
        assert key is not None  # every dialect that we use reports the key of a single row
        return int(key[0])

    def unanswered(self) -> list[Request]:
        """Return what was asked and not answered yet, oldest first."""
        waiting = requests.c.answered_at.is_(None)
        with self._transaction() as connection:
            rows = connection.execute(select(requests).where(waiting).order_by(requests.c.id)).mappings().all()
        return [_request(row) for row in rows]

    def answer(self, number: int, accepted: bool, text: str) -> None:
        """Answer what was asked."""
        values = {"accepted": accepted, "answer": text, "answered_at": self._now()}
        with self._transaction() as connection:
            connection.execute(update(requests).where(requests.c.id == number).values(values))

    def answer_to(self, number: int) -> Request | None:
        """Return a request with what the service made of it."""
        here = requests.c.id == number
        with self._transaction() as connection:
            row = connection.execute(select(requests).where(here)).mappings().one_or_none()
        return None if row is None else _request(row)

    def withdraw(self, number: int) -> bool:
        """Take a request back; False when it has been answered meanwhile."""
        open_still = (requests.c.id == number) & requests.c.answered_at.is_(None)
        with self._transaction() as connection:
            return connection.execute(delete(requests).where(open_still)).rowcount == 1


def _request(row: RowMapping) -> Request:
    given = GivenFacts.restored(row["given"])
    path, kind, details = str(row["path"]), str(row["kind"]), dict(row["given"] or {})
    return Request(int(row["id"]), path, kind, row["accepted"], row["answer"], given, details)
