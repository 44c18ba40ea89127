"""Who works on what: claiming a time point, giving it back, setting it aside."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from storage.clock import later
from storage.connection.database_folder import folder_of
from storage.database import lookups
from storage.database.book import InTransactions
from storage.database.corrections.wanted import are_on, goes_back
from storage.database.stores import remade
from storage.errors import StaleJobError
from storage.schema.rows import TimepointJob, acquisition_row
from storage.schema.states import (
    ACQUISITION_TRANSITIONS,
    FINISHED,
    TIMEPOINT_TRANSITIONS,
    AcquisitionState,
    TimepointState,
    check_transition,
)
from storage.schema.tables import acquisitions, analysed_timepoints, timepoints, tracker_states

UNANALYSED = (TimepointState.QUEUED.value, TimepointState.RUNNING.value)
UNSETTLED = (*UNANALYSED, TimepointState.ANALYSED.value)
# Results of one acquisition that may wait for one before them: they take room.
_AHEAD = 64


class Claims(InTransactions):
    """Who works on what: time points are claimed, given back, set aside and queued again."""

    def claim_next(self, at_once: int = 1, without: Collection[int] = (), archives: bool = True) -> TimepointJob | None:
        """Claim the next time point of the oldest acquisition that has one ready; None when there is nothing to do.

        At most `at_once` time points of one acquisition are processed at the same time; those of `without` wait, and
        those of archives are claimed only where `archives` says so, and nothing else is ready.
        """
        with self._transaction() as connection:
            return claim_next(connection, self._now(), at_once, without, archives)

    def fail_timepoint(
        self, job: TimepointJob, reason: str, retry: bool, pause_s: float = 30.0, counts: bool = True
    ) -> None:
        """Note a failed attempt: queued again after a pause, or set aside.

        An attempt that says nothing about the image (a full disk, a share that is away) is not counted.
        """
        with self._transaction() as connection:
            give_back(connection, job, reason, later(self._clock(), pause_s) if retry else None, counts)

    def abandon(self, acquisition_id: int, reason: str) -> None:
        """Set aside every time point of an acquisition that waits for its turn."""
        with self._transaction() as connection:
            abandon(connection, acquisition_id, reason)

    def blame(self, acquisition_id: int, t: int, reason: str, most: int) -> TimepointState | None:
        """At start: count a crash against the time point that was running, set aside after `most`; None: it was not."""
        with self._transaction() as connection:
            return blame(connection, acquisition_id, t, reason, most)

    def requeue_running(self) -> tuple[tuple[int, int], ...]:
        """At start: queue what the last writer was working on when it died; return (acquisition id, t)."""
        with self._transaction() as connection:
            return requeue_running(connection)

    def retry(self, acquisition_id: int | None = None) -> tuple[int, ...]:
        """Queue what was set aside, of one acquisition or (None) of all; return the ids of the acquisitions touched."""
        with self._transaction() as connection:
            if acquisition_id is not None:
                lookups.acquisition(connection, acquisition_id)
            return retry(connection, acquisition_id, self._now())

    def set_acquisition_state(self, acquisition_id: int, state: AcquisitionState, error: str | None = None) -> None:
        """Change an acquisition's state; one that may not follow the present one is an `IllegalTransitionError`."""
        with self._transaction() as connection:
            lookups.acquisition(connection, acquisition_id)
            completed_at = self._now() if state in FINISHED else None
            set_state(connection, acquisition_id, state, error, completed_at)

    def is_waiting(self, acquisition_id: int) -> bool:
        """Say whether time points of an acquisition are awaited: queued, being processed, or analysed and kept."""
        with self._transaction() as connection:
            return is_waiting(connection, acquisition_id)


def claim_next(
    connection: Connection,
    now: str,
    at_once: int = 1,
    without: Collection[int] = (),
    archives: bool = True,
    *,
    channel_is_open: bool = False,
) -> TimepointJob | None:
    """Claim the first time point that is ready, of the oldest acquisition that has one; of archives after all others.

    With `channel_is_open`, of those of which nobody knows which channel shows nuclei; else of the others.

    A time point is ready when none before it in its acquisition waits for its turn, and fewer than `at_once` of them
    are being processed: tracks grow forward, and what is analysed early has to be kept. Acquisitions of `without` wait,
    and without `archives` all time points of those. Each turn of the loop asks this: it looks at no row in vain,
    however many wait.
    """
    if channel_is_open and connection.execute(_open_channels()).first() is None:
        return None
    values = {"now": now, "at_once": at_once, "without": sorted(without), "ahead": _AHEAD}
    for archive in (False, True) if archives else (False,):
        number = connection.execute(_ready(channel_is_open), values | {"archive": archive}).scalar()
        if number is not None:
            return _claimed(connection, int(number), now)
    return None


@cache
def _open_channels() -> Select[Any]:
    """An acquisition in work of which nobody knows which channel shows nuclei."""
    in_work = acquisitions.c.state.in_((AcquisitionState.QUEUED.value, AcquisitionState.PROCESSING.value))
    return select(acquisitions.c.id).where(acquisitions.c.nuclear_channel.is_(None), in_work).limit(1)


@cache
def _ready(channel_is_open: bool) -> Select[Any]:
    """The statement of `claim_next`, which each turn of the loop asks: with what these name."""
    before, other, kept = (timepoints.alias(name) for name in ("before", "other", "kept"))
    waits = exists().where(
        and_(
            before.c.acquisition_id == timepoints.c.acquisition_id,
            before.c.state == TimepointState.QUEUED.value,
            before.c.t < timepoints.c.t,
        )
    )
    running = (
        select(func.count())
        .where(other.c.acquisition_id == timepoints.c.acquisition_id, other.c.state == TimepointState.RUNNING.value)
        .scalar_subquery()
    )
    early = (
        select(func.count())
        .where(
            kept.c.acquisition_id == timepoints.c.acquisition_id,
            kept.c.state == TimepointState.ANALYSED.value,
            kept.c.t < timepoints.c.t,
            kept.c.t > func.coalesce(_tracked(timepoints), -1),
        )
        .scalar_subquery()
    )
    known, not_before = acquisitions.c.nuclear_channel, timepoints.c.not_before
    return (
        select(timepoints.c.id)
        .join(acquisitions, acquisitions.c.id == timepoints.c.acquisition_id)
        .where(timepoints.c.state == TimepointState.QUEUED.value, timepoints.c.archive == bindparam("archive"))
        .where(acquisitions.c.state != AcquisitionState.SET_ASIDE.value)
        .where(~and_(are_on(acquisitions.c.id), goes_back(acquisitions.c.id)))  # they are taken off first
        .where(acquisitions.c.id.not_in(bindparam("without", expanding=True)))
        .where(or_(not_before.is_(None), not_before <= bindparam("now")))
        .where(~waits, running < bindparam("at_once"), early < bindparam("ahead"))
        .where(known.is_(None) if channel_is_open else known.is_not(None))
        .order_by(timepoints.c.acquisition_id, timepoints.c.t)
        .limit(1)
    )


def give_back(
    connection: Connection, job: TimepointJob, reason: str, not_before: str | None, counts: bool = True
) -> None:
    """Queue a claimed time point again, or with `not_before` None set it aside."""
    row = held(connection, job)
    again = not_before is not None or row["fingerprint"] != job.fingerprint
    if row["state"] == TimepointState.ANALYSED.value:
        here = (analysed_timepoints.c.acquisition_id == job.acquisition_id) & (analysed_timepoints.c.t == job.t)
        connection.execute(delete(analysed_timepoints).where(here))
    state = TimepointState.QUEUED if again else TimepointState.FAILED
    check_transition(TIMEPOINT_TRANSITIONS, TimepointState(row["state"]), state, _name(job))
    values: dict[str, Any] = {"state": state.value, "error": reason, "not_before": not_before}
    if not counts:
        values["attempts"] = timepoints.c.attempts - 1
    connection.execute(update(timepoints).where(timepoints.c.id == job.id).values(values))


def abandon(connection: Connection, acquisition_id: int, reason: str) -> None:
    """Set aside what waits of an acquisition; what is running is decided when it is handed in."""
    check_transition(TIMEPOINT_TRANSITIONS, TimepointState.QUEUED, TimepointState.FAILED, "A waiting time point")
    waiting = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.state == TimepointState.QUEUED.value)
    values = {"state": TimepointState.FAILED.value, "error": reason}
    connection.execute(update(timepoints).where(waiting).values(values))


def is_waiting(connection: Connection, acquisition_id: int) -> bool:
    """Say whether any time point of an acquisition is not done, and not set aside either."""
    waiting = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.state.in_(UNSETTLED))
    return connection.execute(select(timepoints.c.id).where(waiting).limit(1)).first() is not None


def held(connection: Connection, job: TimepointJob) -> RowMapping:
    """Return the time point's row, if the job's claim on it still counts.

    Raises
    ------
    StaleJobError
        When it was given back, done or claimed anew since.
    """
    row = connection.execute(select(timepoints).where(timepoints.c.id == job.id)).mappings().one_or_none()
    claimed = (TimepointState.RUNNING.value, TimepointState.ANALYSED.value)
    if row is None or row["state"] not in claimed or row["lease"] != job.lease:
        raise StaleJobError(f"{_name(job)} is no longer claimed by attempt {job.attempts}: its result is dropped.")
    return row


def blame(connection: Connection, acquisition_id: int, t: int, reason: str, most: int) -> TimepointState | None:
    """Queue what was running when the last writer died, as an attempt that counts, or after `most` set it aside.

    Returns its new state; None when it was not running.
    """
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.t == t)
    running = here & (timepoints.c.state == TimepointState.RUNNING.value)
    attempts = connection.execute(select(timepoints.c.attempts).where(running)).scalar()
    if attempts is None:
        return None
    state = TimepointState.QUEUED if attempts < most else TimepointState.FAILED
    values = {"state": state.value, "error": reason, "not_before": None}
    connection.execute(update(timepoints).where(here).values(values))
    return state


def requeue_running(connection: Connection) -> tuple[tuple[int, int], ...]:
    """Queue what was running when the last writer died, without counting an attempt; return (acquisition id, t)."""
    running = timepoints.c.state == TimepointState.RUNNING.value
    found = connection.execute(select(timepoints.c.acquisition_id, timepoints.c.t).where(running)).mappings().all()
    again = {"state": TimepointState.QUEUED.value, "attempts": timepoints.c.attempts - 1, "not_before": None}
    connection.execute(update(timepoints).where(running).values(again))
    return tuple((int(row["acquisition_id"]), int(row["t"])) for row in found)


def retry(connection: Connection, acquisition_id: int | None, now: str) -> tuple[int, ...]:
    """Queue time points that were set aside, of one acquisition or of all; return the ids of acquisitions touched."""
    failed = timepoints.c.state == TimepointState.FAILED.value
    aside = acquisitions.c.state == AcquisitionState.SET_ASIDE.value
    if acquisition_id is not None:
        failed &= timepoints.c.acquisition_id == acquisition_id
        aside &= acquisitions.c.id == acquisition_id
    touched = set(connection.execute(select(timepoints.c.acquisition_id).where(failed).distinct()).scalars())
    touched |= set(connection.execute(select(acquisitions.c.id).where(aside)).scalars())
    _queue_again(connection, failed, touched, now)
    return tuple(sorted(int(n) for n in touched))


def retry_file(connection: Connection, path: str, now: str) -> tuple[int, ...]:
    """Queue time points that were set aside and are from this file; return the ids of the acquisitions touched."""
    whole = acquisitions.c.source_path == path
    mine = timepoints.c.acquisition_id.in_(select(acquisitions.c.id).where(whole))
    failed = (timepoints.c.state == TimepointState.FAILED.value) & ((timepoints.c.source_file == path) | mine)
    touched = set(connection.execute(select(timepoints.c.acquisition_id).where(failed).distinct()).scalars())
    _queue_again(connection, failed, touched, now)
    return tuple(sorted(int(n) for n in touched))


def _queue_again(connection: Connection, failed: ColumnElement[bool], touched: Collection[int], now: str) -> None:
    again = {"state": TimepointState.QUEUED.value, "attempts": 0, "error": None, "not_before": None, "queued_at": now}
    connection.execute(update(timepoints).where(failed).values(again))
    for number in touched:
        state = AcquisitionState(
            connection.execute(select(acquisitions.c.state).where(acquisitions.c.id == number)).scalar_one()
        )
        open_again = {AcquisitionState.COMPLETE, AcquisitionState.PARTIAL}
        new = AcquisitionState.PROCESSING if state in open_again else state
        new = AcquisitionState.QUEUED if state is AcquisitionState.SET_ASIDE else new
        set_state(connection, number, new, None, None)


def set_state(
    connection: Connection, acquisition_id: int, state: AcquisitionState, error: str | None, completed_at: str | None
) -> None:
    """Change an acquisition's state if the table of transitions allows it."""
    here = acquisitions.c.id == acquisition_id
    row = connection.execute(select(acquisitions.c.state, acquisitions.c.name).where(here)).mappings().one()
    check_transition(ACQUISITION_TRANSITIONS, AcquisitionState(row["state"]), state, f"Acquisition {row['name']}")
    values = {"state": state.value, "error": error, "completed_at": completed_at}
    connection.execute(update(acquisitions).where(here).values(values))


def _claimed(connection: Connection, number: int, now: str) -> TimepointJob:
    here = timepoints.c.id == number
    values = {
        "state": TimepointState.RUNNING.value,
        "attempts": timepoints.c.attempts + 1,
        "started_at": now,
        "not_before": None,
        "lease": secrets.token_hex(8),
    }
    connection.execute(update(timepoints).where(here).values(values))
    row = connection.execute(select(timepoints).where(here)).mappings().one()
    owner = acquisitions.c.id == row["acquisition_id"]
    queued = acquisitions.c.state == AcquisitionState.QUEUED.value
    connection.execute(update(acquisitions).where(owner & queued).values(state=AcquisitionState.PROCESSING.value))
    return job_of(connection, row)


def job_of(connection: Connection, row: RowMapping) -> TimepointJob:
    """Return a claimed time point, from its row."""
    owner = acquisitions.c.id == row["acquisition_id"]
    tracked = connection.execute(
        select(tracker_states.c.t).where(tracker_states.c.acquisition_id == row["acquisition_id"])
    ).scalar()
    mine = connection.execute(select(acquisitions).where(owner)).mappings().one()
    acquisition = acquisition_row(mine, folder_of(connection))
    return TimepointJob(
        id=int(row["id"]),
        acquisition=acquisition,
        t=int(row["t"]),
        attempts=int(row["attempts"]),
        fingerprint=row["fingerprint"],
        needs_replay=tracked is not None and tracked >= row["t"],
        store_made=remade.is_made(connection, int(row["acquisition_id"])),
        lease=row["lease"],
        archive=bool(row["archive"]),
    )


def _tracked(table: FromClause) -> ScalarSelect[Any]:
    """The last time point that the tracker of a row's acquisition has seen."""
    mine = tracker_states.c.acquisition_id == table.c.acquisition_id
    return select(tracker_states.c.t).where(mine).correlate(table).scalar_subquery()


def _name(job: TimepointJob) -> str:
    return f"Time point {job.source_t} of {job.acquisition.name}"
