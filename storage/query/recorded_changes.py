"""Who changed what, the latest first, with how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from storage.schema.tables import changes, requests


@dataclass(frozen=True)
class RecordedChange:
    """What somebody changed.

    Attributes
    ----------
    at, who, via, what, subject
        As in `storage.database.change_book.Change`.
    facts : mapping
    accepted : bool or None
        None: the service has not answered yet.
    outcome : str
        Empty where nothing is known yet.
    """

    at: str
    who: str
    via: str
    what: str
    subject: str
    facts: Mapping[str, Any]
    accepted: bool | None
    outcome: str


def latest_changes(connection: Connection, most: int) -> list[RecordedChange]:
    """Return the latest changes; what a service answered meanwhile takes the place of what was said at first."""
    rows = connection.execute(select(changes).order_by(changes.c.id.desc()).limit(most)).mappings().all()
    asked = {number for row in rows for number in row["requests"] or ()}
    query = select(requests.c.id, requests.c.accepted, requests.c.answer).where(requests.c.id.in_(asked))
    answers = {number: (accepted, answer) for number, accepted, answer in connection.execute(query)} if asked else {}
    return [_recorded(row, answers) for row in rows]


def _recorded(row: Mapping[Any, Any], answers: Mapping[int, tuple[bool | None, str | None]]) -> RecordedChange:
    accepted, outcome = row["accepted"], row["outcome"] or ""
    if row["requests"]:
        given = [answers[number] for number in row["requests"] if number in answers]
        said = [text for _, text in given if text is not None]
        waits = any(one is None for one, _ in given)
        accepted = None if waits else all(one for one, _ in given)
        outcome = " ".join(said) or outcome
    told = {name: str(row[name]) for name in ("at", "who", "via", "what", "subject")}
    return RecordedChange(**told, facts=row["facts"] or {}, accepted=accepted, outcome=outcome)
