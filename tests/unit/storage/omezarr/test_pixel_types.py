"""Stores hold what cameras and programs write as pixels, to the ends of each type."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from cases.stored import acquisition

from storage.omezarr.image_store import ImageStore
from storage.omezarr.pyramid import halved_image


@pytest.mark.parametrize("kind", ["l", "q", "L", "Q"])
def test_both_names_that_c_has_for_64_bits_are_one(tmp_path: Path, kind: str) -> None:
    image = replace(acquisition(np.zeros((1, 1, 2, 16, 16), np.int64)), dtype=np.dtype(kind))
    store = ImageStore.create(tmp_path / "embryo.ome.zarr", image)
    assert zarr.open_array(store.path, path="0", mode="r").dtype == np.dtype(kind)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int32, np.uint8])
def test_a_pixel_of_a_smaller_level_is_the_mean_of_four(dtype: type) -> None:
    ends = np.iinfo(dtype)
    block = np.random.default_rng(0).integers(ends.min, ends.max, (2, 4, 6), dtype, endpoint=True)
    fours = block.reshape(2, 2, 2, 3, 2).swapaxes(2, 3).reshape(-1, 4)
    halved = halved_image(block)
    assert halved.dtype == dtype
    assert halved.ravel().tolist() == [(sum(map(int, four)) + 2) // 4 for four in fours]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_mean_of_large_numbers_is_a_number(dtype: type) -> None:
    largest = np.finfo(dtype).max
    assert halved_image(np.full((1, 2, 2), largest, dtype)).ravel().tolist() == [largest]
