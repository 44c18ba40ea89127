"""Whether anything that people look at has changed since they looked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, Executable, func, select

from storage import naming
from storage.schema.states import TimepointState
from storage.schema.tables import (
    acquisitions,
    changes,
    corrections,
    requests,
    rule_sendings,
    service_reports,
    timepoints,
)

_FRESH_NS = 100_000_000  # what is written twice within the grain of a file system's clock looks as if written once
_ENDED = (TimepointState.DONE.value, TimepointState.FAILED.value)


def results_mark(connection: Connection) -> str:
    """A text that is another one when results change: committed, published, corrected, taken on or forgotten."""
    return _mark(
        connection,
        select(
            func.max(timepoints.c.completed_at),
            func.max(timepoints.c.published_at),
            func.max(timepoints.c.painted_at),
        ),
        select(func.count(acquisitions.c.id), func.max(acquisitions.c.id), func.max(acquisitions.c.completed_at)),
        select(func.count(corrections.c.id), func.max(corrections.c.ordered_at), func.max(corrections.c.applied_at)),
        select(acquisitions.c.state, func.count()).group_by(acquisitions.c.state).order_by(acquisitions.c.state),
        _counts(timepoints.c.state.in_(_ENDED)),
    )


def activity_mark(connection: Connection) -> str:
    """A text that is another one after every report, order, answer, and what rules sent."""
    return _mark(
        connection,
        select(func.max(service_reports.c.reported_at)),
        select(func.count(requests.c.id), func.max(requests.c.answered_at)),
        select(func.max(changes.c.id), func.max(changes.c.ended_at)),
        select(func.max(acquisitions.c.dismissed_at)),
        select(
            func.max(rule_sendings.c.id), func.max(rule_sendings.c.delivered_at), func.sum(rule_sendings.c.attempts)
        ),
    )


def pace_mark(connection: Connection) -> str:
    """A text that is another one when work arrives or is begun."""
    return _mark(
        connection,
        select(func.max(timepoints.c.queued_at), func.max(timepoints.c.started_at)),
        _counts(timepoints.c.state.not_in(_ENDED)),
    )


def change_mark(connection: Connection) -> str:
    """A text that is another one after any of them; nothing else can be read in it."""
    return f"{results_mark(connection)}|{activity_mark(connection)}|{pace_mark(connection)}"


def _counts(which: ColumnElement[bool]) -> Executable:
    """How many time points are in which state."""
    state = timepoints.c.state
    return select(state, func.count()).where(which).group_by(state).order_by(state)


def _mark(connection: Connection, *queries: Executable) -> str:
    return "|".join(str(value) for query in queries for row in connection.execute(query).all() for value in row)


class CommitWatch:
    """Whether anybody has committed anything: a look at the files of a database, which costs next to nothing.

    Of a server it always says that something may have been committed.

    Parameters
    ----------
    database : str
        Its URL.
    clock_ns : callable
        Nanoseconds since 1970.
    """

    def __init__(self, database: str, clock_ns: Callable[[], int] = time.time_ns) -> None:
        path = naming.sqlite_path(database)
        self._files = () if path is None else (path, naming.wal_path(path))
        self._clock_ns = clock_ns
        self._seen: list[tuple[int, int, int] | None] = []

    def changed(self) -> bool:
        """Say whether anything may have been committed since the last call; the first one says yes."""
        now, before = [self._sign(str(file)) for file in self._files], self._seen
        self._seen = now
        newest = max((sign[2] for sign in now if sign is not None), default=0)
        return not now or now != before or self._clock_ns() - newest < _FRESH_NS

    def forget(self) -> None:
        """Say yes next time: what was read could not be used."""
        self._seen = []

    @staticmethod
    def _sign(file: str) -> tuple[int, int, int] | None:
        """Which file it is, how long, and when it was written to; None where there is none."""
        try:
            found = os.stat(file)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns
