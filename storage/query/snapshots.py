"""Reading the database as it is at one moment. Nothing here writes, so it works beside a running service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from storage import naming
from storage.connection.database_folder import folder_of
from storage.connection.engine import reading_engine, reason, safe_url
from storage.errors import DatabaseUnavailableError, OtherSchemaError, UnknownAcquisitionError, WrongRequestError
from storage.schema import tables
from storage.schema.migrate import HEAD, checked_revision
from storage.schema.rows import AcquisitionRow, acquisition_row
from storage.spans import spoken


@contextmanager
def snapshot(path_or_url: str | Path) -> Iterator[Connection]:
    """Give a connection on which everything that is read is of one moment, whatever is written meanwhile.

    Raises
    ------
    DatabaseUnavailableError
        When there is no database, it cannot be read, or is of another version.
    """
    url = naming.database_url(path_or_url)
    path = naming.sqlite_path(url)
    if path is not None and not path.is_file():
        raise DatabaseUnavailableError(f"There is no database {path}: name it with --database, or in NUSETD_DATABASE.")
    engine = reading_engine(url)
    try:
        with engine.begin() as connection:
            if checked_revision(connection) != HEAD:
                raise OtherSchemaError(
                    f"{safe_url(url)} is of an older nusetd: "
                    "run the service or `nusetd process` on it once to update it."
                )
            yield connection
    except DBAPIError as error:
        raise DatabaseUnavailableError(
            f"{safe_url(url)} cannot be read ({reason(error)}): check the file and its disk, or the server."
        ) from error


def resolve(path_or_url: str | Path, acquisition: int | str) -> int:
    """Return the id of the acquisition with this id or name.

    Raises
    ------
    UnknownAcquisitionError
        When there is none; the message names some that are there.
    """
    with snapshot(path_or_url) as connection:
        return resolved(connection, acquisition).id


def resolved(connection: Connection, acquisition: int | str) -> AcquisitionRow:
    """Return the row of the acquisition with this id or name, within a snapshot.

    The last part of a name, as `Series001` of `day1/Series001`, will do where only one acquisition has it.
    """
    table, wanted = tables.acquisitions, str(acquisition)
    for match in (
        table.c.name == wanted,
        table.c.id == (int(wanted) if wanted.isdecimal() and len(wanted) < 10 else -1),
    ):
        row = connection.execute(select(table).where(match)).mappings().one_or_none()
        if row is not None:
            return acquisition_row(row, folder_of(connection))
    alike = table.c.name.endswith(f"/{wanted}", autoescape=True)
    rows = connection.execute(select(table).where(alike).order_by(table.c.id).limit(5)).mappings().all()
    if len(rows) == 1:
        return acquisition_row(rows[0], folder_of(connection))
    if rows:
        raise UnknownAcquisitionError(
            f"Several acquisitions are called {wanted!r}: say which, as in {', '.join(row['name'] for row in rows)}."
        )
    names = connection.execute(select(table.c.name).order_by(table.c.id.desc()).limit(5)).scalars().all()
    there = f"the latest are {', '.join(names)}" if names else "the database has none yet"
    raise UnknownAcquisitionError(f"There is no acquisition {wanted!r}: {there}; `nusetd acquisitions` lists all.")


def known_track(connection: Connection, acquisition_id: int, track: int) -> int:
    """Return the track's id when the acquisition has it.

    Raises
    ------
    WrongRequestError
        When it has not.
    """
    table = tables.tracks
    here = (table.c.acquisition_id == acquisition_id) & (table.c.track_id == track)
    if connection.execute(select(table.c.id).where(here)).first() is None:
        raise WrongRequestError(f"There is no track {track} in this acquisition: `nusetd tracks` lists them.")
    return track


def known_times(connection: Connection, acquisition: AcquisitionRow, first: int | None, last: int | None) -> None:
    """Refuse a time point, or a range of them, of which the acquisition has none; as people write them.

    Raises
    ------
    WrongRequestError
    """
    there = source_times(connection, acquisition.id)
    if any((first is None or t >= first) and (last is None or t <= last) for t in there) or not there:
        return
    wanted = f"time point {first}" if first == last else f"time points {_end(first)}:{_end(last)}"
    raise WrongRequestError(f"{acquisition.name} has no {wanted}: {spoken(there)} are there.")


def source_times(connection: Connection, acquisition_id: int) -> list[int]:
    """Return the time points that an acquisition has, as people write them, ascending."""
    points = tables.timepoints
    mine = points.c.acquisition_id == acquisition_id
    return [int(t) for t in connection.execute(select(points.c.source_t).where(mine).order_by(points.c.t)).scalars()]


def _end(t: int | None) -> str:
    return "" if t is None else str(t)
