"""How arrays are cut: never more than one time point and channel in a file, and few files for a stack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from storage.omezarr import growing
from storage.omezarr.disks.documents import Documents
from storage.omezarr.disks.durable import DurableStore
from storage.omezarr.growing import GrowingPyramid, chunks, shards
from storage.omezarr.pyramid import halved_labels


@pytest.mark.parametrize(
    ("axes", "sizes", "expected"),
    [
        ("tczyx", (5, 3, 30, 1000, 700), (1, 1, 8, 256, 256)),
        ("tzyx", (5, 30, 1000, 700), (1, 8, 256, 256)),
        ("tzyx", (5, 1, 1000, 700), (1, 1, 512, 512)),  # single planes
        ("tczyx", (0, 2, 3, 100, 40), (1, 1, 3, 100, 40)),
    ],
)
def test_chunks_are_of_one_time_point_and_channel(axes: str, sizes: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert chunks(axes, sizes) == expected


def test_shards_are_whole_chunks_of_as_many_slices_as_fit_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "SHARD_BLOCK_PX", 20 * 1000 * 700)
    assert shards("tczyx", (5, 3, 30, 1000, 700), 1000 * 700) == (1, 1, 16, 1024, 768)
    assert shards("tczyx", (5, 3, 30, 500, 350), 1000 * 700) == (1, 1, 16, 512, 512), "the same slices at every level"
    assert shards("tzyx", (5, 30, 9000, 9000), 9000 * 9000) == (1, 8, 2048, 2048), "one chunk of slices at least"
    assert shards("tzyx", (5, 5, 100, 40), 100 * 40) == (1, 5, 100, 40)


@pytest.fixture(params=[None, (1, 12, 16, 16)], ids=["chunks", "shards"])
def pyramid(request: pytest.FixtureRequest, tmp_path: Path) -> GrowingPyramid:
    """Two levels with axes t z y x, 14 slices."""
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3 if request.param else 2)
    levels = [
        group.create_array(
            str(i), shape=(0, 14, *size), chunks=(1, 4, 8, 8), shards=request.param, dtype="u4", fill_value=0
        )
        for i, size in enumerate([(16, 16), (8, 8)])
    ]
    return GrowingPyramid(levels, halved_labels)


def test_slices_are_written_as_they_lie_in_a_file(pyramid: GrowingPyramid) -> None:
    assert pyramid.chunk_z == (12 if pyramid._levels[0].shards else 4)


def test_a_time_point_is_written_behind_the_end_and_shown_at_once(pyramid: GrowingPyramid, tmp_path: Path) -> None:
    block = np.arange(14 * 256, dtype=np.uint32).reshape(14, 16, 16) + 1
    for z in range(0, 14, pyramid.chunk_z):
        pyramid.write(1, None, z, block[z : z + pyramid.chunk_z])
    assert (pyramid.length, pyramid.shape, pyramid.is_visible(1)) == (0, (0, 14, 16, 16), False)
    np.testing.assert_array_equal(pyramid.read(1, None, slice(3, 13)), block[3:13])
    pyramid = lengthened(pyramid, tmp_path, 2)
    assert (pyramid.length, pyramid.is_visible(1), pyramid.is_visible(2)) == (2, True, False)
    assert not pyramid.read(0, None, slice(None)).any()
    np.testing.assert_array_equal(np.asarray(pyramid._levels[1][1]), block[:, ::2, ::2])
    assert lengthened(pyramid, tmp_path, 1).length == 2, "the end never moves back"


def lengthened(pyramid: GrowingPyramid, folder: Path, length: int) -> GrowingPyramid:
    """The pyramid after its end was moved, as another process sees it."""
    documents = Documents(DurableStore(folder / "a.zarr"))
    for level in pyramid._levels:
        documents.lengthen(level.path, length)
    opened = [zarr.open_array(folder / "a.zarr", path=level.path, mode="r+") for level in pyramid._levels]
    return GrowingPyramid(opened, halved_labels)


def test_a_level_that_alone_is_longer_counts_as_seen(pyramid: GrowingPyramid) -> None:
    """So it is after a crash between two levels: readers of the small one would see it change."""
    pyramid._levels[1].resize((3, 14, 8, 8))
    assert pyramid.is_visible(2)
    assert not pyramid.is_visible(3)


def test_folders_of_a_time_point_are_told_small_levels_first(pyramid: GrowingPyramid) -> None:
    between = "/c" if pyramid._levels[0].shards else ""
    assert pyramid.folders(7) == [f"1{between}/7", f"0{between}/7"]


@pytest.mark.parametrize("dtype", ["u1", "u4", "i2", "f4"])
def test_a_chunk_is_background_where_all_of_it_is_the_value_that_is_asked_for(dtype: str) -> None:
    """Only of such chunks nothing is written."""
    chunk = growing._prototype().nd_buffer
    for values in ([0, 0, 0], [5, 5, 5], [0, 5, 0]):
        held = chunk.from_numpy_array(np.array(values, dtype))
        for other in (0, 5):
            assert held.all_equal(other) is all(value == other for value in values)
