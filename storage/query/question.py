"""One question to the database: its answer in pages, for tables of any length, or at once.

with Question.nuclei("results", "embryo", Selection(where="volume_um3 > 300")).pages() as pages:
    ...
tracks = Question.tracks("results", "embryo").frame()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from sqlalchemy import Connection, Select

from storage.query import answers, lineages, statements
from storage.query.selection import ALL, Selection
from storage.query.snapshots import known_times, known_track, resolved, snapshot

if TYPE_CHECKING:
    import pyarrow

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
        """Give the answer in pages of at most `rows` rows: all of one moment, which ends with the context."""
        with self._reading() as connection:
            yield answers.pages(connection, self.statement(connection), rows)

    def frame(self) -> pd.DataFrame:
        """Return the whole answer as a pandas table."""
        with self.pages() as pages:
            return answers.whole(pages)

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
