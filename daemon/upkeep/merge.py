"""`nusetd merge`: what another database knows becomes this one's, an acquisition at a time, rows before stores.

Whoever is killed in between does it again: what was taken over is known by then, and stores that were not handed over
yet are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import UsageError
from daemon.upkeep.existing import open_existing
from storage import naming
from storage.database.catalog import Catalog
from storage.errors import StorageError, StoreGoneError
from storage.omezarr.places import sweep_unfinished
from storage.omezarr.succession.handover import hand_over
from storage.schema.states import TimepointState

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow


@dataclass
class Merged:
    """How many acquisitions were taken over now, and before; how many were left out or lack their store."""

    taken: int = 0
    known: int = 0
    left: int = 0
    unsigned: int = 0


def merge(database: str, into: str, tell: Callable[[str], None]) -> Merged:
    """Take over all that a database knows.

    Parameters
    ----------
    tell : callable
        Told each thing that a person should know, in a sentence.

    Raises
    ------
    UsageError
        When both are the same.
    StorageError
        When a service, or another nusetd, writes to one of them.
    """
    if same(database, into):
        raise UsageError(f"{database} is the database to merge into: name another one.")
    merged = Merged()
    with open_existing(database) as source, Catalog.open(naming.database_url(into)) as target:
        source.requeue_running()  # nobody works on them: this process holds the lock
        for row in source.acquisitions():
            _take(source, target, row, merged, tell)
        target.upkeep.take_rest(source.upkeep)
    return merged


def same(one: str, other: str) -> bool:
    """Say whether two databases are the same one."""
    urls = naming.database_url(one), naming.database_url(other)
    paths = [naming.sqlite_path(url) for url in urls]
    return urls[0] == urls[1] or (None not in paths and Path(str(paths[0])).resolve() == Path(str(paths[1])).resolve())


def _take(source: Catalog, target: Catalog, row: AcquisitionRow, merged: Merged, tell: Callable[[str], None]) -> None:
    taken = target.upkeep.take(source.upkeep, row.id)
    if taken.how == "other":
        merged.left += 1
        tell(
            f"{row.name} is left out: {taken.name} is a result of the same source with the same settings. To have this "
            f"one instead, `nusetd forget {taken.name}` there and merge again."
        )
        return
    merged.taken += taken.how == "taken"
    merged.known += taken.how == "known"
    if taken.name != row.name and taken.how == "taken":
        tell(f"{row.name} is called {taken.name} now: that name was taken.")
    if row.zarr_path is None:
        return
    place = naming.as_place(row.zarr_path)
    before, after = source.stores.owner(row), target.stores.owner(target.acquisition(taken.number))
    sweep_unfinished(naming.parent(naming.bundle_of(place) or place), before.database)
    try:
        hand_over(place, before, after)
    except StorageError as error:
        if isinstance(error, StoreGoneError) and not _was_made(source, row.id):
            return  # its first time point makes it
        merged.unsigned += 1
        tell(f"The rows of {taken.name} were taken over, its OME-Zarr not: {error} Mend that, and merge again.")


def _was_made(source: Catalog, number: int) -> bool:
    stored = (TimepointState.DONE, TimepointState.ANALYSED)
    return any(point.state in stored for point in source.timepoints(number))
