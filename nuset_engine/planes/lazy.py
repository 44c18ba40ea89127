"""The slices of a stack, each made when it is asked for: read from a file, mixed from colours, picked from others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import overload

from nuset_engine.arrays import PlaneYX


class LazyPlanes(Sequence[PlaneYX]):
    """Planes (Y, X); ``planes[z]`` makes one, a slice object a list of them.

    Parameters
    ----------
    make : callable
        Given z, from 0 to `count` - 1, gives the plane.
    count : int
        Number of slices.
    room : int
        Bytes: as many of the first planes as fit are made once and kept, not writable. The others are made whenever
        they are asked for, so that a stack of any size needs no more memory.
    seen : callable, optional
        Told of z and the plane whenever one is given out.
    lock : lock, optional
        Held while one is made, where several threads ask for planes from one file.
    """

    def __init__(
        self,
        make: Callable[[int], PlaneYX],
        count: int,
        room: int = 0,
        seen: Callable[[int, PlaneYX], None] | None = None,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self._make = make
        self._count = count
        self._room = room
        self._seen = seen
        self._lock = lock or nullcontext()
        self._kept: dict[int, PlaneYX] = {}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, z: int) -> PlaneYX: ...

    @overload
    def __getitem__(self, z: slice) -> list[PlaneYX]: ...

    def __getitem__(self, z: int | slice) -> PlaneYX | list[PlaneYX]:
        if isinstance(z, slice):
            return [self[i] for i in range(*z.indices(self._count))]
        index = z + self._count if z < 0 else z
        if not 0 <= index < self._count:
            raise IndexError(f"slice {z} is outside of 0..{self._count - 1}")
        plane = self._kept.get(index)
        if plane is None:
            with self._lock:
                kept = self._kept.get(index)  # somebody else may have asked for it just now
                plane = self._made(index) if kept is None else kept
        if self._seen is not None:
            self._seen(index, plane)
        return plane

    def __iter__(self) -> Iterator[PlaneYX]:
        return (self[z] for z in range(self._count))

    def _made(self, index: int) -> PlaneYX:
        plane = self._make(index)
        if not self._room:
            return plane
        plane = plane.view()
        plane.flags.writeable = False
        if (index + 1) * plane.nbytes <= self._room:
            self._kept[index] = plane
        return plane
