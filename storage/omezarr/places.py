"""The zarr store behind a place: a folder on a disk or share, or an object store behind a URL."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from storage import naming
from storage.naming import Place

if TYPE_CHECKING:
    from storage.omezarr.disks.durable import DurableStore
    from storage.omezarr.disks.remote import RemoteStore

OutputStore: TypeAlias = "DurableStore | RemoteStore"


def store_at(place: Place) -> OutputStore:
    """Return the store at a place; nothing needs to be there yet.

    Raises
    ------
    StorageError
        When the place is a URL of a kind for which no package is installed.
    """
    return local_at(place) if isinstance(place, Path) else remote_at(place)


def local_at(path: Path) -> DurableStore:
    """Return the store in a folder."""
    from storage.omezarr.disks.durable import DurableStore  # brings zarr, which takes a while to load

    return DurableStore(path)


def remote_at(url: str) -> RemoteStore:
    """Return the store at a URL, as `store_at` does."""
    from storage.omezarr.disks.remote import RemoteStore  # brings fsspec, which local outputs do without

    return RemoteStore.at(url)


def exists(place: Place) -> bool:
    """Say whether there is an OME-Zarr, or something else in its way, at a place."""
    if isinstance(place, Path):
        return place.exists()
    store = store_at(place)
    return store.has(".zgroup") or store.has("zarr.json")


def is_unfinished(place: Place, whose: str = "") -> bool:
    """Say whether an OME-Zarr at a URL was begun and not ended."""
    if isinstance(place, Path):
        return False
    return store_at(naming.parent(place)).has(naming.base(naming.unfinished(place, whose)))


def remove_unfinished(place: Place, whose: str, maker: str) -> None:
    """Remove the OME-Zarr that a worker which died was making; at a URL it is made anew when it is written to."""
    for outermost in {place, naming.bundle_of(place) or place} if maker else ():
        half_made = naming.unfinished(outermost, whose, maker)
        if isinstance(half_made, Path):
            shutil.rmtree(half_made, ignore_errors=True)


def sweep_unfinished(folder: Place, whose: str = "") -> int:
    """Remove stores that a crash left half made in a folder; return their number. Only while nobody writes.

    Parameters
    ----------
    whose : str
        Identity of the database that made them: another service may just be making its own beside them.
    """
    if not isinstance(folder, Path):
        return 0  # what is unfinished at a URL is marked, and made anew when it is written to
    leftovers = [path for path in folder.glob(naming.unfinished_pattern(whose)) if path.is_dir()]
    for path in leftovers:
        shutil.rmtree(path, ignore_errors=True)
    return len(leftovers)
