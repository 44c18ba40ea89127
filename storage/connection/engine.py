"""Connections to the database, with the settings without which SQLite loses or corrupts things."""

from __future__ import annotations

import math
import os
import sqlite3
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from storage.connection.database_url import PASSWORD_FILE, parsed, password_from, safe_url
from storage.errors import DatabaseUnavailableError
from storage.naming import sqlite_path, wal_path

BUSY_TIMEOUT_MS = 30_000
LOOP_TIMEOUT_MS = 1_500
"""What a service waits for a database that somebody else locks: its loop has other things to do."""


def writing_engine(url: str, busy_ms: int = BUSY_TIMEOUT_MS) -> Engine:
    """Return an engine whose transactions take the write lock at once, so that none fails half way for want of it."""
    return _engine(url, begin="BEGIN IMMEDIATE", query_only=False, busy_ms=busy_ms)


def reading_engine(url: str) -> Engine:
    """Return an engine that cannot write; each transaction sees one committed snapshot.

    It keeps no connection open, so it need not be disposed of. It is made once per database: what SQLAlchemy learns of
    the server, and the statements it has compiled, take longer than most answers.
    """
    return _reading_engine(_readable(url))


@lru_cache(maxsize=16)
def _reading_engine(url: str) -> Engine:
    return _engine(url, begin="BEGIN", query_only=True)


def _readable(url: str) -> str:
    """The URL with which a reader without the right to write beside the database can open it.

    Even a reader of a write-ahead log makes files beside it, unless its writer has left them there. Without those, and
    without the right to make them, the file is read as one that nobody changes: its writer has ended.
    """
    path = sqlite_path(url)
    if path is None or not path.is_file() or os.access(path.parent, os.W_OK) or wal_path(path).exists():
        return url
    return f"sqlite:///file:{quote(str(path.absolute()))}?immutable=1&uri=true"


def reason(error: DBAPIError) -> str:
    """Return what the server or the driver said, in its own words and no more."""
    said = error.orig.args[0] if error.orig is not None and error.orig.args else error.orig
    return str(said.get("M", said) if isinstance(said, dict) else said)


def _engine(url: str, begin: str, query_only: bool, busy_ms: int = BUSY_TIMEOUT_MS) -> Engine:
    try:
        pool: dict[str, Any] = (
            {"poolclass": NullPool} if query_only else {"pool_pre_ping": not url.startswith("sqlite")}
        )
        engine = create_engine(parsed(_with_driver(url)), **pool)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        # What is said of a URL's form may quote it, with the password.
        why = "it is no URL of a database" if isinstance(error, ArgumentError | ValueError) else str(error)
        raise DatabaseUnavailableError(
            f"{safe_url(url)!r} is not a database that can be opened ({why}): give a path, or a URL such as "
            "sqlite:///file or, with nusetd[postgresql] installed, postgresql://user:password@host/name."
        ) from None
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine, begin, query_only, busy_ms)
        return engine
    if engine.url.username is None and "user" not in engine.url.query:  # the driver would fail over it
        raise DatabaseUnavailableError(f"{safe_url(url)!r} names no user: write postgresql://user@host/name.")
    _read_password(engine)
    if not query_only:
        _limit_waits(engine, busy_ms)
    if query_only:
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine


def _read_password(engine: Engine) -> None:
    """Have each connection read its password anew from the file that the URL names, if it names one."""
    file = engine.url.query.get(PASSWORD_FILE)
    if not isinstance(file, str):
        return

    @event.listens_for(engine, "do_connect")
    def on_connect(_dialect: object, _record: object, _arguments: object, named: dict[str, Any]) -> None:
        named.pop(PASSWORD_FILE, None)  # it means nothing to the driver
        named["password"] = password_from(file)


def _limit_waits(engine: Engine, busy_ms: int) -> None:
    """Have a server, too, say soon that somebody else holds what is to be written."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = {busy_ms}")
        cursor.close()
        connection.commit()


def _with_driver(url: str) -> str:
    """Return a PostgreSQL URL that names no driver with the one that the extra installs."""
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+pg8000://" + url.removeprefix(scheme)
    return url


def _configure_sqlite(engine: Engine, begin: str, query_only: bool, busy_ms: int) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver's own transactions begin too late and lose updates
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={busy_ms}")
        if query_only:
            cursor.execute("PRAGMA query_only=ON")
        else:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")  # a commit that was reported survives a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()
        _ensure_square_roots(connection)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _ensure_square_roots(connection: sqlite3.Connection) -> None:
    """Define ``sqrt``, which the views use, where this build of SQLite has no mathematical functions."""
    try:
        connection.execute("SELECT sqrt(1)").fetchone()
    except sqlite3.OperationalError:
        connection.create_function("sqrt", 1, _square_root, deterministic=True)


def _square_root(value: float | None) -> float | None:
    """Return what SQLite's own function returns: NULL for NULL and for what is below 0."""
    return None if value is None or value < 0 else math.sqrt(value)
