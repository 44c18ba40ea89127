"""Removing what is known of an acquisition, some at a time, and remembering that its files were known."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from storage.database import lookups
from storage.database.ledger import entries
from storage.errors import WrongRequestError
from storage.schema.states import TimepointState
from storage.schema.tables import acquisitions, forgotten_sources, identity, nuclei, sources, timepoints, tracks

_AT_ONCE = 20_000  # rows that go in one transaction: a moment
_UNDER_WAY = (TimepointState.RUNNING.value, TimepointState.ANALYSED.value)


def refuse_under_way(connection: Connection, acquisition_id: int) -> None:
    """Refuse to forget an acquisition that is just being worked on.

    Raises
    ------
    UnknownAcquisitionError
    WrongRequestError
        When time points of it are being processed, or wait for their turn to be committed.
    """
    row = lookups.acquisition(connection, acquisition_id)
    here = (timepoints.c.acquisition_id == acquisition_id) & timepoints.c.state.in_(_UNDER_WAY)
    if connection.execute(select(timepoints.c.id).where(here).limit(1)).first() is not None:
        raise WrongRequestError(f"{row.name} is being processed: wait until it is complete, or stop the service.")


def forget_some(connection: Connection, acquisition_id: int, now: str) -> bool:
    """Remove some of an acquisition's rows, its own last; True when nothing is left.

    Its files, as they looked when they were taken, are noted with the last of it.
    """
    refuse_under_way(connection, acquisition_id)
    for table in (nuclei, tracks):
        some = select(table.c.id).where(table.c.acquisition_id == acquisition_id).limit(_AT_ONCE)
        if connection.execute(delete(table).where(table.c.id.in_(some.scalar_subquery()))).rowcount:
            return False
    mine = sources.c.acquisition_id == acquisition_id
    for row in connection.execute(select(sources).where(mine)).mappings().all():
        values = {name: value for name, value in row.items() if name != "acquisition_id"}
        connection.execute(delete(forgotten_sources).where(forgotten_sources.c.path == row["path"]))
        connection.execute(insert(forgotten_sources).values(**values, forgotten_at=now))
    entries.forget(connection, acquisition_id, lookups.acquisition(connection, acquisition_id).name, now)
    connection.execute(delete(acquisitions).where(acquisitions.c.id == acquisition_id))
    lower = identity.c.last_forgotten_id < acquisition_id
    connection.execute(update(identity).where(lower).values(last_forgotten_id=acquisition_id))
    return True
