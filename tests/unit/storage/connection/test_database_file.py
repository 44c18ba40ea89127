"""The database file is still the file that was opened; who deletes, moves or replaces it is noticed."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cases.stored import register

from storage import naming
from storage.database.catalog import Catalog
from storage.errors import DatabaseReplacedError, DatabaseUnavailableError


def _delete(path: Path) -> None:
    path.unlink()


def _move(path: Path) -> None:
    path.rename(path.with_name("moved"))


def _replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    os.replace(path.with_name("copy"), path)


@pytest.mark.parametrize(
    ("do", "fate"), [(_delete, "deleted"), (_move, "moved"), (_replace, "deleted, and another one lies there")]
)
def test_nothing_is_written_into_a_file_that_lies_there_no_more(
    tmp_path: Path, do: Callable[[Path], None], fate: str
) -> None:
    path = tmp_path / "nusetd.sqlite"
    with Catalog.open(path) as catalog:
        register(catalog)
        do(path)
        with pytest.raises(DatabaseReplacedError, match=f"was {fate} while") as error:
            catalog.acquisitions()
        assert not error.value.may_pass


def test_a_file_that_goes_during_a_transaction_is_not_committed_into(tmp_path: Path) -> None:
    path = tmp_path / "nusetd.sqlite"
    with Catalog.open(path) as catalog:
        transaction = catalog._transaction()
        transaction.__enter__().exec_driver_sql("UPDATE identity SET database_id = 'other'")
        path.rename(path.with_name("moved"))
        with pytest.raises(DatabaseReplacedError):
            transaction.__exit__(None, None, None)
        path.with_name("moved").rename(path)
        assert catalog.stores.database_id != "other"


def test_what_a_deleted_file_held_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "nusetd.sqlite"
    with Catalog.open(path) as catalog:
        register(catalog)
        for one in tmp_path.iterdir():
            one.unlink()
        rescued = catalog.rescue()
        assert rescued is not None
    with closing(sqlite3.connect(rescued)) as connection:
        assert connection.execute("SELECT name FROM acquisitions").fetchall() == [("embryo",)]


def test_what_was_not_deleted_needs_no_rescue(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        assert catalog.rescue() is None


def test_a_second_writer_meets_the_first_one_under_whatever_name(tmp_path: Path) -> None:
    path = tmp_path / "nusetd.sqlite"
    with Catalog.open(path):
        naming.lock_path(path).unlink()  # as whoever clears the folder does
        with pytest.raises(DatabaseUnavailableError, match="still writing to a database at"):
            Catalog.open(path)
        os.link(path, tmp_path / "other.sqlite")
        with pytest.raises(DatabaseUnavailableError, match="opened under another name"):
            Catalog.open(tmp_path / "other.sqlite")
        (tmp_path / "other.sqlite").unlink()
    Catalog.open(path).close()


def test_a_database_that_somebody_locks_is_not_waited_for_longer_than_two_seconds(tmp_path: Path) -> None:
    path = tmp_path / "nusetd.sqlite"
    with Catalog.open(path) as catalog, catalog._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() <= 2000
