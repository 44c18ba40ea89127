"""Bringing a database to the schema of this version, and refusing one that is ahead of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from storage.connection.engine import reason
from storage.errors import DatabaseUnavailableError, NewerSchemaError
from storage.naming import backup_path, sqlite_path
from storage.schema import views

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "alembic_version"

# What `storage.schema.tables` describes. A test holds it equal to the newest migration: readers need not load Alembic.
HEAD = "0023"


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest schema; an older one is first copied beside itself.

    Raises
    ------
    NewerSchemaError
        When a newer nusetd wrote the database.
    DatabaseUnavailableError
        When the file is no database, or holds another program's tables.
    """
    with engine.connect() as connection:
        present = checked_revision(connection)
    if present == HEAD:
        return
    if present is not None:
        _back_up(engine, present)
    from alembic import command  # takes a moment to load, and only writers of old or new databases need it

    with engine.begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        views.drop(connection)
        command.upgrade(config, "head")
        views.create(connection)


def checked_revision(connection: Connection) -> str | None:
    """Return the database's revision, or None for an empty one.

    Raises
    ------
    NewerSchemaError, DatabaseUnavailableError
        As for `upgrade`.
    """
    tables: set[str] = set()
    try:
        revision = _told_revision(connection)
        if revision is None and inspect(connection).has_table(VERSION_TABLE):
            revision = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
        if revision is None:
            tables = set(inspect(connection).get_table_names())
    except DBAPIError as error:
        raise DatabaseUnavailableError(
            f"{connection.engine.url} cannot be read as a database ({reason(error)}): "
            "restore it from a copy, or move it away."
        ) from error
    if revision is None and tables - {VERSION_TABLE}:
        raise DatabaseUnavailableError(
            f"{connection.engine.url} holds tables of another program ({', '.join(sorted(tables))}): "
            "give nusetd a database of its own."
        )
    if revision is not None and int(revision) > int(HEAD):
        raise NewerSchemaError(
            f"{connection.engine.url} was written by a newer nusetd (its schema is {revision}, this one knows {HEAD}): "
            "update nusetd, or use another database."
        )
    return revision


def _told_revision(connection: Connection) -> str | None:
    """What SQLite says at once, which is asked by every reader; None where it has to be looked for."""
    if connection.dialect.name != "sqlite":  # elsewhere a table that is not there ends the transaction
        return None
    try:
        found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    except DBAPIError:
        return None
    return None if found is None else str(found)


def configuration() -> Config:
    """Return Alembic's configuration, which points at the migrations inside this package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _back_up(engine: Engine, revision: str) -> None:
    path = sqlite_path(str(engine.url))
    if path is None:
        return  # a server has backups of its own
    copy = backup_path(path, revision)
    copy.unlink(missing_ok=True)
    connection = sqlite3.connect(path)  # the engine's connections begin transactions, in which no copy can be made
    try:
        connection.execute("VACUUM INTO ?", (str(copy),))
    finally:
        connection.close()
