"""One question to the database: its answer in pages, for tables of any length, or at once.

with Question.nuclei("results", "embryo", Selection(where="volume_um3 > 300")).pages() as pages:
    ...
tracks = Question.tracks("results", "embryo").frame()
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import JSON, Connection, Select

from storage.errors import StorageError
from storage.query import lineages, statements
from storage.query.snapshots import known_times, known_track, resolved, snapshot
from storage.query.statements import ALL, Selection

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow

PAGE_ROWS = 20_000

Database = str | Path | Connection
"""A database by its place, of which each answer sees one moment of its own; or a snapshot, whose moment all share."""


@dataclass(frozen=True)
class Question:
    """What somebody wants to know.

    Attributes
    ----------
    database : str, Path or Connection
        See `Database`.
    statement : callable
        Makes the SELECT statement within the snapshot, where names are looked up.
    """

    database: Database
    statement: Callable[[Connection], Select[Any]]

    @classmethod
    def acquisitions(cls, database: Database, selection: Selection = ALL) -> Self:
        """Which acquisitions there are, oldest first: the table's columns, counts of nuclei and tracks, progress."""
        return cls(database, lambda connection: statements.acquisitions(connection, selection))

    @classmethod
    def status(cls, database: Database) -> Self:
        """How far each acquisition is: state, time points queued, running, done and failed, the last error."""
        return cls(database, lambda connection: statements.status())

    @classmethod
    def nuclei(cls, database: Database, acquisition: int | str, selection: Selection = ALL) -> Self:
        """Which nuclei an acquisition has, ordered by time point and label.

        The answer raises UnknownAcquisitionError or WrongRequestError for an unknown acquisition, track or column, or a
        filter that cannot be read; so do those below.
        """
        return cls(
            database,
            lambda connection: statements.nuclei(connection, *_known(connection, acquisition, selection)),
        )

    @classmethod
    def tracks(cls, database: Database, acquisition: int | str, selection: Selection = ALL) -> Self:
        """Which tracks it has: parent, first and last time point, number of nuclei, whether final."""
        return cls(database, lambda connection: statements.tracks(*_known(connection, acquisition, selection)))

    @classmethod
    def lineage(cls, database: Database, acquisition: int | str, selection: Selection = ALL) -> Self:
        """Its tracks with root, generation and daughters; with `track`, its family and how each is related to it."""
        return cls(database, lambda connection: lineages.lineage(*_known(connection, acquisition, selection)))

    @contextmanager
    def pages(self, rows: int | None = None) -> Iterator[Iterator[pyarrow.Table]]:
        """Give the answer in pages of at most `rows` rows, all of one moment, which ends with the context."""
        with self._reading() as connection:
            yield _pages(connection, self.statement(connection), rows or PAGE_ROWS)

    def frame(self) -> pd.DataFrame:
        """Return the whole answer as a pandas table."""
        from storage.query.answers import whole  # with pandas, which who only prints does without

        with self.pages() as pages:
            return whole(pages)

    def _reading(self) -> AbstractContextManager[Connection]:
        return nullcontext(self.database) if isinstance(self.database, Connection) else snapshot(self.database)


def _known(connection: Connection, acquisition: int | str, selection: Selection) -> tuple[int, Selection]:
    """Return the id of an acquisition that is there, and has the track and the time points that are asked for."""
    row = resolved(connection, acquisition)
    if selection.track is not None:
        known_track(connection, row.id, selection.track)
    if selection.source_t is not None:
        known_times(connection, row, *selection.source_bounds())
    return row.id, selection.counted_from(row.first_number or 0)


def _pages(connection: Connection, query: Select[Any], rows: int) -> Iterator[pyarrow.Table]:
    """Give a query's answer in Arrow tables of at most `rows` rows; at least one, which may be empty.

    Only one page is in memory at a time, here and in the database's driver.
    """
    import pyarrow

    shape = _schema(query)
    kinds = [isinstance(column.type, JSON) for column in query.selected_columns]
    result = connection.execute(query, execution_options={"yield_per": rows})
    empty = True
    for part in result.partitions(rows):
        columns = [_column(v, f, j) for v, f, j in zip(zip(*part, strict=True), shape, kinds, strict=True)]
        yield pyarrow.Table.from_arrays(columns, schema=shape)
        empty = False
    if empty:
        yield shape.empty_table()


def _schema(query: Select[Any]) -> pyarrow.Schema:
    """Return names and types of a query's columns; what is stored as JSON is given as text."""
    import pyarrow

    types: dict[type, pyarrow.DataType] = {
        bool: pyarrow.bool_(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
    }
    columns = query.selected_columns
    return pyarrow.schema([pyarrow.field(c.name, types.get(c.type.python_type, pyarrow.string())) for c in columns])


def _column(values: Sequence[Any], field: pyarrow.Field[Any], is_json: bool) -> pyarrow.Array[Any]:
    import pyarrow

    if is_json:
        values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    try:
        column: pyarrow.Array[Any] = pyarrow.array(values, type=field.type)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise StorageError(
            f"The column {field.name} holds values of several kinds ({error}): choose the other columns."
        ) from error
    return column
