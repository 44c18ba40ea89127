"""Files beyond 4 GiB, and more than 2^31 pixels in small planes: each plane is where it was put, and read alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import ome_file
from cases.large_tiff import big_pages, imagej_in_one_run
from cases.stored import row_of

from storage.acquisition import Acquisition
from storage.readers import open_acquisitions, probe, reopen


@pytest.fixture(autouse=True)
def holes(tmp_path: Path) -> None:
    """Only where a disk has holes in files."""
    path = tmp_path / "hole"
    with path.open("wb") as file:
        file.truncate(1 << 24)
    if path.stat().st_blocks * 512 > 1 << 20:
        pytest.skip("the disk writes what is empty")


def assert_planes(image: Acquisition, marked: dict[int, int], letters: str) -> None:
    """The marked planes, by their number with these letters slowest first, begin with their values."""
    sizes = {"T": image.size_t, "C": image.size_c, "Z": image.size_z}
    with image, reopen(row_of(image), image.size_t - 1) as again:
        for number, value in marked.items():
            index, where = number, {}
            for letter in reversed(letters):
                index, where[letter] = divmod(index, sizes[letter])
            plane = image.plane(where["T"], where["C"], where["Z"])
            assert (plane[0] == value).all()
            assert not plane[1:].any()
        assert again.fingerprint(image.size_t - 1) == image.fingerprint(image.size_t - 1)


@pytest.mark.parametrize("sizes", [(300, 10, 1, 1024, 1024), (41, 100, 2, 512, 512), (2100, 2, 2, 512, 512)])
def test_an_imagej_hyperstack_beyond_4_gib(tmp_path: Path, sizes: tuple[int, int, int, int, int]) -> None:
    count = sizes[0] * sizes[1] * sizes[2]
    marked = {0: 1, 1: 2, count // 2: 3, count - 2: 4, count - 1: 5}
    path = imagej_in_one_run(tmp_path / "a.tif", sizes, marked)
    assert path.stat().st_size > 1 << 32
    assert np.prod(sizes, dtype=np.int64) > 1 << 31
    assert probe(path).state == "complete"
    (found,) = open_acquisitions(path)
    assert (found.size_t, found.size_z, found.size_c, found.size_y, found.size_x) == sizes
    assert (found.voxel_size_um, found.frame_interval_s) == ((2.0, 0.5, 0.25), 60.0)
    assert_planes(found, marked, "TZC")


def test_an_imagej_hyperstack_beyond_4_gib_that_breaks_off(tmp_path: Path) -> None:
    path = imagej_in_one_run(tmp_path / "a.tif", (300, 10, 1, 1024, 1024), {}, cut=5)
    verdict = probe(path)
    assert verdict.state == "incomplete"
    assert "breaks off after 2999 of 3000 planes" in verdict.reason


def test_a_bigtiff_beyond_4_gib(tmp_path: Path) -> None:
    array = np.broadcast_to(np.uint16(0), (9, 1, 250, 1024, 1024))
    text = ome_file.document(array, "XYZCT", "<TiffData/>")
    marked = {0: 1, 1: 2, 1100: 3, 2249: 4}
    path = big_pages(tmp_path / "a.ome.tif", text, 2250, 1024, 1024, marked)
    assert path.stat().st_size > 1 << 32
    assert probe(path).state == "complete"
    (found,) = open_acquisitions(path)
    assert (found.size_t, found.size_z) == (9, 250)
    assert_planes(found, marked, "TCZ")


def test_a_bigtiff_of_another_program_beyond_4_gib(tmp_path: Path) -> None:
    """Without a word about its axes, the library arranges its pages."""
    path = big_pages(tmp_path / "a.tif", "", 600, 2048, 2048, {0: 1, 599: 2})
    assert path.stat().st_size > 1 << 32
    assert probe(path).state == "complete"
    (found,) = open_acquisitions(path)
    assert (found.size_t, found.size_z) == (1, 600)
    assert_planes(found, {0: 1, 599: 2}, "TCZ")
