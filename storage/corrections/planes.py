"""The planes of a time point as they are measured: from the store's own copy, else from the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from nuset_engine.arrays import PlaneYX, StackZYX
from nuset_engine.measure import PlaneSequence
from storage import readers
from storage.omezarr.growing import CHUNK_Z
from storage.omezarr.image_store import ImageStore
from storage.schema.rows import AcquisitionRow


class StoredPlanes:
    """The planes of one channel of one time point in a store; those of one chunk are read together."""

    def __init__(self, store: ImageStore, t: int, c: int) -> None:
        self._store, self._t, self._c = store, t, c
        self._length = store.shape[2]
        self._first = -CHUNK_Z
        self._chunk: StackZYX | None = None

    def __len__(self) -> int:
        """Number of planes."""
        return self._length

    def __getitem__(self, z: int, /) -> PlaneYX:
        """Return a plane (Y, X)."""
        if self._chunk is None or not self._first <= z < self._first + len(self._chunk):
            self._first = z - z % CHUNK_Z
            until = min(self._first + CHUNK_Z, self._length)
            self._chunk = self._store.image(self._t, self._c, slice(self._first, until))
        plane: PlaneYX = self._chunk[z - self._first]
        return plane


@contextmanager
def planes_of(row: AcquisitionRow, store: ImageStore, t: int) -> Iterator[Mapping[int, PlaneSequence]]:
    """Give the planes of every channel of a time point.

    Raises
    ------
    StorageError
        When they can be read from neither.
    """
    if store.image_kind == "copy":
        yield {c: StoredPlanes(store, t, c) for c in range(store.shape[1])}
        return
    acquisition = readers.reopen(row, t)
    try:
        yield {c: acquisition.planes(t, c) for c in range(acquisition.size_c)}
    finally:
        readers.let_go(acquisition)
