"""One multiscale array that grows along time, of which readers never see a blank time point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nuset_engine.arrays import StackZYX

if TYPE_CHECKING:
    import zarr
    from zarr.core.buffer import BufferPrototype

    from storage.omezarr.places import OutputStore

Halve = Callable[[StackZYX], StackZYX]

# Planes of a chunk: enough that a z-stack is few files, few enough that one slice is read fast.
CHUNK_Z = 8
CHUNK_YX = 256
PLANE_CHUNK_YX = 512
# Of shards: their largest edge, and the pixels of the block of planes that is held in memory to write them.
SHARD_YX = 2048
SHARD_BLOCK_PX = 64 * 2**20


class GrowingPyramid:
    """The levels of one image or label image, with axes ``t [c] z y x``.

    A time point is written behind the arrays' declared end, where no reader looks. Only when all of it is on the disk
    does the end move, with `ImageStore.publish`. Arrays are resized first and written afterwards by everybody else,
    which shows zeros to readers.
    """

    def __init__(self, levels: Sequence[zarr.Array[Any]], halve: Halve) -> None:
        self._levels = list(levels)
        self._halve = halve

    @property
    def length(self) -> int:
        """Number of time points that readers see."""
        return int(self._levels[0].shape[0])

    @property
    def chunk_z(self) -> int:
        """Slices that are written together."""
        full = self._levels[0]
        return int((full.shards or full.chunks)[-3])

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, [C,] Z, Y, X) of the full size, as readers see it."""
        return tuple(int(size) for size in self._levels[0].shape)

    def is_visible(self, t: int) -> bool:
        """Say whether readers see a time point, at any level."""
        return any(level.shape[0] > t for level in self._levels)

    def folders(self, t: int) -> list[str]:
        """Return the folders in the store that hold a time point and nothing else, small levels first."""
        between = "" if self._levels[0].metadata.zarr_format == 2 else "/c"
        return [f"{level.path}{between}/{t}" for level in reversed(self._levels)]

    def write(self, t: int, c: int | None, z: int, block: StackZYX, into: OutputStore | None = None) -> None:
        """Write a (Z', Y, X) block of slices from `z` on to every level, not visible yet.

        `z` is a multiple of `chunk_z`, and the block fills its chunks or reaches the last slice, so that no chunk is
        written twice. `into` is another store to write to, for a time point that is visible here.
        """
        for level in self._levels:
            wide = _beyond_end(level, t + 1, into)
            where = (t, slice(z, z + len(block))) if c is None else (t, c, slice(z, z + len(block)))
            if wide.shards:  # zarr takes no prototype for chunks in shards
                wide[where] = block
            else:
                wide.set_basic_selection(where, block, prototype=_prototype())
            block = self._halve(block)

    def read(self, t: int, c: int | None, z: slice) -> StackZYX:
        """Return the (Z', Y, X) slices of a time point at full size, whether readers see it yet or not."""
        wide = _beyond_end(self._levels[0], t + 1)
        return np.asarray(wide[(t, z) if c is None else (t, c, z)])


def chunks(axes: str, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the chunk shape for an array with these axes: never more than one time point and channel."""
    planes_only = dict(zip(axes, sizes, strict=True))["z"] == 1
    edge = PLANE_CHUNK_YX if planes_only else CHUNK_YX
    most = {"t": 1, "c": 1, "z": CHUNK_Z, "y": edge, "x": edge}
    return tuple(max(1, min(size, most[letter])) for letter, size in zip(axes, sizes, strict=True))


def shards(axes: str, sizes: Sequence[int], full_plane_px: int) -> tuple[int, ...]:
    """Return the shard shape, whole chunks each: one file for many chunks, of one time point and channel.

    A shard is written at once. So it spans as many slices as make a block of full-size planes of `SHARD_BLOCK_PX`,
    the same at every level, and at most `SHARD_YX` in y and x.
    """
    inner = dict(zip(axes, chunks(axes, sizes), strict=True))
    size = dict(zip(axes, sizes, strict=True))
    deepest = max(1, SHARD_BLOCK_PX // (full_plane_px * inner["z"]))
    count = {"z": min(-(-size["z"] // inner["z"]), deepest)}
    count |= {letter: -(-min(size[letter], SHARD_YX) // inner[letter]) for letter in "yx"}
    return tuple(inner[letter] * count.get(letter, 1) for letter in axes)


@cache
def _prototype() -> BufferPrototype:
    """What zarr holds chunks in: its own buffers, but asked in a fraction of the time whether a chunk is background.

    zarr compares each chunk with its fill value in a way that minds NaN also where there is none, which takes longer
    than to compress the chunk.
    """
    from zarr.core.buffer import BufferPrototype, cpu

    class Chunk(cpu.NDBuffer):
        """A chunk in memory."""

        def all_equal(self, other: object, equal_nan: bool = True) -> bool:
            """Say whether every value is `other`."""
            if self.dtype.kind in "iu" and other == 0:
                return not self.as_numpy_array().any()
            return super().all_equal(other, equal_nan=equal_nan)

    return BufferPrototype(buffer=cpu.Buffer, nd_buffer=Chunk)


def _beyond_end(array: zarr.Array[Any], length: int, into: OutputStore | None = None) -> zarr.Array[Any]:
    """Return the array as if it had at least `length` time points; what is stored about its shape stays as it is.

    zarr has no public way to write behind an array's end, so this makes a second view with widened metadata, whose
    chunks may also lie in another store. A test holds this one use of zarr's inner parts to what it is for.
    """
    import zarr
    from zarr.core.array import AsyncArray
    from zarr.storage import StorePath

    if array.shape[0] >= length and into is None:
        return array
    inner = array._async_array
    metadata = inner.metadata.update_shape((max(length, array.shape[0]), *array.shape[1:]))
    place = inner.store_path if into is None else StorePath(into, array.path)
    return zarr.Array(AsyncArray(metadata=metadata, store_path=place))
