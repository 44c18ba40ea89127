"""Chunks are unpacked once for all of their planes, and forgotten when there are too many; PNG as others read it."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from daemon.page.live.quick_png import quick_png
from daemon.page.live.slabs import Slab, Slabs


def megabyte(value: int) -> Slab:
    """A slab of this many bytes."""
    return np.full(2**20, value, np.uint8)


def test_a_slab_is_read_once_also_by_two_at_once() -> None:
    slabs, reading, read = Slabs(), threading.Event(), list[int]()

    def slowly() -> Slab:
        read.append(1)
        assert reading.wait(10)
        return megabyte(7)

    found = list[Slab]()
    threads = [threading.Thread(target=lambda: found.append(slabs.get("a", slowly))) for _ in range(3)]
    for thread in threads:
        thread.start()
    reading.set()
    for thread in threads:
        thread.join()
    assert (len(read), [one[0] for one in found]) == (1, [7, 7, 7])
    assert slabs.get("b", lambda: megabyte(8))[0] == 8


def test_those_used_last_are_kept() -> None:
    slabs, read = Slabs(most_bytes=2 * 2**20), list[str]()

    def get(key: str) -> None:
        slabs.get(key, lambda: (read.append(key), megabyte(1))[1])

    for key in "abacab":
        get(key)
    assert read == ["a", "b", "c", "b"]
    slabs.clear()
    get("a")
    assert read[-1] == "a"


def test_what_cannot_be_read_is_tried_again() -> None:
    slabs = Slabs()

    def broken() -> Slab:
        raise OSError("not there")

    for _ in range(2):
        with pytest.raises(OSError, match="not there"):
            slabs.get("a", broken)
    assert slabs.get("a", lambda: megabyte(3))[0] == 3


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (64, 300), (3, 2, 3), (40, 31, 3)])
def test_a_picture_comes_back_as_it_was(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for picture in (rng.integers(0, 256, shape, np.uint8), np.zeros(shape, np.uint8)):
        with Image.open(io.BytesIO(quick_png(picture))) as image:
            image.load()
            np.testing.assert_array_equal(np.asarray(image), picture)
