"""One multiscale array that grows along time, of which readers never see a blank time point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Halve = Callable[[np.ndarray], np.ndarray]

# Planes of a chunk: enough that a z-stack is few files, few enough that one slice is read fast.
CHUNK_Z = 8
CHUNK_YX = 256
PLANE_CHUNK_YX = 512


class GrowingPyramid:
    """The levels of one image or label image, with axes ``t [c] z y x``.

    A time point is written behind the arrays' declared end, where no reader looks. Only when all of it is on the disk
    does the end move. Arrays are resized first and written afterwards by everybody else, which shows zeros to readers.
    """

    def __init__(self, levels: Sequence[Any], halve: Halve) -> None:
        self._levels = list(levels)
        self._halve = halve

    @property
    def length(self) -> int:
        """Number of time points that readers see."""
        return int(self._levels[0].shape[0])

    @property
    def chunk_z(self) -> int:
        """Slices that are written together."""
        return int(self._levels[0].chunks[-3])

    @property
    def plane_shape(self) -> tuple[int, int]:
        """(Y, X) of a full-size plane."""
        return (int(self._levels[0].shape[-2]), int(self._levels[0].shape[-1]))

    def write(self, t: int, c: int | None, z: int, block: np.ndarray) -> None:
        """Write a (Z', Y, X) block of slices from `z` on to every level, not visible yet.

        `z` is a multiple of `chunk_z`, and the block fills its chunks or reaches the last slice, so that no chunk is
        written twice.
        """
        for level in self._levels:
            wide = _beyond_end(level, t + 1)
            where = (t, slice(z, z + len(block))) if c is None else (t, c, slice(z, z + len(block)))
            wide[where] = block
            block = self._halve(block)

    def read(self, t: int, c: int | None, z: slice) -> np.ndarray:
        """Return the (Z', Y, X) slices of a time point at full size, whether readers see it yet or not."""
        wide = _beyond_end(self._levels[0], t + 1)
        return np.asarray(wide[(t, z) if c is None else (t, c, z)])

    def show(self, t: int) -> None:
        """Move the end behind time point t; the full-size level last, since its length is what readers go by."""
        for level in reversed(self._levels):
            if level.shape[0] <= t:
                level.resize((t + 1, *level.shape[1:]))


def chunks(axes: str, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the chunk shape for an array with these axes: never more than one time point and channel."""
    planes_only = dict(zip(axes, sizes, strict=True))["z"] == 1
    edge = PLANE_CHUNK_YX if planes_only else CHUNK_YX
    most = {"t": 1, "c": 1, "z": CHUNK_Z, "y": edge, "x": edge}
    return tuple(max(1, min(size, most[letter])) for letter, size in zip(axes, sizes, strict=True))


def _beyond_end(array: Any, length: int) -> Any:
    """Return the array as if it had at least `length` time points; what is stored about its shape stays as it is.

    zarr has no public way to write behind an array's end, so this makes a second view with widened metadata. A test
    holds this one use of zarr's inner parts to what it is for.
    """
    import zarr
    from zarr.core.array import AsyncArray

    if array.shape[0] >= length:
        return array
    inner = array._async_array
    metadata = inner.metadata.update_shape((length, *array.shape[1:]))
    return zarr.Array(AsyncArray(metadata=metadata, store_path=inner.store_path))
