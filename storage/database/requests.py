"""What people ask of the running service through the database, and its answers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from storage.schema.tables import requests


@dataclass(frozen=True)
class SubmitRequest:
    """A file that is to be taken as it is, now; `accepted` is None until the service has answered."""

    id: int
    path: str
    accepted: bool | None = None
    answer: str | None = None


def ask(connection: Connection, path: str, now: str) -> int:
    """Write a request down; return its number."""
    key = connection.execute(insert(requests).values(path=path, asked_at=now)).inserted_primary_key
    assert key is not None  # every dialect that we use reports the key of a single row
    return int(key[0])


def unanswered(connection: Connection) -> list[SubmitRequest]:
    """Return the requests that wait for an answer, oldest first."""
    waiting = requests.c.answered_at.is_(None)
    rows = connection.execute(select(requests).where(waiting).order_by(requests.c.id)).mappings()
    return [SubmitRequest(int(row["id"]), str(row["path"])) for row in rows]


def answer(connection: Connection, number: int, accepted: bool, text: str, now: str) -> None:
    """Answer a request."""
    values = {"accepted": accepted, "answer": text, "answered_at": now}
    connection.execute(update(requests).where(requests.c.id == number).values(values))


def answer_to(connection: Connection, number: int) -> SubmitRequest | None:
    """Return a request with what the service made of it."""
    row = connection.execute(select(requests).where(requests.c.id == number)).mappings().one_or_none()
    return None if row is None else SubmitRequest(number, str(row["path"]), row["accepted"], row["answer"])
