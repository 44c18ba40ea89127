"""A store that belongs to another database from now on: whoever takes its rows over is who writes to it."""

from __future__ import annotations

from collections.abc import Mapping

from storage import naming
from storage.errors import StoreGoneError, StoreTakenError
from storage.naming import OWN_ATTRIBUTE, Place
from storage.omezarr import corruption, places
from storage.omezarr.ownership import Owner, claim, taken, withdraw


def hand_over(place: Place, before: Owner, after: Owner) -> None:
    """Have a store, and the bundle around it, belong to another owner; doing it again changes nothing.

    Raises
    ------
    StoreGoneError
        When there is none.
    StoreTakenError
        When it is neither that of `before` nor of `after`: it is left alone.
    StoreDamagedError
    """
    bundle = naming.bundle_of(place)
    if bundle is not None:
        _sign(bundle, before.of_bundle, after.of_bundle)
    _sign(place, before, after)


def _sign(place: Place, before: Owner, after: Owner) -> None:
    import zarr

    if not places.exists(place):
        raise StoreGoneError(f"{place} is not there: it was moved, or its disk is away.")
    store = places.store_at(place)
    with corruption.readable(place):
        root = zarr.open_group(store, mode="r+")
        own = root.attrs.get(OWN_ATTRIBUTE)
        if not isinstance(own, Mapping):
            raise StoreTakenError(f"{place} is not an OME-Zarr that nusetd wrote: it is left alone.")
        present = Owner.read(own)
    if present not in (None, before, after):
        raise taken(place, present, after)
    if isinstance(place, str):
        withdraw(places.remote_at(place), before)
        claim(places.remote_at(place), after)
    if present != after:
        root.attrs[OWN_ATTRIBUTE] = {**own, **after.entry()}
        store.flush()
