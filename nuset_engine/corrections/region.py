"""The voxels of one nucleus, small enough to be kept with what a person said of it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import LabelsZYX, MaskZYX, Pixels
from nuset_engine.errors import EngineError

_HEAD = struct.Struct("<6I")  # corner and shape


@dataclass(frozen=True, eq=False)
class NucleusRegion:
    """A mask within a box.

    Attributes
    ----------
    corner : (z, y, x)
        Where the box begins in the stack.
    mask : (Z, Y, X) bool
        The voxels within the box; at least one.
    """

    corner: tuple[int, int, int]
    mask: MaskZYX

    @classmethod
    def of_mask(cls, mask: Pixels, corner: tuple[int, int, int] = (0, 0, 0)) -> NucleusRegion | None:
        """Return what is not 0 in a (Z, Y, X) array that begins at `corner`, in the smallest box; None for nothing."""
        sides = [np.flatnonzero(mask.any(axis=other)) for other in ((1, 2), (0, 2), (0, 1))]
        if not len(sides[0]):
            return None
        low, high = [int(side[0]) for side in sides], [int(side[-1]) + 1 for side in sides]
        inside = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] != 0
        z, y, x = (a + b for a, b in zip(low, corner, strict=True))
        return cls((z, y, x), inside)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where it is in the stack."""
        z, y, x = (slice(low, low + size) for low, size in zip(self.corner, self.mask.shape, strict=True))
        return z, y, x

    @property
    def size(self) -> int:
        """Its number of voxels."""
        return int(np.count_nonzero(self.mask))

    @property
    def centre(self) -> tuple[float, float, float]:
        """The mean of its voxels, in voxels."""
        z, y, x = (float(at.mean()) + low for at, low in zip(np.nonzero(self.mask), self.corner, strict=True))
        return z, y, x

    @property
    def pieces(self) -> int:
        """The number of its parts that do not touch each other, not even with a corner."""
        from scipy import ndimage  # a worker starts without it

        return int(ndimage.label(self.mask, np.ones((3, 3, 3)))[1])

    def lies_in(self, shape: tuple[int, ...]) -> bool:
        """Say whether all of it is inside a stack of this shape."""
        return all(part.stop <= size for part, size in zip(self.box, shape, strict=True))

    def overlaps(self, labels: LabelsZYX) -> dict[int, int]:
        """Return, of the (Z, Y, X) labels of a whole stack, how many of its voxels each nucleus has."""
        if not self.lies_in(labels.shape):
            return {}
        found, count = np.unique(labels[self.box][self.mask], return_counts=True)
        return {int(label): int(n) for label, n in zip(found, count, strict=True) if label}

    def pack(self) -> bytes:
        """Return it as bytes."""
        head = _HEAD.pack(*self.corner, *self.mask.shape)
        return head + zlib.compress(np.packbits(self.mask).tobytes())

    @classmethod
    def unpack(cls, data: bytes) -> NucleusRegion:
        """Return it from the bytes of `pack`.

        Raises
        ------
        EngineError
            When they are something else.
        """
        try:
            numbers = _HEAD.unpack(data[: _HEAD.size])
            shape = numbers[3:]
            bits = np.frombuffer(zlib.decompress(data[_HEAD.size :]), np.uint8)
            mask = np.unpackbits(bits, count=int(np.prod(shape))).astype(bool).reshape(shape)
        except (struct.error, zlib.error, ValueError) as error:
            raise EngineError(f"What is kept of a nucleus cannot be read ({error}): its correction is lost.") from error
        return cls(numbers[:3], mask)
