"""How the work goes: what waits, how long the most recent time points took, what failed, what the service reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from storage.clock import iso
from storage.query.correcting import CorrectionProgress, correction_progress
from storage.query.sentences import kind_for
from storage.query.snapshots import snapshot
from storage.schema.states import AcquisitionState, TimepointState
from storage.schema.tables import acquisitions, service_reports, timepoints

RECENT = 1000
"""Time points that are looked back at, at most; that many are read in a few milliseconds."""

PROBLEMS = 10
"""Latest faults, and kinds of doubts, that are told."""

_DOUBTED = 200
"""Newest acquisitions of which doubts are looked at."""

UNDER_WAY = (TimepointState.RUNNING.value, TimepointState.ANALYSED.value)
"""States that count as running."""

REPORT = "service"
"""The row of the service's report; there is one."""


@dataclass(frozen=True)
class Passage:
    """The times of one finished time point: noticed as whole, taken up, in the database."""

    queued_at: datetime
    started_at: datetime
    completed_at: datetime


@dataclass(frozen=True)
class Problem:
    """One thing that went wrong: when, with what (`t` as people write it; None: a whole acquisition), and why."""

    at: str
    acquisition: str
    t: int | None
    state: str
    reason: str


@dataclass(frozen=True)
class Doubt:
    """What a person should look at before they believe the results of an acquisition: a sentence with the remedy.

    Of older acquisitions, `others` have one of the same kind.
    """

    acquisition: str
    reason: str
    others: int = 0


@dataclass(frozen=True)
class QueueState:
    """The queue at one moment.

    Attributes
    ----------
    moment : datetime
    counts : mapping
        Number of time points per state; those of acquisitions that are set aside wait for a person, not in `queued`.
    paused : int
        Those of the queued that wait for another attempt.
    oldest_waiting : datetime or None
        Since when the oldest time point waits that is not paused.
    arrived : (int, datetime, datetime) or None
        How many of the waiting were queued in the last hour, and the first and last time of those.
    recent : tuple of Passage
        The most recently finished time points, latest first.
    problems : tuple of Problem
        Latest first.
    doubts : tuple of Doubt
        Of the newest acquisitions that have any.
    corrections : tuple of CorrectionProgress
        What is still to come of what people said.
    """

    moment: datetime
    counts: Mapping[str, int]
    paused: int = 0
    oldest_waiting: datetime | None = None
    arrived: tuple[int, datetime, datetime] | None = None
    recent: tuple[Passage, ...] = ()
    problems: tuple[Problem, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    corrections: tuple[CorrectionProgress, ...] = ()


@dataclass(frozen=True)
class FinishedTimepoint:
    """What is known of one finished time point of an acquisition; `t` as people write it."""

    t: int
    nuclei_count: int
    quality: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Course:
    """How an acquisition went: its first finished time points, and those up to one of interest, both ascending."""

    first: tuple[FinishedTimepoint, ...]
    latest: tuple[FinishedTimepoint, ...]


def queue_state(connection: Connection, moment: datetime) -> QueueState:
    """Return the queue, the latest passages and the latest problems."""
    now, hour_ago = iso(moment), iso(moment - timedelta(hours=1))
    live = timepoints.join(acquisitions, acquisitions.c.id == timepoints.c.acquisition_id)
    waits = and_(
        timepoints.c.state.in_((TimepointState.QUEUED.value, *UNDER_WAY)),
        acquisitions.c.state != AcquisitionState.SET_ASIDE.value,
    )
    is_paused = and_(timepoints.c.not_before.is_not(None), timepoints.c.not_before > now)
    late = timepoints.c.queued_at >= hour_ago
    query = select(
        func.count().filter(timepoints.c.state == TimepointState.QUEUED.value),
        func.count().filter(timepoints.c.state.in_(UNDER_WAY)),
        func.count().filter(is_paused),
        func.min(timepoints.c.queued_at).filter(~is_paused | timepoints.c.not_before.is_(None)),
        func.count().filter(late),
        func.min(timepoints.c.queued_at).filter(late),
        func.max(timepoints.c.queued_at).filter(late),
    )
    row = connection.execute(query.select_from(live).where(waits)).one()
    queued, running, paused, oldest, count, first, last = row
    counts = {"queued": queued, "running": running}
    for state in (TimepointState.DONE, TimepointState.FAILED):
        here = timepoints.c.state == state.value
        counts[state.value] = connection.execute(select(func.count()).select_from(timepoints).where(here)).scalar_one()
    return QueueState(
        moment=moment,
        counts=counts,
        paused=paused,
        oldest_waiting=None if oldest is None else _moment(oldest),
        arrived=(count, _moment(first), _moment(last)) if count else None,
        recent=_passages(connection),
        problems=_problems(connection),
        doubts=_doubts(connection),
        corrections=tuple(correction_progress(connection)),
    )


def course(connection: Connection, acquisition_id: int, t: int, count: int) -> Course:
    """Return the first three finished time points of an acquisition, and the `count` latest up to t."""
    table = timepoints
    done = and_(table.c.acquisition_id == acquisition_id, table.c.state == TimepointState.DONE.value, table.c.t <= t)
    query = select(table.c.source_t, table.c.nuclei_count, table.c.quality, table.c.timings).where(done)
    latest = connection.execute(query.order_by(table.c.t.desc()).limit(count)).all()
    first = connection.execute(query.order_by(table.c.t).limit(3)).all()
    steps = [
        tuple(FinishedTimepoint(int(n), int(c or 0), q or {}, s or {}) for n, c, q, s in rows)
        for rows in (first, latest[::-1])
    ]
    return Course(*steps)


def read_report(connection: Connection) -> tuple[datetime, dict[str, Any]] | None:
    """Return when the service last reported, and what; None when it never did."""
    columns = (service_reports.c.reported_at, service_reports.c.report)
    row = connection.execute(select(*columns).where(service_reports.c.name == REPORT)).one_or_none()
    return None if row is None else (_moment(row[0]), dict(row[1]))


def health(path_or_url: str | Path, moment: datetime) -> tuple[QueueState, tuple[datetime, dict[str, Any]] | None]:
    """Return the queue at a moment, and the service's last report with its time (None: it never reported)."""
    with snapshot(path_or_url) as connection:
        return queue_state(connection, moment), read_report(connection)


def _passages(connection: Connection) -> tuple[Passage, ...]:
    # The state is looked at here: asked for there, SQLite would sort all that are done instead of reading the latest.
    columns = (timepoints.c.queued_at, timepoints.c.started_at, timepoints.c.completed_at, timepoints.c.state)
    finished = timepoints.c.completed_at.is_not(None)
    rows = connection.execute(select(*columns).where(finished).order_by(timepoints.c.completed_at.desc()).limit(RECENT))
    done = (times for *times, state in rows if state == TimepointState.DONE.value)
    return tuple(Passage(*(_moment(text) for text in times)) for times in done)


def _problems(connection: Connection) -> tuple[Problem, ...]:
    """Time points that failed or wait for another attempt, and acquisitions that ended with a reason."""
    when = func.coalesce(timepoints.c.started_at, timepoints.c.queued_at)
    points = (
        select(when, acquisitions.c.name, timepoints.c.source_t, timepoints.c.state, timepoints.c.error)
        .join(acquisitions, acquisitions.c.id == timepoints.c.acquisition_id)
        .where(timepoints.c.state.in_((TimepointState.FAILED.value, TimepointState.QUEUED.value)))
        .where(timepoints.c.error.is_not(None), when > func.coalesce(acquisitions.c.dismissed_at, ""))
        .order_by(when.desc())
        .limit(PROBLEMS)
    )
    ended = func.coalesce(acquisitions.c.completed_at, acquisitions.c.created_at)
    whole = (
        select(ended, acquisitions.c.name, acquisitions.c.state, acquisitions.c.error)
        .where(or_(acquisitions.c.state == AcquisitionState.SET_ASIDE.value, acquisitions.c.error.is_not(None)))
        .where(ended > func.coalesce(acquisitions.c.dismissed_at, ""))
        .order_by(ended.desc())
        .limit(PROBLEMS)
    )
    found = [Problem(at, name, int(t), state, error) for at, name, t, state, error in connection.execute(points)]
    found += [Problem(at, name, None, state, error or "") for at, name, state, error in connection.execute(whole)]
    return tuple(sorted(found, key=lambda problem: problem.at, reverse=True)[:PROBLEMS])


def _doubts(connection: Connection) -> tuple[Doubt, ...]:
    columns = (acquisitions.c.name, acquisitions.c.source_path, acquisitions.c.doubts)
    doubted = select(*columns).where(acquisitions.c.doubts.is_not(None)).order_by(acquisitions.c.id.desc())
    kinds: dict[str, Doubt] = {}
    for name, source, sentences in connection.execute(doubted.limit(_DOUBTED)):
        for sentence in sentences:
            what = kind_for(sentence, source, name)
            known = kinds.setdefault(what, Doubt(name, sentence, -1))
            kinds[what] = replace(known, others=known.others + 1)
    return tuple(kinds.values())[:PROBLEMS]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
