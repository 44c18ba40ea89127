"""Planes that are read once, as many as fit."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cases.stored import acquisition, pixels

from nuset_engine.planes.lazy import LazyPlanes
from storage.readers import plane_cache
from storage.readers.plane_cache import keep

PLANES = pixels(1, 1, 6, 8, 9)[0, 0]


class Counted(list[np.ndarray]):
    """Planes that count how often they are read."""

    def __init__(self, planes: np.ndarray) -> None:
        super().__init__(planes)
        self.reads: list[int] = []

    def __getitem__(self, z):  # type: ignore[no-untyped-def,override]
        self.reads.append(z)
        return super().__getitem__(z)


def test_what_fits_is_read_once_and_the_rest_each_time() -> None:
    planes = Counted(PLANES)
    found = LazyPlanes(planes.__getitem__, 6, 4 * PLANES[0].nbytes + 1)
    for _ in range(3):
        np.testing.assert_array_equal(np.stack(list(found)), PLANES)
    assert sorted(planes.reads) == [0, 1, 2, 3, *[4] * 3, *[5] * 3]
    np.testing.assert_array_equal(np.stack(found[1:6:2]), PLANES[1:6:2])
    np.testing.assert_array_equal(found[-1], PLANES[-1])
    with pytest.raises(IndexError):
        found[len(PLANES)]


def test_nobody_changes_what_others_will_see() -> None:
    plane = LazyPlanes(list(PLANES.copy()).__getitem__, 6, PLANES.nbytes)[2]
    with pytest.raises(ValueError, match="read-only"):
        plane[0, 0] = 1


def test_channels_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    image = pixels(1, 2, 4, 8, 9)
    monkeypatch.setattr(plane_cache, "KEPT_BYTES", 4 * image[0, 0, 0].nbytes)
    channels = keep(acquisition(image), 0)
    for c, planes in channels.items():
        np.testing.assert_array_equal(np.stack(list(planes)), image[0, c])
        assert [planes[z] is planes[z] for z in range(4)] == [True, True, False, False]


def test_threads_that_ask_for_one_plane_have_it_read_once() -> None:
    """They share one open file, which is read by one of them at a time."""
    reading, most, read = list[int](), list[int](), list[int]()

    def make(z: int) -> np.ndarray:
        reading.append(z)
        most.append(len(reading))
        time.sleep(0.002)
        reading.remove(z)
        read.append(z)
        return PLANES[z]

    found = LazyPlanes(make, 6, PLANES.nbytes, lock=threading.Lock())
    with ThreadPoolExecutor(4) as pool:
        stacks = list(pool.map(lambda _: np.stack(list(found)), range(4)))
    assert all((stack == PLANES).all() for stack in stacks)
    assert (sorted(read), max(most)) == ([0, 1, 2, 3, 4, 5], 1)
