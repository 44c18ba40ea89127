"""`nusetd relocate`: rows, and the links of images by reference, follow files that people moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import UsageError
from daemon.upkeep.existing import open_existing
from storage.omezarr import references

if TYPE_CHECKING:
    from storage.database.upkeep.relocation import Relocated
    from storage.naming import Place


def relocate(database: str, old: Place, new: Place) -> Relocated:
    """Write down that what lay at `old` lies at `new`.

    Raises
    ------
    UsageError
        When nothing is at `new`, so that one of the two is misspelt, or not mounted.
    StorageError
        When the service runs, or something else is known under the new path.
    """
    if isinstance(new, Path) and not new.exists():
        raise UsageError(f"{new} is not there: move the files first, or mount it; or correct the path.")
    with open_existing(database) as catalog:
        moved = catalog.upkeep.move(old, new)
    if isinstance(old, Path) and isinstance(new, Path):
        for store in moved.links:
            references.relink(Path(store), old, new)
    return moved
