"""A database that is there already, opened by its one writer."""

from __future__ import annotations

from storage import naming
from storage.database.catalog import Catalog
from storage.errors import DatabaseUnavailableError


def open_existing(database: str) -> Catalog:
    """Open a database for writing; none is made.

    Raises
    ------
    DatabaseUnavailableError
        When there is none, or the service, or another nusetd, writes to it.
    """
    url = naming.database_url(database)
    path = naming.sqlite_path(url)
    if path is not None and not path.exists():
        raise DatabaseUnavailableError(f"There is no database {path}: give --database, or set NUSETD_DATABASE.")
    return Catalog.open(url)
