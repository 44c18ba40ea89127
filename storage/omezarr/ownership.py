"""Whose an OME-Zarr is: which database and acquisition write to it, and how a place in a shared output is claimed.

Generic names (``img``, ``Series001``) are the norm, and several services may have one output. So a store carries its
owner in its group's ``nusetd`` attribute, as ``owner``, and whoever finds another one's goes elsewhere. In a folder the
claim is the rename that makes a store appear, which gives way to none that is there. An object store has no such
step: there each puts an object of its own name under the store's, looks who else did, and withdraws where anybody did.
Of two that come at once one may win, or none, but never both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from storage.errors import StoreTakenError
from storage.naming import Place

if TYPE_CHECKING:
    from storage.omezarr.disks.remote import RemoteStore

CLAIMS = "nusetd.claims"
"""Under which name in an object store those who want a place say so."""

_ENTRY = "owner"


@dataclass(frozen=True)
class Owner:
    """Who writes to a store.

    Attributes
    ----------
    database : str
        Identity of the database, made with it and kept as long as it lives (`Catalog.identity`).
    acquisition : int
        Its row there; 0 for a bundle, which all acquisitions of one experiment share.
    store : str
        Of this one store, given when its place was chosen (`acquisitions.store_id`): one made anew has another.
    """

    database: str
    acquisition: int = 0
    store: str = ""

    @classmethod
    def read(cls, own: Mapping[str, Any]) -> Owner | None:
        """Return the owner that a store's attribute names, None where it names none."""
        said = own.get(_ENTRY)
        if said is None:
            return None
        return cls(str(said["database"]), int(said["acquisition"]), str(said["store"]))

    def entry(self) -> dict[str, Any]:
        """Return what the attribute says."""
        return {_ENTRY: asdict(self)}

    @property
    def of_bundle(self) -> Owner:
        """The owner of the bundle in which this store is a position."""
        return Owner(self.database)


def taken(place: Place, present: Owner | None, wanted: Owner) -> StoreTakenError:
    """Return the error that says whose a place is."""
    if present is None:
        whose = "of an earlier version or another program"
    elif present.database == wanted.database:
        whose = f"of acquisition {present.acquisition} of this database"
    else:
        whose = f"of another database ({present.database[:12]})"
    return StoreTakenError(f"At {place} lies an OME-Zarr {whose}: it is left alone, choose another output or name.")


def claim(store: RemoteStore, owner: Owner) -> None:
    """Claim a place in an object store; doing it again changes nothing.

    Raises
    ------
    StoreTakenError
        When somebody else claims it, or did.
    """
    store.put_text(_key(owner), json.dumps(asdict(owner)))
    others = sorted(name for name in store.under(CLAIMS) if f"{CLAIMS}/{name}" != _key(owner))
    if others:
        withdraw(store, owner)
        raise StoreTakenError(f"{store.url} is claimed by another database ({others[0][:12]}): it is left alone.")


def withdraw(store: RemoteStore, owner: Owner) -> None:
    """Take a claim back."""
    with suppress(FileNotFoundError):
        store.unmark(_key(owner))


def _key(owner: Owner) -> str:
    return f"{CLAIMS}/{owner.database}-{owner.acquisition}-{owner.store or 'bundle'}"
