"""Where acquisitions keep their OME-Zarr, and what becomes of the rows when it is gone or somebody else's."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Connection, and_, case, delete, select, update

from storage import naming
from storage.connection.database_folder import folder_of
from storage.schema.states import TIMEPOINT_TRANSITIONS, AcquisitionState, TimepointState, check_transition
from storage.schema.tables import acquisitions, analysed_timepoints, timepoints

_IN_STORE = (TimepointState.DONE.value, TimepointState.ANALYSED.value)
_STORED_OR_UNDER_WAY = (*_IN_STORE, TimepointState.RUNNING.value)


def new_id() -> str:
    """Return an identity for a store whose place has just been chosen."""
    return uuid4().hex


def is_made(connection: Connection, acquisition_id: int) -> bool:
    """Say whether results of an acquisition are in its OME-Zarr."""
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.state.in_(_IN_STORE))
    return connection.execute(select(timepoints.c.id).where(here).limit(1)).first() is not None


def renew(connection: Connection, acquisition_id: int, reason: str, elsewhere: bool, now: str) -> int:
    """Have the OME-Zarr of an acquisition made anew, and queue all that was in it; return how many time points.

    Rows stay readable until the commit of the new ones replaces them.

    Parameters
    ----------
    elsewhere : bool
        Under the next free name, because something else lies at its place.
    """
    here = acquisitions.c.id == acquisition_id
    row = connection.execute(select(acquisitions).where(here)).mappings().one()
    values = {"store_id": new_id()}
    if elsewhere:
        folder = folder_of(connection)
        stored = connection.execute(select(acquisitions.c.zarr_path).where(acquisitions.c.zarr_path.is_not(None)))
        taken = {naming.whole_place(text, folder) for text in stored.scalars()}
        place = naming.as_place(naming.whole_place(row["zarr_path"], folder))
        while str(place) in taken:
            place = naming.next_free(place, row["name"])
        values["zarr_path"] = naming.stored_place(place, folder)
    connection.execute(update(acquisitions).where(here).values(values))
    for state in (TimepointState.DONE, TimepointState.ANALYSED, TimepointState.RUNNING):
        check_transition(TIMEPOINT_TRANSITIONS, state, TimepointState.QUEUED, "A time point")
    connection.execute(delete(analysed_timepoints).where(analysed_timepoints.c.acquisition_id == acquisition_id))
    mine = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.state.in_(_STORED_OR_UNDER_WAY))
    attempts = case((timepoints.c.state == TimepointState.DONE.value, 0), else_=timepoints.c.attempts)
    again = {"state": TimepointState.QUEUED.value, "attempts": attempts, "error": reason, "not_before": None}
    shown = {"queued_at": now, "published_at": None, "painted_at": None}
    count = connection.execute(update(timepoints).where(mine).values(again | shown)).rowcount
    finished = acquisitions.c.state.in_([AcquisitionState.COMPLETE.value, AcquisitionState.PARTIAL.value])
    working = {"state": AcquisitionState.PROCESSING.value, "completed_at": None, "error": None}
    if count:
        connection.execute(update(acquisitions).where(here & finished).values(working))
    return count
