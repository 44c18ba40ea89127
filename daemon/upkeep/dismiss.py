"""`nusetd dismiss`: one short write, also while the service runs."""

from __future__ import annotations

from daemon.processing.retry import open_beside_the_service
from storage import naming
from storage.query.snapshots import resolve


def dismiss(database: str, acquisition: str | None) -> int:
    """Have the problems of one acquisition, or of all, told no more; return of how many there were some."""
    catalog = open_beside_the_service(database)
    try:
        number = None if acquisition is None else resolve(naming.database_url(database), acquisition)
        return catalog.upkeep.dismiss(None if number is None else [number])
    finally:
        catalog.close()
