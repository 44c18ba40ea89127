"""Removing an OME-Zarr that nobody needs any more: only what is whose it should be, and out of sight at once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from storage import naming
from storage.errors import StorageError
from storage.naming import Place
from storage.omezarr import bundles, places
from storage.omezarr.image_store import ImageStore
from storage.omezarr.ownership import Owner, taken


def remove(place: Place, owner: Owner) -> str | None:
    """Remove the OME-Zarr of an acquisition; return why it is left where it is, None when nothing is there.

    In a folder it gets a name first under which nobody reads it, and which the next start of its service removes if a
    crash leaves it. The last position of a bundle takes the bundle with it.
    """
    try:
        if not places.exists(place):
            return None
        present = ImageStore.open(place).owner
        if present is not None and present != owner:
            return str(taken(place, present, owner))
        _remove(place, owner)
        bundle = naming.bundle_of(place)
        if bundle is not None and not bundles.leave(bundle, naming.base(place)):
            _remove(bundle, owner)
    except (StorageError, OSError) as error:
        return f"{place} is left as it is: {error}"
    return None


def _remove(place: Place, owner: Owner) -> None:
    if not isinstance(place, Path):
        places.store_at(place).remove()
        return
    aside = Path(naming.unfinished(place, owner.database))
    if aside.exists():
        shutil.rmtree(aside)
    os.rename(place, aside)
    shutil.rmtree(aside)
    waiting = Path(naming.staging(place))
    if waiting.is_dir():
        shutil.rmtree(waiting)
