"""What an exporter reads from."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from storage.errors import StorageError
from storage.omezarr.image_store import ImageStore
from storage.schema.rows import AcquisitionRow


@dataclass(frozen=True)
class Snapshot:
    """What an exporter reads from: one acquisition as it was committed at one moment."""

    connection: Connection
    acquisition: AcquisitionRow

    def images(self) -> ImageStore:
        """Return the acquisition's OME-Zarr.

        Raises
        ------
        StorageError
            When it is gone.
        """
        if self.acquisition.zarr_path is None:
            raise StorageError(f"{self.acquisition.name} has no labels: it was set aside ({self.acquisition.error}).")
        return ImageStore.open(self.acquisition.zarr_path)
