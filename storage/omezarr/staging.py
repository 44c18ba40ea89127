"""New versions of what readers already see: written elsewhere, and put in place when they are whole.

Only a time point that is visible needs this: a new one is written behind the arrays' end, where no reader looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from storage import naming
from storage.naming import Place
from storage.omezarr import places

WHOLE = "whole"  # the mark of a version that waits to be shown


class Staging:
    """The waiting versions of one OME-Zarr, each named by its kind and time point."""

    def __init__(self, place: Place) -> None:
        self._place = naming.staging(place)

    def begin(self, name: str) -> places.OutputStore:
        """Return an empty store for a version; one that waited under this name is dropped."""
        store = self._at(name)
        store.remove()
        return store

    def end(self, name: str, folders: Sequence[str]) -> None:
        """Call a version whole, durably; it replaces `folders`, and what is not written in them is background."""
        self._at(name).seal(folders, WHOLE)

    def waits(self, name: str) -> bool:
        """Say whether a whole version waits."""
        return self._at(name).has(WHOLE)

    def show(self, name: str, into: places.OutputStore) -> None:
        """Put a waiting version into its place; doing it again after a crash completes it."""
        store = self._at(name)
        # Both are of one kind, since a version waits beside its place.
        into.take_over((store.text(WHOLE) or "").splitlines(), store)  # type: ignore[arg-type]
        store.remove()
        if isinstance(self._place, Path):
            with suppress(OSError):  # others wait
                self._place.rmdir()
                if self._place.suffix != naming.STAGING_SUFFIX:  # of a bundle
                    self._place.parent.rmdir()

    def _at(self, name: str) -> places.OutputStore:
        return places.store_at(naming.inside(self._place, name))
