"""Results that wait for their turn: those before them are not done yet, or tracks have to be made anew with them.

They are rows like any other, in tables of their own, so that they survive a crash and nothing is analysed twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, and_, delete, exists, insert, select, update

from nuset_engine.nuclei import Nuclei
from storage.database import claims
from storage.database.records import nuclei_from_rows, nuclei_records, plain
from storage.schema.rows import AnalysedTimepoint, TimepointJob
from storage.schema.states import TIMEPOINT_TRANSITIONS, TimepointState, check_transition
from storage.schema.tables import acquisitions, analysed_nuclei, analysed_timepoints, timepoints, tracker_states

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


class Turn(Enum):
    """When the result of a time point can become rows."""

    NOW = "All before it are done, and the tracker stands before it."
    LATER = "One before it is not done yet."
    REPLAY = "The tracker has gone past it: tracks are made anew with it."


def turn_of(connection: Connection, job: TimepointJob) -> Turn:
    """Say when the result of a claimed time point can become rows."""
    tracked = tracked_t(connection, job.acquisition_id)
    if tracked is not None and tracked >= job.t:
        return Turn.REPLAY
    mine = timepoints.c.acquisition_id == job.acquisition_id
    before = and_(mine, timepoints.c.t < job.t, timepoints.c.state.in_(claims.UNSETTLED))
    waits = connection.execute(select(timepoints.c.id).where(before).limit(1)).first() is not None
    return Turn.LATER if waits else Turn.NOW


def keep(
    connection: Connection, job: TimepointJob, nuclei: Nuclei, timings: Mapping[str, float], quality: Mapping[str, Any]
) -> None:
    """Keep the result of a claimed time point until its turn comes.

    Raises
    ------
    StaleJobError
        When the claim no longer counts.
    """
    row = claims.held(connection, job)
    check_transition(
        TIMEPOINT_TRANSITIONS, TimepointState(row["state"]), TimepointState.ANALYSED, f"Time point {job.source_t}"
    )
    drop(connection, job.acquisition_id, job.t)
    records = nuclei_records(job.acquisition, nuclei, {})
    first = min(records, key=lambda record: record["label"]).get("measurements") if records else None
    head = {"acquisition_id": job.acquisition_id, "t": job.t, "attempts": job.attempts, "fingerprint": job.fingerprint}
    facts = {
        "nuclei_count": len(records),
        "timings": {str(name): plain(value) for name, value in timings.items()},
        "quality": dict(quality),
        "measured": first,
    }
    connection.execute(insert(analysed_timepoints).values(head | facts))
    if records:
        connection.execute(insert(analysed_nuclei), records)
    here = timepoints.c.id == job.id
    connection.execute(update(timepoints).where(here).values(state=TimepointState.ANALYSED.value))


def drop(connection: Connection, acquisition_id: int, t: int) -> None:
    """Forget a kept result; the database itself removes its nuclei."""
    connection.execute(delete(analysed_timepoints).where(_at(acquisition_id, t)))


def set_aside(connection: Connection, acquisition_id: int, reason: str) -> tuple[int, ...]:
    """Set aside every kept result of an acquisition, since no tracks can be made with them; return their t."""
    check_transition(TIMEPOINT_TRANSITIONS, TimepointState.ANALYSED, TimepointState.FAILED, "A time point")
    mine = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.state == TimepointState.ANALYSED.value)
    found = tuple(connection.execute(select(timepoints.c.t).where(mine).order_by(timepoints.c.t)).scalars())
    connection.execute(update(timepoints).where(mine).values(state=TimepointState.FAILED.value, error=reason))
    connection.execute(delete(analysed_timepoints).where(analysed_timepoints.c.acquisition_id == acquisition_id))
    return found


def next_in_order(connection: Connection, acquisition_id: int) -> AnalysedTimepoint | None:
    """Return the kept result whose turn it is, if there is one."""
    mine = timepoints.c.acquisition_id == acquisition_id
    waiting = mine & timepoints.c.state.in_(claims.UNSETTLED)
    first = connection.execute(select(timepoints).where(waiting).order_by(timepoints.c.t).limit(1)).mappings().first()
    if first is None or first["state"] != TimepointState.ANALYSED.value:
        return None
    tracked = tracked_t(connection, acquisition_id)
    if tracked is not None and tracked >= first["t"]:
        return None
    job = claims.job_of(connection, first)
    here = _at(acquisition_id, job.t)
    kept = connection.execute(select(analysed_timepoints).where(here)).mappings().one()
    nuclei = nuclei_at(connection, acquisition_id, job.t, job.acquisition.unit)
    return AnalysedTimepoint(job, nuclei, dict(kept["timings"]), dict(kept["quality"]))


def nuclei_at(connection: Connection, acquisition_id: int, t: int, unit: Literal["um", "px"]) -> Nuclei:
    """Return the table of a kept result, exactly as it was found."""
    here = and_(analysed_nuclei.c.acquisition_id == acquisition_id, analysed_nuclei.c.t == t)
    rows = connection.execute(select(analysed_nuclei).where(here).order_by(analysed_nuclei.c.id)).mappings().all()
    return nuclei_from_rows(t, unit, rows)


def wants_replay(connection: Connection, acquisition_id: int) -> bool:
    """Say whether late or changed time points are kept, and no other one that is late or changed is awaited."""
    tracked = tracked_t(connection, acquisition_id)
    if tracked is None:
        return False
    past = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.t <= tracked)
    kept = exists().where(past & (timepoints.c.state == TimepointState.ANALYSED.value))
    awaited = exists().where(past & timepoints.c.state.in_(claims.UNANALYSED))
    return bool(connection.execute(select(and_(kept, ~awaited))).scalar())


def acquisitions_with_any(connection: Connection) -> tuple[int, ...]:
    """Return the acquisitions that have kept results."""
    query = select(acquisitions.c.id).where(exists().where(analysed_timepoints.c.acquisition_id == acquisitions.c.id))
    return tuple(int(number) for number in connection.execute(query.order_by(acquisitions.c.id)).scalars())


def tracked_t(connection: Connection, acquisition_id: int) -> int | None:
    """Return the last time point that the tracker has seen."""
    mine = tracker_states.c.acquisition_id == acquisition_id
    found = connection.execute(select(tracker_states.c.t).where(mine)).scalar()
    return None if found is None else int(found)


def seen_t(connection: Connection, acquisition_id: int) -> int:
    """Return it, and where there is none the first one: no track ended before that."""
    return tracked_t(connection, acquisition_id) or 0


def _at(acquisition_id: int, t: int) -> ColumnElement[bool]:
    return and_(analysed_timepoints.c.acquisition_id == acquisition_id, analysed_timepoints.c.t == t)
