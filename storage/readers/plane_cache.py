"""Planes that several steps look at one after the other, and that are read and unpacked once where memory allows."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from nuset_engine.planes.lazy import LazyPlanes

if TYPE_CHECKING:
    from storage.acquisition import Acquisition

KEPT_BYTES = 128 * 2**20  # of a time point, all channels: a stack of 30 x 1024 x 1024 in two channels of 16 bits


def keep(acquisition: Acquisition, t: int) -> dict[int, LazyPlanes]:
    """Return the planes of every channel of a time point, for any thread; they share `KEPT_BYTES`."""
    room, lock = KEPT_BYTES // acquisition.size_c, Lock()
    return {c: acquisition.planes(t, c, room, lock) for c in range(acquisition.size_c)}
