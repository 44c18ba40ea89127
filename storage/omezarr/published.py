"""What an OME-Zarr says about its own time points, in its group's ``nusetd`` attribute.

``published`` and ``painted`` are spans of time points that are whole in ``labels/nuclei`` and ``labels/tracks``, for
those that arrive out of order. ``replacing`` lists a time point while another version of it, named in ``version``, is
put in place, and ``revision`` counts those replacements: who reads the same revision before and after reading a time
point that is not being replaced has read one version of it. Whose store it is, see `storage.omezarr.ownership`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from storage.errors import StoreTakenError
from storage.naming import OWN_ATTRIBUTE, Place
from storage.omezarr import corruption
from storage.omezarr.disks.documents import Documents
from storage.omezarr.ownership import Owner
from storage.omezarr.places import OutputStore
from storage.spans import from_spans, to_spans


def initial(voxel_source: str, image: str) -> dict[str, Any]:
    """Return the attribute of an empty store."""
    spans: dict[str, Any] = {"published": [], "painted": [], "replacing": [], "version": "", "revision": 0}
    return {**spans, "voxel_source": voxel_source, "image": image}


class PublishedState:
    """Reads and writes the attribute; another process may have changed it, so it is read anew each time."""

    def __init__(self, place: Place, store: OutputStore) -> None:
        self._place = place
        self._store = store
        self._documents = Documents(store)

    def own(self) -> dict[str, Any]:
        """Return the attribute.

        Raises
        ------
        StoreTakenError, StoreDamagedError
            When the store is not one of nusetd's, or damaged.
        """
        with corruption.readable(self._place):
            return self._checked(self._documents.attributes(""))

    def owner(self) -> Owner | None:
        """Return whose store it is; None where an earlier version, or no database, made it."""
        return Owner.read(self.own())

    def sign(self, owner: Owner) -> None:
        """Note whose store it is."""
        self._write({**self.own(), **owner.entry()})
        self._store.flush()

    def timepoints(self, name: str) -> tuple[int, ...]:
        """Return the time points that are ``published`` or ``painted``."""
        own = self.own()
        with corruption.readable(self._place, f"The list of {name} time points"):
            return from_spans(own[name])

    def stamp(self, t: int) -> int | None:
        """Return the revision, or None while time point t is being replaced."""
        own = self.own()
        return None if t in own.get("replacing", ()) else int(own.get("revision", 0))

    def add(self, name: str, t: int) -> None:
        """Note that a time point is ``published`` or ``painted``."""
        own = self.own()
        spans = to_spans([*from_spans(own[name]), t])
        if spans != own[name]:
            self._write({**own, name: spans})
        self._store.flush()

    @contextmanager
    def replacing(self, t: int, name: str) -> Iterator[None]:
        """Say so while version `name` of a time point is put in place; after a crash it stays said until it is."""
        own = self.own()
        self._write({**own, "replacing": [t], "version": name})
        self._store.flush()
        yield
        self._write({**own, "replacing": [], "version": "", "revision": int(own.get("revision", 0)) + 1})
        self._store.flush()

    def interrupted(self) -> tuple[int, str] | None:
        """Return the time point and version whose replacement was begun and has not ended, None where there is none.

        While one is under way, only who does it may ask; for anyone else who writes it is one that a crash stopped.
        """
        own = self.own()
        return (int(own["replacing"][0]), str(own.get("version", ""))) if own.get("replacing") else None

    def _write(self, own: dict[str, Any]) -> None:
        self._documents.put_attributes("", {**self._documents.attributes(""), OWN_ATTRIBUTE: own})

    def _checked(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        own = attributes.get(OWN_ATTRIBUTE)
        if own is None:
            raise StoreTakenError(f"{self._place} is not an OME-Zarr that nusetd wrote: choose another output folder.")
        if not isinstance(own, dict) or not {"published", "painted"} <= own.keys():
            raise ValueError(f"its attribute {OWN_ATTRIBUTE!r} is {own!r}"[:120])
        return own
