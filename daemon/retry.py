"""`nusetd retry`: queue again what was set aside, also while the service runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage import layout, queries
from storage.catalog import Catalog
from storage.clock import utc_now
from storage.engine import writing_engine
from storage.errors import DatabaseUnavailableError

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
    url = layout.database_url(database)
    path = layout.sqlite_path(url)
    if path is not None and not path.exists():
        raise DatabaseUnavailableError(f"There is no database {path}: give --database, or set NUSETD_DATABASE.")
    number = None if acquisition is None else queries.resolve(url, acquisition)
    catalog = Catalog(writing_engine(url), lock=None, clock=utc_now)
    try:
        return catalog.retry(number)
    finally:
        catalog.close()
