"""Whether a database can be used: where its file lies, and what the driver's complaints mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, OperationalError

from storage.connection.engine import reason
from storage.connection.filesystems import network_filesystem
from storage.errors import DatabaseUnavailableError

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})


def check_place(path: Path) -> None:
    """Refuse a database file on a network share, and make its folder.

    Raises
    ------
    DatabaseUnavailableError
    """
    kind = network_filesystem(path)
    if kind is not None:
        raise DatabaseUnavailableError(
            f"The database {path} would lie on a network share ({kind}), where SQLite loses data: "
            "put it on a local disk (the OME-Zarr may stay on the share)."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailableError(
            f"The folder {path.parent} for the database cannot be made ({error.strerror}): choose another."
        ) from error


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn the driver's complaints about the database as such into one sentence."""
    try:
        yield
    except DBAPIError as error:
        if type(error).__name__ == "IntegrityError":
            raise  # a fault of ours, to be seen whole
        damaged = isinstance(error.orig, sqlite3.DatabaseError) and _code(error.orig) in _DAMAGED
        remedy = (
            "restore a copy of it" if damaged else "check the disk, its free space and its permissions, or the server"
        )
        unavailable = DatabaseUnavailableError(f"The database {url} cannot be used ({reason(error)}): {remedy}.")
        unavailable.may_pass = isinstance(error, OperationalError) and not damaged
        raise unavailable from error


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's code without its refinements."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
