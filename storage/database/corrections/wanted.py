"""When rows are to be as people say: which corrections count now, and where rows are still to follow.

A correction counts from the moment on in which its time points are done, also while later ones are processed. Where
time points that the tracker has gone past come late or are done again, all corrections are taken off first: what
is computed anew is computed of plain rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from storage.database.corrections import events
from storage.database.corrections.events import ORDERED, SETTLED, UNDO, Correction
from storage.schema.states import AcquisitionState, TimepointState
from storage.schema.tables import acquisitions, corrections, timepoints, tracker_states

_AWAITED = (TimepointState.QUEUED.value, TimepointState.RUNNING.value, TimepointState.ANALYSED.value)


def goes_back(acquisition_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition for time points to be awaited that the tracker of an acquisition has gone past."""
    past = and_(
        timepoints.c.acquisition_id == acquisition_id,
        tracker_states.c.acquisition_id == acquisition_id,
        timepoints.c.t <= tracker_states.c.t,
        timepoints.c.state.in_(_AWAITED),
    )
    return select(timepoints.c.id).where(past).correlate(acquisitions).exists()


def are_on(acquisition_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition for the rows of an acquisition to be corrected now."""
    return (
        select(corrections.c.id)
        .where(corrections.c.acquisition_id == acquisition_id, corrections.c.counted)
        .correlate(acquisitions)
        .exists()
    )


def are_on_now(connection: Connection, acquisition_id: int) -> bool:
    """Say whether the rows of an acquisition are corrected now."""
    mine = and_(corrections.c.acquisition_id == acquisition_id, corrections.c.counted)
    return connection.execute(select(corrections.c.id).where(mine).limit(1)).first() is not None


def are_held(connection: Connection, acquisition_id: int) -> bool:
    """Say whether no correction of an acquisition counts now, whatever was said."""
    here = acquisitions.c.id == acquisition_id
    return not connection.execute(select(acquisitions.c.id).where(here, ~_held())).first()


def wanted_now(
    connection: Connection, acquisition_id: int, said: Sequence[Correction], plain: bool = False
) -> dict[int, bool]:
    """Return, of each correction, whether the rows are to be as it says; `plain`: none of them, for now."""
    if plain or are_held(connection, acquisition_id):
        return dict.fromkeys((one.id for one in said), False)
    settled = _is_settled(connection, acquisition_id)
    done = set() if settled else _done(connection, acquisition_id)
    return {one.id: one.undone_by is None and (settled or done.issuperset(one.times)) for one in said}


def only_links(connection: Connection, acquisition_id: int) -> bool:
    """Say whether the corrections of an acquisition that rows are still to follow speak of links alone."""
    said = events.of_acquisition(connection, acquisition_id)
    wanted = wanted_now(connection, acquisition_id, said)
    return all(one.kind in events.LINK_KINDS for one in said if one.counted != wanted[one.id])


def due(connection: Connection) -> tuple[int, ...]:
    """Return the acquisitions whose rows are not as their corrections say, or not plain although they are to be."""
    table, lasting = corrections.c, corrections.c.undone_by.is_(None)
    known = select(table.acquisition_id).join(acquisitions, acquisitions.c.id == table.acquisition_id)
    differs = or_(and_(table.kind == UNDO, table.state == ORDERED), and_(table.counted, or_(~lasting, _held())))
    found = {int(number) for number in connection.execute(known.where(differs).distinct()).scalars()}
    waiting = and_(table.kind != UNDO, ~table.counted, lasting, ~_held())
    columns = known.add_columns(table.parameters, acquisitions.c.state).where(waiting)
    done: dict[int, set[int]] = {}
    for number, parameters, state in connection.execute(columns):
        if number in found:
            continue
        if state not in SETTLED and number not in done:
            done[number] = _done(connection, number)
        if state in SETTLED or done[number].issuperset(_times(parameters)):
            found.add(int(number))
    return tuple(sorted(found))


def _held() -> ColumnElement[bool]:
    """No correction of an acquisition counts: it was set aside, or time points are done again."""
    return or_(acquisitions.c.state == AcquisitionState.SET_ASIDE.value, goes_back(acquisitions.c.id))


def _is_settled(connection: Connection, acquisition_id: int) -> bool:
    here = acquisitions.c.id == acquisition_id
    return connection.execute(select(acquisitions.c.state).where(here)).scalar() in SETTLED


def _done(connection: Connection, acquisition_id: int) -> set[int]:
    mine = timepoints.c.acquisition_id == acquisition_id
    done = select(timepoints.c.t).where(mine, timepoints.c.state == TimepointState.DONE.value)
    return {int(t) for t in connection.execute(done).scalars()}


def _times(parameters: dict[str, Any]) -> set[int]:
    return {int(t) for t in parameters["times"]}
