"""Nuclei and tracks as plain tables: CSV and Parquet, a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, select

from storage.files.table_files import Pages
from storage.files.table_files import write_csv as csv_file
from storage.files.table_files import write_parquet as parquet_file
from storage.query import statements
from storage.query.question import Question
from storage.schema import tables

if TYPE_CHECKING:
    from storage.export.snapshot import Snapshot

Write = Callable[[Pages, IO[bytes]], None]


def write_csv(snapshot: Snapshot, output: Path) -> None:
    """Write a folder with ``nuclei.csv`` and ``tracks.csv``; with a name that ends in ``.csv`` the nuclei alone.

    Nuclei carry their track's `parent_track_id`.
    """
    _write(snapshot, output, ".csv", csv_file)


def write_parquet(snapshot: Snapshot, output: Path) -> None:
    """Write a folder with ``nuclei.parquet`` and ``tracks.parquet``; with ``.parquet`` the nuclei alone."""
    _write(snapshot, output, ".parquet", parquet_file)


def _write(snapshot: Snapshot, output: Path, suffix: str, write: Write) -> None:
    connection, number = snapshot.connection, snapshot.acquisition.id
    nuclei = Question(connection, lambda connection: with_parents(connection, number))
    if output.suffix.lower() == suffix:
        _write_file(nuclei, output, write)
        return
    output.mkdir()
    for name, question in (("nuclei", nuclei), ("tracks", Question.tracks(connection, number))):
        _write_file(question, output / f"{name}{suffix}", write)


def _write_file(question: Question, path: Path, write: Write) -> None:
    with question.pages() as pages, path.open("wb") as file:
        write(pages, file)


def with_parents(connection: Connection, acquisition_id: int) -> Select[Any]:
    """Return the statement for all nuclei, with `parent_track_id` beside `track_id`."""
    table, owners = tables.nuclei, tables.tracks
    parent = (
        select(owners.c.parent_track_id)
        .where(owners.c.acquisition_id == table.c.acquisition_id, owners.c.track_id == table.c.track_id)
        .scalar_subquery()
        .label("parent_track_id")
    )
    query = statements.nuclei(connection, acquisition_id)
    columns = list(query.selected_columns)
    after = [column.name for column in columns].index("track_id") + 1
    return query.with_only_columns(*columns[:after], parent, *columns[after:])
