"""Acquisitions as the writer of the database looks them up."""

from __future__ import annotations

from sqlalchemy import Connection, select

from storage.connection.database_folder import folder_of
from storage.errors import UnknownAcquisitionError
from storage.schema.rows import AcquisitionRow, acquisition_row
from storage.schema.states import AcquisitionState
from storage.schema.tables import acquisitions as table


def acquisition(connection: Connection, acquisition_id: int) -> AcquisitionRow:
    """One acquisition.

    Raises
    ------
    UnknownAcquisitionError
    """
    here = table.c.id == acquisition_id
    row = connection.execute(select(table).where(here)).mappings().one_or_none()
    if row is None:
        raise UnknownAcquisitionError(f"There is no acquisition {acquisition_id}: `nusetd acquisitions` lists them.")
    return acquisition_row(row, folder_of(connection))


def acquisitions(connection: Connection, state: AcquisitionState | None = None) -> list[AcquisitionRow]:
    """All acquisitions, or those in one state, oldest first."""
    query = select(table).order_by(table.c.id)
    if state is not None:
        query = query.where(table.c.state == state.value)
    folder = folder_of(connection)
    return [acquisition_row(row, folder) for row in connection.execute(query).mappings()]


def unread(connection: Connection) -> list[AcquisitionRow]:
    """The sources that are queued but could never be opened."""
    never = (table.c.state == AcquisitionState.QUEUED.value) & table.c.zarr_path.is_(None)
    folder = folder_of(connection)
    return [acquisition_row(row, folder) for row in connection.execute(select(table).where(never)).mappings()]
