"""Following: what was committed behind a cursor, and then what is committed while one waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from threading import Event

from sqlalchemy import Connection

from storage.errors import DatabaseUnavailableError, OtherSchemaError, WrongRequestError
from storage.query.following.cursor import START, Cursor
from storage.query.following.event_rows import events_from, last_event
from storage.query.following.lines import Expander, Line, Scope, check
from storage.query.snapshots import resolved, snapshot
from storage.schema.event_kinds import EventKind

LINES = 5_000
"""Lines that are read at once."""

LOOK_S = 0.25
"""How often it is looked whether there is something new."""

_PATIENCE_S = 5.0  # after a database that cannot be read


def scope_of(connection: Connection, acquisition: int | str | None, where: str | None, events: bool) -> Scope:
    """Return what somebody wants to follow.

    Raises
    ------
    UnknownAcquisitionError, WrongRequestError
    """
    if events and where is not None:
        raise WrongRequestError("A filter chooses nuclei, and with events alone none are told: leave out one of both.")
    number = None if acquisition is None else resolved(connection, acquisition).id
    scope = Scope(number, where, not events)
    check(connection, scope)
    return scope


def begin(connection: Connection, text: str | None) -> Cursor:
    """Return the cursor that somebody gives: None is now, ``start`` all that was ever committed.

    Raises
    ------
    WrongRequestError
        When it is none, or one of another database.
    """
    if text is None:
        return Cursor(last_event(connection))
    cursor = START if text == "start" else Cursor.read(text)
    refuse_beyond(connection, cursor)
    return cursor


def refuse_beyond(connection: Connection, cursor: Cursor) -> None:
    """Refuse a cursor that this database cannot have given yet.

    Raises
    ------
    WrongRequestError
    """
    last = last_event(connection)
    if cursor.event > last:
        raise WrongRequestError(
            f"The cursor {cursor} is behind the newest event of this database, {last}: it is of another one, or this "
            "one was put back from a copy; follow it from 'start' again."
        )


def read(connection: Connection, scope: Scope, cursor: Cursor, most: int = LINES) -> list[Line]:
    """Return the lines behind a cursor, at most so many."""
    return list(islice(_lines(connection, scope, cursor), most))


def _lines(connection: Connection, scope: Scope, cursor: Cursor) -> Iterator[Line]:
    expander = Expander(connection, scope)
    for event in events_from(connection, cursor.event, scope.acquisition_id):
        yield from expander.lines(event, cursor)


def follow(
    database: str,
    scope: Scope,
    cursor: Cursor,
    *,
    until_now: bool = False,
    ending: Event | None = None,
    complain: Callable[[str], None] | None = None,
) -> Iterator[Line]:
    """Give what was committed behind a cursor, line by line, then wait for more; each line carries its own cursor.

    Where the database cannot be read for a while, it is waited for. What follows one acquisition ends when that is
    forgotten.

    Parameters
    ----------
    until_now : bool
        End when everything that is there was given.
    ending : threading.Event, optional
        When another thread sets it, following ends behind the line that is being given.
    complain : callable, optional
        Is told, once, that the database cannot be read.
    """
    ending = ending or Event()  # which nobody sets
    silent = False
    while not ending.is_set():
        try:
            with snapshot(database) as connection:
                refuse_beyond(connection, cursor)
                found = read(connection, scope, cursor)
        except DatabaseUnavailableError as error:
            if until_now or isinstance(error, OtherSchemaError):
                raise
            if complain is not None and not silent:
                complain(f"{error} It is waited for.")
            silent = True
            ending.wait(_PATIENCE_S)
            continue
        silent = False
        for line in found:
            cursor = Cursor.read(line["cursor"])
            yield line
            if ending.is_set():
                return
            if scope.acquisition_id is not None and line["kind"] == EventKind.FORGOTTEN.value:
                return
        if found:
            continue
        if until_now:
            return
        ending.wait(LOOK_S)
