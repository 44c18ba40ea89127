"""Images and labels for the page: single planes and projections, from the level that fits the window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from daemon.page.live.freshness.until_changed import UntilChanged
from daemon.page.live.slabs import Slab, Slabs
from nuset_engine.arrays import LabelsYX, PlaneYX
from storage.errors import StorageError
from storage.results import AcquisitionResults, Results

if TYPE_CHECKING:
    import zarr

View = Literal["slice", "top", "side"]

_KEPT = 64
_LARGEST_STACK = 16_000_000  # voxels that a projection reads; of larger stacks a smaller level is taken
_LARGEST_SLAB = 64 * 2**20  # bytes; of larger chunks single planes are kept


@dataclass(frozen=True)
class Wanted:
    """Which plane.

    Attributes
    ----------
    t : int
    z : int
        Only of slices.
    view : str
        A ``slice``, or the maximum along z (``top``) or along y (``side``).
    width : int
        Of the window, in pixels; larger planes are taken from a smaller level.
    stamp : str
        What it was made of, see `daemon.page.live.freshness.marks`: nothing that was read for another one is taken.
    """

    t: int
    z: int
    view: View
    width: int
    stamp: str = ""


class Arrays:
    """The arrays of a database's stores, opened once until something changes.

    Parameters
    ----------
    database : str
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._found = UntilChanged[int, AcquisitionResults](_KEPT)
        self._opened = UntilChanged[tuple[int, str, int], "zarr.Array[Any]"](_KEPT)
        self._slabs = Slabs()

    def forget(self, mark: object) -> None:
        """What was opened may be old, if this mark is another one than the last."""
        self._found.forget(mark)
        self._opened.forget(mark)

    def acquisition(self, number: int) -> AcquisitionResults:
        """The acquisition with this id.

        Raises
        ------
        StorageError
        """
        return self._found.get(number, lambda: Results(self._database)[number])

    def image(self, number: int, channel: int, wanted: Wanted) -> PlaneYX:
        """Grey values (Y, X), or (Z, X) from the side.

        Raises
        ------
        StorageError
            When there is no such plane.
        """
        level, array = self._fitting(number, "image", wanted)
        if not (wanted.t < array.shape[0] and channel < array.shape[1]):
            raise StorageError(f"There is no time point {wanted.t}, or channel {channel}, in the images yet.")
        return self._view((number, "image", level), array, (wanted.t, channel), wanted)

    def labels(self, number: int, wanted: Wanted) -> LabelsYX:
        """Labels (Y, X), or (Z, X) from the side; of a projection the largest label.

        Raises
        ------
        StorageError
            When its labels are not published yet.
        """
        level, array = self._fitting(number, "labels", wanted)
        if wanted.t >= array.shape[0]:
            raise StorageError(f"The labels of time point {wanted.t} are not published yet.")
        return self._view((number, "labels", level), array, (wanted.t,), wanted)

    def _fitting(self, number: int, kind: str, wanted: Wanted) -> tuple[int, zarr.Array[Any]]:
        """The largest level that is not much wider than the window, nor too large to be projected."""
        level, array = 0, self._level(number, kind, 0)
        while _too_large(array, wanted):
            try:
                array = self._level(number, kind, level + 1)
            except StorageError:
                break
            level += 1
        return level, array

    def _level(self, number: int, kind: str, level: int) -> zarr.Array[Any]:
        def open_it() -> zarr.Array[Any]:
            found = self.acquisition(number)
            return found.stored_image(level) if kind == "image" else found.stored_labels(level)

        return self._opened.get((number, kind, level), open_it)

    def _view(
        self, key: tuple[int, str, int], array: zarr.Array[Any], stack: tuple[int, ...], wanted: Wanted
    ) -> PlaneYX:
        """A plane of a stack (Z, Y, X), which lies at these indices of the array."""
        if wanted.view != "slice":
            whole = np.asarray(array[stack])
            return np.asarray(whole.max(axis=0 if wanted.view == "top" else 1))
        depth = array.shape[-3]
        if not 0 <= wanted.z < depth:
            raise StorageError(f"There is no slice {wanted.z}: there are {depth}.")
        thick = array.chunks[-3]
        if thick * array.shape[-2] * array.shape[-1] * array.dtype.itemsize > _LARGEST_SLAB:
            thick = 1
        first = wanted.z - wanted.z % thick
        place: tuple[int | slice, ...] = (*stack, slice(first, min(first + thick, depth)))
        slab = self._slabs.get((*key, *stack, first, wanted.stamp), lambda: _small(np.asarray(array[place])))
        return np.asarray(slab[wanted.z - first])


def _small(values: Slab) -> Slab:
    """The same values in half the room, where labels are few enough."""
    few = values.dtype == np.uint32 and values.max(initial=0) <= np.iinfo(np.uint16).max
    return values.astype(np.uint16) if few else values


def _too_large(array: zarr.Array[Any], wanted: Wanted) -> bool:
    depth, height, width = array.shape[-3:]
    if wanted.view != "slice" and depth * height * width > _LARGEST_STACK:
        return True
    return bool(max(height, width) > 1.5 * wanted.width)


def warm_up() -> None:
    """Load what the first picture needs, before somebody waits for it."""
    import zarr  # noqa: F401
