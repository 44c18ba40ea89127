"""Questions to the database, answered as pandas tables. Nothing here writes, so it works beside a running service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.exc import DBAPIError

from storage import health, layout, schema
from storage.engine import reading_engine
from storage.errors import DatabaseUnavailableError, StorageError, UnknownAcquisitionError
from storage.jobs import TimepointState
from storage.migrate import HEAD, checked_revision
from storage.records import acquisition_row, plain
from storage.rows import AcquisitionRow

PAGE_ROWS = 50_000


@contextmanager
def snapshot(path_or_url: str | Path) -> Iterator[Connection]:
    """Give a connection on which everything that is read is of one moment, whatever is written meanwhile.

    Raises
    ------
    DatabaseUnavailableError
        When there is no database, it cannot be read, or is of another version.
    """
    url = layout.database_url(path_or_url)
    path = layout.sqlite_path(url)
    if path is not None and not path.is_file():
        raise DatabaseUnavailableError(f"There is no database {path}: name it with --database, or in NUSETD_DATABASE.")
    engine = reading_engine(url)
    try:
        with engine.begin() as connection:
            if checked_revision(connection) != HEAD:
                raise DatabaseUnavailableError(
                    f"{url} is of an older nusetd: run the service or `nusetd process` on it once to update it."
                )
            yield connection
    except DBAPIError as error:
        raise DatabaseUnavailableError(f"{url} cannot be read ({error.orig}): check the file and its disk.") from error
    finally:
        engine.dispose()


def resolve(path_or_url: str | Path, acquisition: int | str) -> int:
    """Return the id of the acquisition with this id or name.

    Raises
    ------
    UnknownAcquisitionError
        When there is none; the message names some that are there.
    """
    with snapshot(path_or_url) as connection:
        return resolved(connection, acquisition).id


def acquisitions(path_or_url: str | Path) -> pd.DataFrame:
    """Return all acquisitions, oldest first: the columns of the table, counts of nuclei and tracks, progress."""
    table, points = schema.acquisitions, schema.timepoints
    done = points.c.state == TimepointState.DONE.value
    counted = (
        select(
            points.c.acquisition_id,
            func.count().filter(done).label("timepoints_done"),
            func.count().label("timepoints_known"),
            func.sum(points.c.nuclei_count).label("nuclei_count"),
        )
        .group_by(points.c.acquisition_id)
        .subquery()
    )
    tracked = (
        select(schema.tracks.c.acquisition_id, func.count().label("tracks_count"))
        .group_by(schema.tracks.c.acquisition_id)
        .subquery()
    )
    counts = (counted.c.timepoints_done, counted.c.timepoints_known, counted.c.nuclei_count, tracked.c.tracks_count)
    query = (
        select(*_shown(table, ("source_key", "result_key")), *(func.coalesce(c, 0).label(c.name) for c in counts))
        .outerjoin(counted, counted.c.acquisition_id == table.c.id)
        .outerjoin(tracked, tracked.c.acquisition_id == table.c.id)
        .order_by(table.c.id)
    )
    with snapshot(path_or_url) as connection:
        return frame(connection, query)


def status(path_or_url: str | Path) -> pd.DataFrame:
    """Return how far each acquisition is: state, time points queued, running, done and failed, the last error."""
    table, points = schema.acquisitions, schema.timepoints
    counts = [func.count().filter(points.c.state == s.value).label(s.value) for s in TimepointState]
    failed = func.max(points.c.error).filter(points.c.state == TimepointState.FAILED.value)
    query = (
        select(
            table.c.id,
            table.c.name,
            table.c.state,
            *counts,
            func.max(points.c.completed_at).label("last_done_at"),
            func.coalesce(table.c.error, failed).label("error"),
        )
        .outerjoin(points, points.c.acquisition_id == table.c.id)
        .group_by(table.c.id)
        .order_by(table.c.id)
    )
    with snapshot(path_or_url) as connection:
        return frame(connection, query)


def health_of(
    path_or_url: str | Path, moment: datetime
) -> tuple[health.QueueState, tuple[datetime, dict[str, Any]] | None]:
    """Return the queue at a moment, and the service's last report with its time (None: it never reported)."""
    with snapshot(path_or_url) as connection:
        return health.queue_state(connection, moment), health.read_report(connection)


def nuclei(
    path_or_url: str | Path,
    acquisition: int | str,
    *,
    t: int | tuple[int, int] | None = None,
    track: int | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the nuclei of an acquisition, ordered by time point and label.

    Parameters
    ----------
    path_or_url : database
    acquisition : id or name
    t : int, or (first, last), or None
        A time point, or a range with both ends.
    track : int or None
        Only nuclei of this track.
    columns : names, or None for all (measurements of other channels as columns of their own)

    Raises
    ------
    UnknownAcquisitionError, StorageError
        For an unknown acquisition or column.
    """
    with snapshot(path_or_url) as connection:
        number = resolved(connection, acquisition).id
        return frame(connection, nuclei_query(number, t, track, columns))


def nuclei_pages(connection: Connection, acquisition_id: int, rows: int = PAGE_ROWS) -> Iterator[pd.DataFrame]:
    """Give the nuclei of an acquisition in pages of about `rows` rows, whole time points each, for large tables."""
    counts = connection.execute(
        select(schema.timepoints.c.t, schema.timepoints.c.nuclei_count)
        .where(schema.timepoints.c.acquisition_id == acquisition_id)
        .where(schema.timepoints.c.nuclei_count > 0)
        .order_by(schema.timepoints.c.t)
    ).all()
    first, held = None, 0
    for i, (t, count) in enumerate(counts):
        first, held = (t, count) if first is None else (first, held + count)
        if held >= rows or i == len(counts) - 1:
            yield frame(connection, nuclei_query(acquisition_id, (first, t), None, None))
            first, held = None, 0


def tracks(path_or_url: str | Path, acquisition: int | str) -> pd.DataFrame:
    """Return the tracks of an acquisition: parent, first and last time point, number of nuclei, whether final."""
    with snapshot(path_or_url) as connection:
        return tracks_frame(connection, resolved(connection, acquisition).id)


def tracks_frame(connection: Connection, acquisition_id: int) -> pd.DataFrame:
    """Return the tracks of an acquisition within a snapshot, ordered by track id."""
    table = schema.tracks
    mine = table.c.acquisition_id == acquisition_id
    return frame(connection, select(*_shown(table, ())).where(mine).order_by(table.c.track_id))


def resolved(connection: Connection, acquisition: int | str) -> AcquisitionRow:
    """Return the row of the acquisition with this id or name, within a snapshot."""
    table, wanted = schema.acquisitions, str(acquisition)
    for match in (table.c.name == wanted, table.c.id == (int(wanted) if wanted.isdecimal() else -1)):
        row = connection.execute(select(table).where(match)).mappings().one_or_none()
        if row is not None:
            return acquisition_row(row)
    names = connection.execute(select(table.c.name).order_by(table.c.id.desc()).limit(5)).scalars().all()
    there = f"the latest are {', '.join(names)}" if names else "the database has none yet"
    raise UnknownAcquisitionError(f"There is no acquisition {wanted!r}: {there}; `nusetd acquisitions` lists all.")


def nuclei_query(
    acquisition_id: int, t: int | tuple[int, int] | None, track: int | None, columns: Sequence[str] | None
) -> Select:
    """Return the query behind `nuclei`."""
    table = schema.nuclei
    if columns is None:
        chosen = _shown(table, ())
    else:
        unknown = [name for name in columns if name not in table.columns]
        if unknown:
            raise StorageError(
                f"Nuclei have no column {', '.join(unknown)}: there are {', '.join(table.columns.keys())}."
            )
        chosen = [table.c[name] for name in columns]
    query = select(*chosen).where(table.c.acquisition_id == acquisition_id)
    if t is not None:
        first, last = (t, t) if isinstance(t, int) else t
        query = query.where(table.c.t.between(first, last))
    if track is not None:
        query = query.where(table.c.track_id == track)
    return query.order_by(table.c.t, table.c.label)


def _shown(table: Any, hidden: Sequence[str]) -> list[Any]:
    return [column for column in table.columns if column.name not in hidden]


def frame(connection: Connection, query: Select) -> pd.DataFrame:
    """Return a query's result as a table whose integers stay integers, within a snapshot."""
    result = connection.execute(query)
    names = list(result.keys())
    values = list(zip(*result.all(), strict=True)) or [()] * len(names)
    kinds = [_dtype(query.selected_columns[name]) for name in names]
    table = pd.DataFrame(
        {name: pd.Series(list(v), dtype=kind) for name, v, kind in zip(names, values, kinds, strict=True)}
    )
    for name in ("params", "channel_names"):  # as text, which every output format can hold
        if name in names:
            table[name] = [json.dumps(value, ensure_ascii=False) for value in table[name]]
    return _spread(table) if "measurements" in names else table


def _dtype(column: Any) -> Any:
    """Return the pandas type that keeps a column's values: integers stay integers beside missing ones."""
    return {int: "Int64", float: "float64", bool: "boolean"}.get(column.type.python_type, object)


def _spread(table: pd.DataFrame) -> pd.DataFrame:
    """Make columns of what the ``measurements`` column holds."""
    values = table.pop("measurements")
    for name in sorted({name for one in values if one for name in one}):
        table[name] = [plain((one or {}).get(name)) for one in values]
    return table
