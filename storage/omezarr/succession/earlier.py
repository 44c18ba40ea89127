"""Stores of an earlier reading of the same source: with other axes or voxels, they give way to one made anew."""

from __future__ import annotations

import shutil
from pathlib import Path

from storage import naming
from storage.naming import Place
from storage.omezarr import corruption, places
from storage.omezarr.ownership import Owner, withdraw
from storage.omezarr.published import PublishedState


def is_earlier(place: Place, reading: int, owner: Owner | None) -> bool:
    """Say whether the store at a place is of this owner's acquisition, and of a reading before this one."""
    if not places.exists(place):
        return False
    with corruption.readable(place):
        visible = PublishedState(place, places.store_at(place))
        own, present = visible.own(), visible.owner()
    mine = present is None or owner is None or _whose(present) == _whose(owner)
    return mine and int(own.get("reading", 0)) < reading


def put_away(place: Place, whose: str) -> None:
    """Take a store, and what waits to be shown in it, out of the way of another one that is made next.

    In a folder it is moved to where stores are made, at once and however large it is: making the next one, or the sweep
    at the next start, removes it. At a URL the place is marked as unfinished, and the next one is made over it.

    Parameters
    ----------
    whose : str
        Identity of the database.
    """
    places.store_at(naming.staging(place)).remove()
    unfinished = naming.unfinished(place, whose)
    if isinstance(place, Path):
        beside = Path(unfinished)
        if beside.exists():
            shutil.rmtree(beside)
        place.rename(beside)
        return
    present = PublishedState(place, places.store_at(place)).owner()
    if present is not None:
        withdraw(places.remote_at(place), present)
    places.store_at(naming.parent(place)).seal([], naming.base(unfinished))


def _whose(owner: Owner) -> tuple[str, int]:
    return owner.database, owner.acquisition
