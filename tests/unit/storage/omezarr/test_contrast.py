"""What viewers show black and white: of a whole stack, by its brightest nuclei, and not by hot pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from cases.images import ome_zarr_04
from cases.stored import acquisition
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from nuset_engine.planes.contrast import limits
from storage.omezarr import ngff
from storage.omezarr.image_store import ImageStore
from storage.readers import open_acquisitions


def stack(z: int = 12, size: int = 200) -> np.ndarray:
    """Background of 100, dim nuclei of 400 in every slice."""
    planes = np.random.default_rng(1).poisson(100, (z, size, size)).astype(np.uint16)
    planes[:, 20:60, 20:60] = 400
    return planes


def test_a_bright_nucleus_away_from_the_middle_is_not_saturated() -> None:
    planes = stack()
    planes[9:11, 100:112, 100:112] = 5000  # a mitosis: 0.06 % of the stack, in no middle plane
    black, white = limits(list(planes))
    assert white == 5000.0
    assert 60 < black < 100


def test_hot_pixels_do_not_make_all_else_dark() -> None:
    planes = stack()
    planes[3, 150, 151] = planes[7, 10, 10] = 65535
    assert limits(list(planes))[1] == 400.0


def test_slices_without_any_exposure_tell_nothing() -> None:
    planes = stack()
    planes[:4] = 0
    assert limits(list(planes)) == limits(list(planes[4:]))


@given(
    arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.float64]),
        array_shapes(min_dims=3, max_dims=3, max_side=5),
    )
)
def test_limits_are_in_order_and_finite_whatever_the_planes_hold(planes: np.ndarray) -> None:
    black, white = limits(list(planes))
    assert np.isfinite([black, white]).all()
    assert black < white


@pytest.mark.parametrize("given_planes", [True, False])
def test_the_store_has_them_for_each_channel_from_the_whole_first_stack(tmp_path: Path, given_planes: bool) -> None:
    pixels = np.stack([stack(6), stack(6) // 2])[None]  # (T, C, Z, Y, X)
    pixels[0, 0, 5, 100:112, 100:112] = 3000
    image = acquisition(pixels)
    first = [image.planes(0, c) for c in range(2)] if given_planes else None
    store = ImageStore.create(tmp_path / "embryo.ome.zarr", image, first=first)
    channels = ngff.ome(dict(zarr.open_group(store.path, mode="r").attrs))["omero"]["channels"]
    assert [channel["window"]["end"] for channel in channels] == [3000.0, 200.0]


def test_an_image_by_reference_keeps_what_it_says_and_gets_limits_where_it_says_none(tmp_path: Path) -> None:
    pixels = np.stack([stack(6), stack(6) // 2])[None]
    pixels[0, 0, 5, 100:112, 100:112] = 3000
    source = ome_zarr_04(tmp_path, pixels)
    with open_acquisitions(source)[0] as image:
        silent = ImageStore.create(tmp_path / "out" / "silent.ome.zarr", image, image="reference")
        group = zarr.open_group(source, mode="r+")
        said = [{"label": "dye", "window": {"min": 0, "max": 9, "start": 1, "end": 5}} for _ in range(2)]
        group.attrs["omero"] = {"id": 7, "channels": said}
        telling = ImageStore.create(tmp_path / "out" / "telling.ome.zarr", image, image="reference")
    found = [dict(zarr.open_group(store.path, mode="r").attrs)["omero"] for store in (silent, telling)]
    assert [channel["window"]["end"] for channel in found[0]["channels"]] == [3000.0, 200.0]
    assert [channel["label"] for channel in found[0]["channels"]] == ["dye 0", "dye 1"]
    assert found[1] == {"id": 7, "channels": said}
