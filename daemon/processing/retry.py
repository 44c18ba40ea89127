"""`nusetd retry`: queue again what was set aside, also while the service runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage import naming
from storage.clock import utc_now
from storage.connection.database_url import safe_url
from storage.connection.engine import writing_engine
from storage.database.catalog import Catalog
from storage.errors import DatabaseUnavailableError
from storage.query.snapshots import resolve
from storage.schema.migrate import HEAD, checked_revision

if TYPE_CHECKING:
    from collections.abc import Sequence


def ask_again(database: str, acquisition: str | None) -> Sequence[int]:
    """Queue failed time points of one acquisition (or of all), and sources that could not be opened.

    This is the one write that does not ask for the writer's lock: it is one short transaction, after which the service
    finds more in its queue.

    Returns
    -------
    sequence of int
        The ids of the acquisitions that were touched.
    """
    catalog = open_beside_the_service(database)
    try:
        number = None if acquisition is None else resolve(naming.database_url(database), acquisition)
        return catalog.retry(number)
    finally:
        catalog.close()


def open_beside_the_service(database: str) -> Catalog:
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
    with engine.connect() as connection:
        present = checked_revision(connection)
    if present != HEAD:
        engine.dispose()
        raise DatabaseUnavailableError(
            f"{safe_url(url)} has the tables of another version of nusetd: start this version's service on it once."
        )
    return Catalog(engine, lock=None, clock=utc_now)
