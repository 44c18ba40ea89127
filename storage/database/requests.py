"""What people ask of the running service through the database, and its answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select, update

from storage.given_facts import GivenFacts
from storage.schema.tables import requests


@dataclass(frozen=True)
class SubmitRequest:
    """A file that is to be taken as it is, now, with the facts that a person gives of it.

    `accepted` is None until the service has answered.
    """

    id: int
    path: str
    accepted: bool | None = None
    answer: str | None = None
    given: GivenFacts = field(default_factory=GivenFacts)


class RequestBook:
    """The part of the catalog that knows about requests; every method is one transaction.

    Parameters
    ----------
    transaction : callable
        Gives a transaction of the one writer.
    now : callable
        Gives the present moment as it is written down.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]], now: Callable[[], str]) -> None:
        self._transaction = transaction
        self._now = now

    def ask(self, path: str, given: GivenFacts | None = None) -> int:
        """Ask the running service to take a file as it is; return the request's number."""
        values = {"path": path, "asked_at": self._now(), "given": given.stored() if given else None}
        with self._transaction() as connection:
            key = connection.execute(insert(requests).values(values)).inserted_primary_key
        assert key is not None  # every dialect that we use reports the key of a single row
        return int(key[0])

    def unanswered(self) -> list[SubmitRequest]:
        """Return what was asked and not answered yet, oldest first."""
        waiting = requests.c.answered_at.is_(None)
        with self._transaction() as connection:
            rows = connection.execute(select(requests).where(waiting).order_by(requests.c.id)).mappings().all()
        return [
            SubmitRequest(int(row["id"]), str(row["path"]), given=GivenFacts.restored(row["given"])) for row in rows
        ]

    def answer(self, number: int, accepted: bool, text: str) -> None:
        """Answer what was asked."""
        values = {"accepted": accepted, "answer": text, "answered_at": self._now()}
        with self._transaction() as connection:
            connection.execute(update(requests).where(requests.c.id == number).values(values))

    def answer_to(self, number: int) -> SubmitRequest | None:
        """Return a request with what the service made of it."""
        here = requests.c.id == number
        with self._transaction() as connection:
            row = connection.execute(select(requests).where(here)).mappings().one_or_none()
        return None if row is None else SubmitRequest(number, str(row["path"]), row["accepted"], row["answer"])
