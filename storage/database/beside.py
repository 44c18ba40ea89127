"""A database that somebody else writes, opened for one short write beside it."""

from __future__ import annotations

from pathlib import Path

from storage import naming
from storage.clock import utc_now
from storage.connection.availability import explained
from storage.connection.database_url import safe_url
from storage.connection.engine import writing_engine
from storage.database.catalog import Catalog
from storage.errors import DatabaseUnavailableError
from storage.schema.migrate import HEAD, checked_revision


def open_beside_the_service(database: str | Path) -> Catalog:
    """Open a database for one short write, without the writer's lock, which a running service holds.

    Raises
    ------
    DatabaseUnavailableError
        When there is no database.
    """
    url = naming.database_url(database)
    path = naming.sqlite_path(url)
    if path is not None and not path.exists():
        raise DatabaseUnavailableError(f"There is no database {path}: give --database, or set NUSETD_DATABASE.")
    engine = writing_engine(url)
    with explained(safe_url(url)), engine.connect() as connection:
        present = checked_revision(connection)
    if present != HEAD:
        engine.dispose()
        raise DatabaseUnavailableError(
            f"{safe_url(url)} has the tables of another version of nusetd: start this version's service on it once."
        )
    return Catalog(engine, lock=None, clock=utc_now)
