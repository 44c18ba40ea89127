"""Writing down who ordered what, before it is done, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from daemon.account import account
from daemon.output import complain
from daemon.processing.retry import open_beside_the_service
from storage.database.change_book import Change
from storage.errors import StorageError

COMMAND, PAGE = "command", "page"


class Ending:
    """How an order ended, as far as whoever carries it out knows."""

    def __init__(self) -> None:
        self.accepted = True
        self.outcome = ""
        self.requests: Sequence[int] = ()

    def say(self, outcome: str, accepted: bool = True, requests: Sequence[int] = ()) -> None:
        """Tell it; the answers to `requests` will tell more."""
        self.outcome, self.accepted, self.requests = outcome, accepted, requests


def begin(database: str, change: Change) -> int:
    """Write down what somebody is about to change; return its number.

    Raises
    ------
    StorageError
    """
    catalog = open_beside_the_service(database)
    try:
        return catalog.changes.begin(change)
    finally:
        catalog.close()


def end(database: str, number: int, ending: Ending) -> None:
    """Write down how it ended.

    Raises
    ------
    StorageError
    """
    catalog = open_beside_the_service(database)
    try:
        catalog.changes.end(number, ending.accepted, ending.outcome, ending.requests)
    finally:
        catalog.close()


@contextmanager
def recorded(
    database: str, what: str, subject: str, facts: Mapping[str, Any] | None = None, who: str | None = None
) -> Iterator[Ending]:
    """Record a command, of this account where nobody else is named, around what it does.

    A database that cannot be written yet, because it is missing or of an older version, is the command's own matter:
    it says so, or makes it new, and is then recorded afterwards.
    """
    change, number = Change(who or account(), COMMAND, what, subject, facts or {}), None
    with suppress(StorageError):
        number = begin(database, change)
    ending = Ending()
    try:
        yield ending
    except BaseException as error:
        ending.say(str(error) or type(error).__name__, accepted=False)
        with suppress(StorageError):  # the command itself has failed, most likely for the same reason
            _end(database, change, number, ending)
        raise
    try:
        _end(database, change, number, ending)
    except StorageError as error:
        complain(f"It is done, but not written down who ordered it: {error}")


def _end(database: str, change: Change, number: int | None, ending: Ending) -> None:
    end(database, begin(database, change) if number is None else number, ending)
