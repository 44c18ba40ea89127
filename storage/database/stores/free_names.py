"""Names of acquisitions, and places of their stores, that no other one has."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from sqlalchemy import Connection, select

from storage import naming
from storage.connection.database_folder import folder_of
from storage.schema.tables import acquisitions


def free_name(connection: Connection, name: str) -> str:
    """Return a name with the lowest number, if any, that leaves it unused."""
    return free_names(connection, name, None)[0]


def free_names(connection: Connection, name: str, zarr_path: naming.Place | None) -> tuple[str, str | None]:
    """Return the name, and the place as it is stored, both with the lowest number that leaves them unused.

    Positions of a bundle are numbered there anyway: only the name need be told apart by its number.
    """
    if zarr_path is not None and naming.bundle_of(zarr_path) is not None:
        return free_names(connection, name, None)[0], free_place(connection, zarr_path)
    folder = folder_of(connection)
    for number in count(1):
        free_name = name if number == 1 else f"{name}-{number}"
        free_path = zarr_path if number == 1 or zarr_path is None else naming.numbered(zarr_path, number)
        named = select(acquisitions.c.id).where(acquisitions.c.name == free_name)
        if connection.execute(named).first() is None and not _is_taken(connection, free_path, folder):
            break
    return free_name, None if free_path is None else naming.stored_place(free_path, folder)


def free_place(connection: Connection, zarr_path: naming.Place) -> str:
    """Return the place as it is stored, with the lowest number, if any, that leaves it unused."""
    folder, places = folder_of(connection), chain([zarr_path], (naming.numbered(zarr_path, n) for n in count(2)))
    return naming.stored_place(next(place for place in places if not _is_taken(connection, place, folder)), folder)


def _is_taken(connection: Connection, place: naming.Place | None, folder: Path | None) -> bool:
    """Say whether an acquisition has its results at a place; paths of before are absolute in the table."""
    if place is None:
        return False
    there = acquisitions.c.zarr_path.in_({str(place), naming.stored_place(place, folder)})
    return connection.execute(select(acquisitions.c.id).where(there)).first() is not None
