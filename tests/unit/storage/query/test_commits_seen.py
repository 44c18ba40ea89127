"""Commits are seen by a look at the files: each is, and nothing is read where there was none."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage import naming
from storage.query.changes import CommitWatch

LATER_NS = 10**18 * 4  # long after whatever the tests write


def test_every_commit_is_seen_and_rest_is_rest(tmp_path: Path) -> None:
    path = tmp_path / "nusetd.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE a (b)")
        connection.commit()
        watch = CommitWatch(naming.database_url(path), lambda: LATER_NS)
        assert [watch.changed() for _ in range(3)] == [True, False, False]
        for value in range(20):
            connection.execute("INSERT INTO a VALUES (?)", (value,))
            connection.commit()
            os.utime(naming.wal_path(path))  # whatever the grain of this file system's clock is
            assert watch.changed()
            assert not watch.changed()
        watch.forget()
        assert watch.changed()


def test_what_was_written_a_moment_ago_may_be_followed_by_more_in_the_same_grain(tmp_path: Path) -> None:
    path = tmp_path / "nusetd.sqlite"
    path.write_bytes(b"x")
    written = os.stat(path).st_mtime_ns
    now = written + 1_000_000
    watch = CommitWatch(naming.database_url(path), lambda: now)
    assert [watch.changed() for _ in range(2)] == [True, True]
    now = written + 10**9
    assert not watch.changed()


def test_a_file_that_is_exchanged_and_one_that_is_gone_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "nusetd.sqlite"
    path.write_bytes(b"x")
    watch = CommitWatch(naming.database_url(path), lambda: LATER_NS)
    watch.changed()
    other = tmp_path / "other"
    other.write_bytes(b"y")
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.replace(path)
    assert watch.changed()
    path.unlink()
    assert watch.changed()


@pytest.mark.parametrize("calls", [3])
def test_of_a_server_nothing_is_known(calls: int) -> None:
    watch = CommitWatch("postgresql://localhost/x", lambda: LATER_NS)
    assert all(watch.changed() for _ in range(calls))
