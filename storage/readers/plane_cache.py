"""Planes that several steps look at one after the other, and that are read and unpacked once where memory allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from nuset_engine.arrays import PlaneYX

if TYPE_CHECKING:
    from storage.acquisition import Acquisition

KEPT_BYTES = 128 * 2**20  # of a time point, all channels: a stack of 30 x 1024 x 1024 in two channels of 16 bits


class CachedPlanes(Sequence[PlaneYX]):
    """The slices of one channel, (Y, X) each and not writable: the first that fit into `room` bytes are read once.

    The others are read whenever they are asked for, so that a stack of any size needs no more memory.
    """

    def __init__(self, planes: Sequence[PlaneYX], room: int) -> None:
        self._planes = planes
        self._room = room
        self._kept: dict[int, PlaneYX] = {}

    def __len__(self) -> int:
        return len(self._planes)

    @overload
    def __getitem__(self, z: int) -> PlaneYX: ...

    @overload
    def __getitem__(self, z: slice) -> list[PlaneYX]: ...

    def __getitem__(self, z: int | slice) -> PlaneYX | list[PlaneYX]:
        if isinstance(z, slice):
            return [self[i] for i in range(*z.indices(len(self)))]
        index = z + len(self) if z < 0 else z
        if index in self._kept:
            return self._kept[index]
        plane = self._planes[index].view()
        plane.flags.writeable = False
        if (index + 1) * plane.nbytes <= self._room:
            self._kept[index] = plane
        return plane

    def __iter__(self) -> Iterator[PlaneYX]:
        return (self[z] for z in range(len(self)))


def keep(acquisition: Acquisition, t: int) -> dict[int, CachedPlanes]:
    """Return the planes of every channel of a time point, which share `KEPT_BYTES`."""
    channels = range(acquisition.size_c)
    return {c: CachedPlanes(acquisition.planes(t, c), KEPT_BYTES // len(channels)) for c in channels}
