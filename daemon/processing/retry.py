"""`nusetd retry`: queue again what was set aside, also while the service runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage import naming
from storage.database.beside import open_beside_the_service
from storage.query.snapshots import resolve

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
