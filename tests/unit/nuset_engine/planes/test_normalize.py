"""Normalisation of blank, odd and ordinary images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuset_engine.planes.normalize import (
    CHANNELS,
    CLIP,
    TOGETHER_PX,
    IntensityStatistics,
    foreground_statistics,
    normalize,
    whole_image_statistics,
)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """An image with background 100, a nucleus of 500, and its mask."""
    rng = np.random.default_rng(0)
    image = rng.normal(100, 5, (64, 64))
    mask = np.zeros((64, 64), bool)
    mask[20:40, 20:40] = True
    image[mask] = rng.normal(500, 50, mask.sum())
    return image, mask


@pytest.mark.parametrize("value", [0, 7, 65535, np.nan, np.inf])
def test_constant_images_are_blank(value: float) -> None:
    statistics = whole_image_statistics(np.full((16, 16), value))
    assert statistics.is_blank
    assert (normalize(np.full((16, 16), value), statistics) == 0).all()


def test_foreground_has_mean_zero_and_spread_one() -> None:
    image, mask = scene()
    statistics = foreground_statistics(image, mask)
    assert statistics is not None
    inside = normalize(image, statistics)[mask][:, 0]
    assert abs(inside.mean()) < 1e-5
    assert abs(inside.std() - 1) < 1e-5


def test_foreground_darker_than_background_has_no_statistics() -> None:
    image, mask = scene()
    assert foreground_statistics(-image, mask) is None


@pytest.mark.parametrize("mask", [np.zeros((64, 64), bool), np.ones((64, 64), bool)])
def test_all_or_nothing_foreground_has_no_statistics(mask: np.ndarray) -> None:
    assert foreground_statistics(scene()[0], mask) is None


@given(st.floats(0.01, 100), st.floats(-1e4, 1e4))
def test_normalised_image_does_not_depend_on_gain_and_offset(gain: float, offset: float) -> None:
    image, mask = scene()
    one, other = foreground_statistics(image, mask), foreground_statistics(gain * image + offset, mask)
    assert one is not None
    assert other is not None
    assert np.allclose(normalize(image, one), normalize(gain * image + offset, other), atol=0.02)


def test_pixels_that_are_no_number_count_as_background() -> None:
    image, mask = scene()
    image[0, 0], image[0, 1] = np.nan, np.inf
    statistics = foreground_statistics(image, mask)
    assert statistics is not None
    out = normalize(image, statistics)
    assert np.isfinite(out).all()
    assert abs(out[0, 0, 1]) < 0.2
    assert np.abs(out).max() <= CLIP


def test_a_few_bright_pixels_on_black_are_not_blank() -> None:
    image = np.zeros((256, 256))
    image[100:104, 100:104] = 50
    assert not whole_image_statistics(image).is_blank


def test_a_few_very_bright_nuclei_do_not_set_the_scale() -> None:
    image, inside = np.full((100, 100), 100.0), np.zeros((100, 100), bool)
    inside[10:60, 10:60] = True
    image[inside] = 200.0
    usual = foreground_statistics(image, inside)
    image[10:20, 10:20] = 20_000.0
    found = foreground_statistics(image, inside)
    assert usual is not None
    assert found is not None
    assert found.contrast < 1.1 * usual.contrast
    assert found.std < usual.contrast


def test_older_weights_are_given_their_two_channels_and_all_others_are_told_of_stacks() -> None:
    image = np.random.default_rng(0).normal(100, 5, (16, 16))
    statistics = whole_image_statistics(image)
    views = normalize(image, statistics, stacked=True)
    assert (views[..., 3] == 1).all()
    assert (normalize(image, statistics)[..., 3] == 0).all()
    assert np.array_equal(normalize(image, statistics, channels=2), views[..., :2])


def test_planes_of_any_size_and_shape_are_normalised_pixel_by_pixel() -> None:
    rng = np.random.default_rng(3)
    image, statistics = rng.normal(100, 50, (2, 150, 131)), foreground_statistics(*scene())
    assert statistics is not None
    assert image.size > TOGETHER_PX
    whole = normalize(image, statistics)
    parts = np.stack([normalize(image[:, row : row + 1], statistics) for row in range(150)], axis=1)[:, :, 0]
    assert whole.shape == (*image.shape, CHANNELS)
    assert np.array_equal(whole, parts)
    assert np.array_equal(normalize(image[:, ::2, ::3], statistics), whole[:, ::2, ::3])


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.float16, np.float32, np.float64])
def test_each_view_is_what_it_is_said_to_be(kind: type) -> None:
    """Brighter and darker than the background, of whatever kind the pixels are."""
    image = np.array([[0, 50, 100], [101, 180, 255]]).astype(kind)
    statistics = IntensityStatistics(mean=180.0, std=40.0, background=100.0, noise=5.0, contrast=80.0)
    above = image.astype(np.float64) - 100
    views = [(above - 80) / 40, np.arcsinh(above / (0.05 * 80 + 5)), 2 * np.sign(above) * np.sqrt(np.abs(above) / 80)]
    found = normalize(image, statistics)
    assert np.allclose(found[..., :3], np.stack(views, axis=-1), atol=1e-4)
    assert found[0, 0, 1] < 0
    assert found[0, 0, 2] < 0
