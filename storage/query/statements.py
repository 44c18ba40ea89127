"""The SELECT statements that answer questions, and which of their rows and columns somebody wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Text, case, cast, func, literal, or_, select

from storage.connection.database_folder import folder_of
from storage.query.channel_columns import NamedColumns, shown_names
from storage.query.filters import Columns, condition, unknown_columns
from storage.schema import tables
from storage.schema.states import TimepointState

TimeRange = int | tuple[int | None, int | None]


@dataclass(frozen=True)
class Selection:
    """What is wanted of a table.

    Attributes
    ----------
    where : str or None
        A filter in the grammar of `storage.query.filters`.
    t : int, or (first, last), or None
        A time point, or a range with both ends, of which either may be None. Tracks are those that live in it.
    source_t : the same, or None
        Time points as people write them, by the numbers in the names of files; one that is not there is refused.
    track : int or None
        Nuclei of this track, or this track; for a lineage, all tracks of its family.
    columns : names in the order wanted, or None for all
    limit : int or None
        At most so many rows, the first ones.
    """

    where: str | None = None
    t: TimeRange | None = None
    source_t: TimeRange | None = None
    track: int | None = None
    columns: Sequence[str] | None = None
    limit: int | None = None

    def of(self, query: Select[Any], columns: Columns, what: str) -> Select[Any]:
        """Return a query with this filter, these columns and this limit.

        Parameters
        ----------
        query : what is selected when all columns are wanted
        columns : by name, those that may be used
        what : what the rows are, for messages

        Raises
        ------
        WrongRequestError
            For an unknown column, or a filter that cannot be read.
        """
        if self.columns is not None:
            unknown = [name for name in self.columns if name not in columns]
            if unknown:
                raise unknown_columns(unknown, columns, what)
            chosen = list(dict.fromkeys(self.columns))
            query = query.with_only_columns(*(columns[name].label(name) for name in chosen))
        if self.where is not None:
            query = query.where(condition(self.where, columns, what))
        if self.limit is not None:
            query = query.limit(self.limit)
        return query

    def bounds(self) -> tuple[int | None, int | None]:
        """Return the first and the last time point, None where there is no bound."""
        return _ends(self.t)

    def source_bounds(self) -> tuple[int | None, int | None]:
        """Return the same as people write it."""
        return _ends(self.source_t)

    def counted_from(self, first_number: int) -> Selection:
        """Return the same with `t` in place of `source_t`."""
        if self.source_t is None:
            return self
        first, last = (None if end is None else end - first_number for end in self.source_bounds())
        return replace(self, source_t=None, t=(first, last))


ALL = Selection()


def nuclei(connection: Connection, acquisition_id: int, selection: Selection = ALL) -> Select[Any]:
    """Return the statement for nuclei, ordered by time point and label; other channels' values are columns too."""
    table = tables.nuclei
    columns = nuclei_columns(connection, acquisition_id)
    query = select(*(column.label(name) for name, column in columns.items()))
    query = query.where(table.c.acquisition_id == acquisition_id)
    first, last = selection.bounds()
    query = query.where(table.c.t >= first) if first is not None else query
    query = query.where(table.c.t <= last) if last is not None else query
    query = query.where(table.c.track_id == selection.track) if selection.track is not None else query
    return selection.of(query, columns, "nuclei").order_by(table.c.t, table.c.label)


def tracks(acquisition_id: int, selection: Selection = ALL) -> Select[Any]:
    """Return the statement for tracks, ordered by track id."""
    table = tables.tracks
    columns: Columns = {**table.columns, **as_written(acquisition_id)}
    query = select(*(column.label(name) for name, column in columns.items()))
    query = query.where(table.c.acquisition_id == acquisition_id)
    query = query.where(*_alive(table, selection))
    query = query.where(table.c.track_id == selection.track) if selection.track is not None else query
    return selection.of(query, columns, "tracks").order_by(table.c.track_id)


def as_written(acquisition_id: int) -> Columns:
    """Return the time points of tracks as people write them, by the numbers in the names of files."""
    about, table = tables.acquisitions, tables.tracks
    start = select(func.coalesce(about.c.first_number, 0)).where(about.c.id == acquisition_id).scalar_subquery()
    ends = {"first_source_t": table.c.first_t, "last_source_t": table.c.last_t, "division_source_t": table.c.division_t}
    return {name: column + start for name, column in ends.items()}


def counts(acquisition_id: int) -> Select[Any]:
    """Return the statement for (t, number of nuclei) of every time point that has been done, ascending."""
    points = tables.timepoints
    here = (points.c.acquisition_id == acquisition_id) & points.c.nuclei_count.is_not(None)
    return select(points.c.t, points.c.nuclei_count).where(here).order_by(points.c.t)


def acquisitions(connection: Connection, selection: Selection = ALL) -> Select[Any]:
    """Return the statement for acquisitions, oldest first: the table, source's folder, day, counts, progress.

    Their stores have their whole paths, those beside the database too. `cells_count` are the tracks alive at the last
    time point that is done, `nuclei_count` the detections of all of them.
    """
    table = tables.acquisitions
    hidden = ("source_key", "result_key")
    counts = _counts_of_acquisitions()
    shown: dict[str, ColumnElement[Any]] = {c.name: c for c in table.columns if c.name not in hidden}
    shown["zarr_path"] = _whole_path(connection, table.c.zarr_path).label("zarr_path")
    words = (
        _folder(table.c.source_path).label("source_folder"),
        _day(table).label("date"),
        _nuclear_channel_name(connection, table).label("nuclear_channel_name"),
    )
    inner = select(*shown.values(), *words, *counts).select_from(table).subquery()
    columns: Columns = dict(inner.columns)
    return selection.of(select(*columns.values()), columns, "acquisitions").order_by(inner.c.id)


def status() -> Select[Any]:
    """Return the statement for how far each acquisition is: its state, its time points by state, the last error."""
    table, points = tables.acquisitions, tables.timepoints
    counts = [func.count().filter(points.c.state == s.value).label(s.value) for s in TimepointState]
    failed = func.max(points.c.error).filter(points.c.state == TimepointState.FAILED.value)
    return (
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


def _ends(t: TimeRange | None) -> tuple[int | None, int | None]:
    return (t, t) if isinstance(t, int) else (t or (None, None))


def nuclei_columns(connection: Connection, acquisition_id: int) -> Columns:
    """Return all that is known of an acquisition's nuclei, by name; other channels' intensities by their names."""
    table, about = tables.nuclei, tables.acquisitions
    columns: dict[str, ColumnElement[Any]] = {c.name: c for c in table.columns if c.name != "measurements"}
    measured = _measured(connection, acquisition_id)
    channels = connection.execute(select(about.c.channel_names).where(about.c.id == acquisition_id)).scalar_one()
    shown = {old: new for old, new in shown_names(channels, {*columns, *measured}).items() if old in measured}
    for name, kind in sorted(measured.items()):
        value = table.c.measurements[name]
        as_kind = {bool: value.as_boolean, str: value.as_string}.get(kind, value.as_float)
        columns.setdefault(shown.get(name, name), as_kind())
    return NamedColumns(columns, shown)


def _measured(connection: Connection, acquisition_id: int) -> dict[str, type]:
    """Return names and kinds of what the column ``measurements`` holds.

    All nuclei of a time point have the same, and each time point tells what its first one has.
    """
    points = tables.timepoints
    one_each = select(points.c.measured).where(
        points.c.acquisition_id == acquisition_id, points.c.measured.is_not(None)
    )
    kinds: dict[str, type] = {}
    for values in connection.execute(one_each).scalars().all():
        for name, value in (values or {}).items():
            if value is not None and kinds.get(name) is not str:
                kinds[name] = type(value)
            else:
                kinds.setdefault(name, float)
    return kinds


def _alive(table: FromClause, selection: Selection) -> list[ColumnElement[bool]]:
    """Return the conditions for a track to have a part in the range of time points."""
    first, last = selection.bounds()
    conditions = [table.c.last_t >= first] if first is not None else []
    conditions += [table.c.first_t <= last] if last is not None else []
    return conditions


def _folder(path: ColumnElement[str]) -> ColumnElement[str]:
    """The folder of a path, in words that SQLite and PostgreSQL share: what is no slash is stripped from the end."""
    return func.rtrim(func.rtrim(path, func.replace(path, "/", "")), "/", type_=Text())


def _day(table: FromClause) -> ColumnElement[str]:
    """The day on which an image was taken, as its file says, else the one on which it became known."""
    return func.substr(func.coalesce(table.c.started_at, table.c.created_at), 1, 10, type_=Text())


def _nuclear_channel_name(connection: Connection, table: FromClause) -> ColumnElement[str]:
    """What the channel with the nuclei is called; NULL while none is known."""
    names, number = table.c.channel_names, table.c.nuclear_channel
    if connection.dialect.name == "sqlite":
        return func.json_extract(names, literal("$[") + cast(number, Text()) + literal("]"), type_=Text())
    return names.op("->>", return_type=Text())(number)


def _counts_of_acquisitions() -> list[ColumnElement[Any]]:
    table, points, owned = tables.acquisitions, tables.timepoints, tables.tracks
    here = points.c.acquisition_id == table.c.id
    done = points.c.state == TimepointState.DONE.value
    last = select(func.max(points.c.t)).where(here, done).correlate(table).scalar_subquery()
    alive = (owned.c.first_t <= last) & (owned.c.last_t >= last)
    counts = {
        "cells_count": select(func.count()).where(owned.c.acquisition_id == table.c.id, alive),
        "divisions_count": select(func.count(func.distinct(owned.c.parent_track_id))).where(
            owned.c.acquisition_id == table.c.id
        ),
        "timepoints_done": select(func.count()).where(here, done),
        "timepoints_known": select(func.count()).where(here),
        "nuclei_count": select(func.coalesce(func.sum(points.c.nuclei_count), 0)).where(here),
        "tracks_count": select(func.count()).where(owned.c.acquisition_id == table.c.id),
    }
    return [query.correlate(table).scalar_subquery().label(name) for name, query in counts.items()]


def _whole_path(connection: Connection, stored: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the path of a store as `naming.whole_place` does."""
    folder = folder_of(connection)
    if folder is None:
        return stored
    is_whole = or_(stored.is_(None), stored.startswith("/"), stored.contains("://"))
    return case((is_whole, stored), else_=literal(f"{folder}/".replace("//", "/")) + stored)
