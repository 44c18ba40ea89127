"""Whose stores are whose, as the database says it; what a store says itself is `ImageStore.owner`."""

from __future__ import annotations

from sqlalchemy import Connection, select

from storage.omezarr.ownership import Owner
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import identity


def database_id(connection: Connection) -> str:
    """Return the identity of this database."""
    return str(connection.execute(select(identity.c.database_id)).scalar_one())


def owner_of(connection: Connection, row: AcquisitionRow) -> Owner:
    """Return what the OME-Zarr of an acquisition has to say of whose it is."""
    return Owner(database_id(connection), row.id, row.store_id or "")
