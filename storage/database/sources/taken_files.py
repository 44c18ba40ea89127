"""Which files were taken, and what each looked like then: after a restart nothing is read again that did not change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, select, update

from storage.database.records import upsert
from storage.schema.states import AcquisitionState
from storage.schema.tables import acquisitions, forgotten_sources
from storage.schema.tables import sources as table

_AT_ONCE = 500  # values in one query: every server takes so many


@dataclass(frozen=True)
class Source:
    """A file or store that was taken into an acquisition, or set aside.

    Attributes
    ----------
    path : str
    size, mtime_ns, files, readable
        What it looked like; any difference makes it another file.
    acquisition_id : int
        The acquisition (of the last image in it) that it was taken into; not needed when it is noted.
    """

    path: str
    size: int
    mtime_ns: int
    files: int
    readable: bool
    acquisition_id: int = 0


def note(connection: Connection, acquisition_id: int, taken: Iterable[Source]) -> None:
    """Write down that these files were taken into an acquisition, in place of what was known of them."""
    records = [
        {
            "path": one.path,
            "acquisition_id": acquisition_id,
            "size": one.size,
            "mtime_ns": one.mtime_ns,
            "files": one.files,
            "readable": one.readable,
        }
        for one in taken
    ]
    if records:
        upsert(connection, table, records, ("path",))
        paths = [record["path"] for record in records]
        for start in range(0, len(paths), _AT_ONCE):
            again = forgotten_sources.c.path.in_(paths[start : start + _AT_ONCE])
            connection.execute(delete(forgotten_sources).where(again))


def answer_complaints(connection: Connection, acquisition_id: int, taken: Iterable[Source], now: str) -> None:
    """Have it told no more that these files could not be opened: they are taken into this acquisition."""
    paths = [one.path for one in taken]
    for start in range(0, len(paths), _AT_ONCE):
        about = acquisitions.c.source_key.in_(paths[start : start + _AT_ONCE]) & (acquisitions.c.id != acquisition_id)
        unread = acquisitions.c.zarr_path.is_(None) & (acquisitions.c.state == AcquisitionState.SET_ASIDE.value)
        open_still = acquisitions.c.dismissed_at.is_(None)
        connection.execute(update(acquisitions).where(about & unread & open_still).values(dismissed_at=now))


def under(connection: Connection, root: Path) -> list[Source]:
    """Return what was taken from a folder and the folders inside."""
    inside = table.c.path.startswith(str(root).rstrip("/") + "/", autoescape=True)
    rows = connection.execute(select(table).where(inside).order_by(table.c.path)).mappings()
    names = ("path", "size", "mtime_ns", "files", "readable", "acquisition_id")
    return [Source(**{name: row[name] for name in names}) for row in rows]
