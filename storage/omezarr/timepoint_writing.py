"""One time point on its way into an OME-Zarr: its image can be written while its labels are still being made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nuset_engine.arrays import LabelsZYX, PlaneYX
from storage.errors import StorageError
from storage.naming import Place
from storage.omezarr import corruption
from storage.omezarr.empty_store import LABEL_DTYPE
from storage.omezarr.growing import GrowingPyramid
from storage.omezarr.places import OutputStore


class TimepointWriting:
    """What `ImageStore.timepoint` begins: first the image, which another thread may write, then labels, and the end.

    Parameters
    ----------
    place : Place
    t : int
    image : per channel a sequence of (Y, X) planes, or None
    pyramids : sequence of GrowingPyramid
        That of the image, where there is one to write, and that of the labels.
    into : OutputStore
        Where they are written to.
    end : callable
        Calls the time point whole, durably.
    """

    def __init__(
        self,
        place: Place,
        t: int,
        image: Sequence[Sequence[PlaneYX]] | None,
        pyramids: Sequence[GrowingPyramid],
        into: OutputStore,
        end: Callable[[], None],
    ) -> None:
        self._place = place
        self._t = t
        self._image = image
        self._pyramids = pyramids
        self._into = into
        self._end = end

    @property
    def is_new(self) -> bool:
        """True while nothing is written of it."""
        return not any(self._into.holds(folder) for one in self._pyramids for folder in one.folders(self._t))

    def refuse(self, labels: LabelsZYX) -> None:
        """See that labels have the shape of the store."""
        wanted = self._pyramids[-1].shape[1:]
        if labels.shape != wanted:
            raise StorageError(f"Labels of shape {labels.shape} do not fit {self._place}: it wants {wanted}.")

    def write_image(self) -> None:
        """Write the image and bring it to the disk, so that labels alone are left for the end.

        Raises
        ------
        StorageError
            When planes do not fit the store, or the disk refuses.
        """
        if self._image is None:
            return
        pyramid = self._pyramids[0]
        with corruption.writable(self._place):
            for c, planes in enumerate(self._image):
                for z in range(0, len(planes), pyramid.chunk_z):
                    block = np.stack([planes[i] for i in range(z, min(z + pyramid.chunk_z, len(planes)))])
                    if block.shape[1:] != pyramid.shape[-2:]:
                        raise StorageError(f"Planes of shape {block.shape[1:]} do not fit {self._place}.")
                    pyramid.write(self._t, c, z, block, self._into)
            self._into.flush()

    def end(self, labels: LabelsZYX) -> None:
        """Write the labels (Z, Y, X), 0 background, and call the time point whole; its image is written by now.

        Raises
        ------
        StorageError
            When they do not fit the store, or the disk refuses.
        """
        self.refuse(labels)
        nuclei = self._pyramids[-1]
        with corruption.writable(self._place):
            for z in range(0, len(labels), nuclei.chunk_z):
                block = np.asarray(labels[z : z + nuclei.chunk_z], dtype=LABEL_DTYPE)
                nuclei.write(self._t, None, z, block, self._into)
            self._end()
