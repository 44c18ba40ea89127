"""Whether the folders that results go to are those that they were: on a bare mount point nothing is to be made."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from storage import naming
from storage.connection.filesystems import Mount
from storage.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow


class OutputMounts:
    """Remembers on which mount each output folder lay when results were first written there.

    Parameters
    ----------
    catalog : Catalog
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[Path, Mount] = {}

    def learn(self, row: AcquisitionRow) -> None:
        """Look up on which mount the output of an acquisition lay; where nobody knows, it is the present one."""
        folder = _folder(row)
        if folder is None or folder in self._known:
            return
        with suppress(DatabaseUnavailableError):  # with the next one, then
            known = self._catalog.stores.mount_of(folder)
            present = Mount.of(folder)
            if known is None and present is not None:
                self._catalog.stores.note_mount(folder, present)
                known = present
            if known is not None:
                self._known[folder] = known

    def away(self, row: AcquisitionRow) -> str | None:
        """Return why the output of an acquisition is not there, None while it is."""
        folder = _folder(row)
        known = None if folder is None else self._known.get(folder)
        if folder is None or known is None:
            return None
        present = Mount.of(folder)
        other = None if present is None else known.difference(present)
        return None if other is None else f"The output folder {folder} is away: {other}."


def _folder(row: AcquisitionRow) -> Path | None:
    place = naming.as_place(str(row.zarr_path))
    outermost = naming.parent(naming.bundle_of(place) or place)
    return outermost if isinstance(outermost, Path) else None
