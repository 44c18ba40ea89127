"""Whose stores are whose: the identity of the database and of each of its stores, and stores that are made anew."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from sqlalchemy import delete, insert, select

from storage.connection.filesystems import Mount
from storage.database.book import Book
from storage.database.stores import remade
from storage.omezarr.ownership import Owner
from storage.query import owners
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import folders


class StoreBook(Book):
    """The part of the catalog that knows about stores; every method is one transaction.

    Parameters
    ----------
    transaction : callable
        Gives a connection that commits at the end.
    now : callable
        The present moment as text.
    """

    @cached_property
    def database_id(self) -> str:
        """The identity of the database."""
        with self._transaction() as connection:
            return owners.database_id(connection)

    def owner(self, row: AcquisitionRow) -> Owner:
        """Return what the OME-Zarr of an acquisition says of whose it is."""
        return Owner(self.database_id, row.id, row.store_id or "")

    def renew(self, acquisition_id: int, reason: str, elsewhere: bool) -> int:
        """Have an OME-Zarr made anew that is gone, or `elsewhere` where something else lies in its place.

        All that was in it is queued again; returns how many time points.
        """
        with self._transaction() as connection:
            return remade.renew(connection, acquisition_id, reason, elsewhere, self._now())

    def mount_of(self, folder: Path) -> Mount | None:
        """Return on which mount a watched or output folder lay when it was last noted."""
        with self._transaction() as connection:
            stored = connection.execute(select(folders.c.mount).where(folders.c.path == str(folder))).scalar()
            return None if stored is None else Mount(**stored)

    def note_mount(self, folder: Path, mount: Mount) -> None:
        """Note on which mount a folder lies."""
        with self._transaction() as connection:
            connection.execute(delete(folders).where(folders.c.path == str(folder)))
            values = {"path": str(folder), "mount": asdict(mount), "seen_at": self._now()}
            connection.execute(insert(folders).values(values))
