"""Writing down that files lie elsewhere now: stores and sources that people moved, as many as lie in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, delete, func, or_, select, update

from storage import naming
from storage.connection.database_folder import folder_of
from storage.database.registration import source_key
from storage.errors import WrongRequestError
from storage.naming import Place
from storage.schema.tables import acquisitions, sources, timepoints


@dataclass(frozen=True)
class Relocated:
    """What was moved.

    Attributes
    ----------
    stores : int
    sources : int
        Acquisitions whose source, or part of it, lies elsewhere now.
    links : tuple of str
        Stores that refer to an image which was moved: their links are to be set anew.
    """

    stores: int
    sources: int
    links: tuple[str, ...]


def relocate(connection: Connection, old: Place, new: Place) -> Relocated:
    """Replace the beginning `old` of every path, or URL, with `new`; `old` may also be a single file or store.

    Raises
    ------
    WrongRequestError
        When something else is known under the new path already.
    """
    folder = folder_of(connection)
    rows = connection.execute(select(acquisitions).order_by(acquisitions.c.id)).mappings().all()
    stores, moved, links = 0, 0, []
    for row in rows:
        values = _elsewhere(row, old, new, folder)
        _refuse_taken(rows, row, values, folder)
        if values:
            connection.execute(update(acquisitions).where(acquisitions.c.id == row["id"]).values(values))
        files = _move(connection, timepoints.c.source_file, timepoints.c.acquisition_id == row["id"], old, new)
        stores += "zarr_path" in values
        moved += "source_path" in values or files > 0
        if "source_path" in values and row["params"].get("image") == "reference" and row["zarr_path"] is not None:
            links.append(naming.whole_place(values.get("zarr_path", row["zarr_path"]), folder))
    for path in connection.execute(select(sources.c.path)).scalars().all():
        there = moved_text(path, old, new)
        if there is not None:  # what was taken under the new name is the same file
            connection.execute(delete(sources).where(sources.c.path == there))
            connection.execute(update(sources).where(sources.c.path == path).values(path=there))
    return Relocated(stores, moved, tuple(links))


def moved_text(text: str, old: Place, new: Place) -> str | None:
    """Return a path, or URL, with its new beginning; None where it does not begin with the old one."""
    before, rest = str(old).rstrip("/"), text[len(str(old).rstrip("/")) :]
    return f"{str(new).rstrip('/')}{rest}" if text.startswith(before) and rest[:1] in ("", "/", "#") else None


def _elsewhere(row: RowMapping, old: Place, new: Place, folder: Path | None) -> dict[str, Any]:
    """Return what changes in the row of an acquisition."""
    values: dict[str, Any] = {}
    source = moved_text(row["source_path"], old, new)
    if source is not None:
        values |= {"source_path": source, "source_key": source_key(source)}
    if row["zarr_path"] is not None:
        store = moved_text(naming.whole_place(row["zarr_path"], folder), old, new)
        if store is not None:
            values["zarr_path"] = naming.stored_place(naming.as_place(store), folder)
    return values


def _refuse_taken(rows: Sequence[RowMapping], row: RowMapping, values: Mapping[str, Any], folder: Path | None) -> None:
    for other in rows:
        if other["id"] == row["id"]:
            continue
        same_result = other["source_key"] == values.get("source_key") and other["result_key"] == row["result_key"]
        if same_result or ("zarr_path" in values and other["zarr_path"] == values["zarr_path"]):
            what = values["source_path"] if same_result else naming.whole_place(values["zarr_path"], folder)
            raise WrongRequestError(
                f"{what} is known already, as that of {other['name']!r}: nothing was changed; "
                f"`nusetd forget` one of the two, {row['name']!r} or {other['name']!r}, first."
            )


def _move(connection: Connection, column: Column[Any], mine: ColumnElement[bool], old: Place, new: Place) -> int:
    """Give every value of a column that begins with `old` its new beginning; return how many there were."""
    before = str(old).rstrip("/")
    begins = or_(column == before, *(column.startswith(before + mark, autoescape=True) for mark in "/#"))
    moved = str(new).rstrip("/") + func.substr(column, len(before) + 1)
    return connection.execute(update(column.table).where(mine, begins).values({column.name: moved})).rowcount
