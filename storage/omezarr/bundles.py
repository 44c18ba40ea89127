"""Several positions of one experiment in one OME-Zarr: the layout of bioformats2raw, which viewers list.

The group of the bundle holds one image per position, numbered, and ``OME`` says which there are: in its ``series``, and
in ``METADATA.ome.xml``, which is where napari and Bio-Formats look.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage import naming
from storage.acquisition import Acquisition
from storage.errors import StorageError, StoreTakenError
from storage.naming import OWN_ATTRIBUTE, Place
from storage.omezarr import corruption, ngff, places, position_xml
from storage.omezarr.disks.exchange import appear
from storage.omezarr.ownership import Owner, claim, taken

if TYPE_CHECKING:
    import zarr

LAYOUT = 3  # the only version of the layout that the specification knows
LISTED = "OME"
METADATA = f"{LISTED}/METADATA.ome.xml"


def ensure(bundle: Place, version: ngff.Version, owner: Owner | None = None, maker: str = "") -> None:
    """Make the bundle if it is not there; several may, in a folder, each a `maker` of its own name.

    Raises
    ------
    StoreTakenError
        When it is another database's, or was made by another program.
    StorageError
        When something else lies there, or a bundle of another version of OME-Zarr.
    """
    import zarr

    if isinstance(bundle, str) and owner is not None:
        claim(places.remote_at(bundle), owner)
    if not places.exists(bundle):
        _make(bundle, version, owner, maker)
    store = places.store_at(bundle)
    with corruption.readable(bundle):
        root = zarr.open_group(store, mode="r")
        own = root.attrs.get(OWN_ATTRIBUTE)
        if not (isinstance(own, Mapping) and own.get("bundle")):
            raise StoreTakenError(f"{bundle} is not a bundle that nusetd wrote: choose another output folder.")
        present = Owner.read(own)
        if owner is not None and present not in (None, owner):
            raise taken(bundle, present, owner)
        if owner is not None and present is None:  # an earlier version made it
            zarr.open_group(store, mode="r+").attrs[OWN_ATTRIBUTE] = {**own, **owner.entry()}
        if root.metadata.zarr_format != ngff.ZARR_FORMAT[version]:
            raise StorageError(f"{bundle} is not of OME-Zarr {version}: choose another output folder, or its version.")
        positions(bundle)


def _make(bundle: Place, version: ngff.Version, owner: Owner | None, maker: str) -> None:
    """Make an empty one, in a folder so that it appears whole, unless one is there by then."""
    import zarr

    made_at = naming.unfinished(bundle, "" if owner is None else owner.database, maker)
    place = made_at if isinstance(bundle, Path) else bundle
    store = places.store_at(place)
    root = zarr.open_group(store, mode="a", zarr_format=ngff.ZARR_FORMAT[version])
    listed = root.create_group(LISTED, overwrite=True)
    listed.attrs.update(ngff.group_attributes(version, {"series": []}))
    own = {"bundle": True, **({} if owner is None else owner.entry())}
    root.attrs.update({**ngff.group_attributes(version, {"bioformats2raw.layout": LAYOUT}), OWN_ATTRIBUTE: own})
    store.flush()
    if isinstance(bundle, Path):
        with suppress(StoreTakenError):  # whose it is is looked at next
            appear(Path(place), bundle)


def enter(bundle: Place, name: str, acquisition: Acquisition) -> None:
    """Let viewers list a position."""
    import zarr

    store = places.store_at(bundle)
    store.put_text(METADATA, position_xml.with_position(store.text(METADATA), int(name), acquisition))
    store.flush()
    listed = zarr.open_group(places.store_at(bundle), path=LISTED, mode="r+")
    names = [*positions(bundle)]
    if name in names:
        return
    names = sorted([*names, name], key=lambda one: (len(one), one))
    _list(listed, names)


def leave(bundle: Place, name: str) -> bool:
    """Let viewers list a position no more; False when it was the last one."""
    import zarr

    names = [one for one in positions(bundle) if one != name]
    store = places.store_at(bundle)
    text = store.text(METADATA)
    if text is not None:
        store.put_text(METADATA, position_xml.without_position(text, int(name)))
        store.flush()
    _list(zarr.open_group(places.store_at(bundle), path=LISTED, mode="r+"), names)
    return bool(names)


def _list(listed: zarr.Group, names: list[str]) -> None:
    attributes: dict[str, Any] = dict(listed.attrs)
    if "ome" in attributes:
        listed.attrs["ome"] = {**attributes["ome"], "series": names}
    else:
        listed.attrs["series"] = names


def positions(bundle: Place) -> list[str]:
    """Return the names of the images that viewers list."""
    import zarr

    with corruption.readable(bundle, "The list of positions"):
        listed = zarr.open_group(places.store_at(bundle), path=LISTED, mode="r")
        return [str(name) for name in ngff.ome(dict(listed.attrs))["series"]]
