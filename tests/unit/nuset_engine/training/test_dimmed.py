"""Nuclei that are dimmed among brighter ones while a network learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage as ndi

from nuset_engine.training.augment import AugmentParams, dim_some, random_intensity

TO = (0.05, 0.3)
NONE = AugmentParams(
    brightness_chance=0, gamma_chance=0, blur_chance=0, blocks_chance=0, noise_chance=0, dimmed_chance=0
)


def field(noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """An image (Y, X) of 25 nuclei of contrast 0.6 over a background of 0.2, and their labels."""
    rows, columns = np.indices((160, 160))
    inside = ((rows % 32 - 16) ** 2 + (columns % 32 - 16) ** 2) < 100
    labels = ndi.label(inside)[0].astype(np.int32)
    rng = np.random.default_rng(0)
    return (0.2 + 0.6 * inside + noise * rng.standard_normal(labels.shape)).astype(np.float32), labels


def contrasts(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.asarray(ndi.mean(image, ndi.binary_erosion(labels > 0, iterations=4) * labels, range(1, 26))) - 0.2


@pytest.mark.parametrize("seed", range(12))
def test_some_nuclei_keep_a_small_share_of_their_contrast_and_the_others_all(seed: int) -> None:
    image, labels = field()
    dimmed, least = dim_some(np.random.default_rng(seed), image, labels, TO)
    kept = contrasts(dimmed, labels) / 0.6
    assert (kept > 0.99).any()
    assert (kept < 0.75).any()
    assert kept.min() >= TO[0] * 0.99
    assert least == pytest.approx(0.6 * kept.min(), abs=0.02)
    assert np.allclose(dimmed[16::32, 0], 0.2, atol=1e-3), "the background is as it was"


@pytest.mark.parametrize("seed", range(12))
def test_none_is_dimmed_below_what_can_be_seen(seed: int) -> None:
    image, labels = field(noise=0.1)
    dimmed, least = dim_some(np.random.default_rng(seed), image, labels, TO)
    assert least > 1.3 * 0.1
    assert contrasts(dimmed, labels).min() > 1.2 * 0.1


def test_a_crop_lacks_most_numbers_of_its_image() -> None:
    """None of those that are absent is seen."""
    image, labels = field()
    few = np.where(np.isin(labels, (7, 19)), labels, 0)
    kept = [contrasts(dim_some(np.random.default_rng(seed), image, few, TO)[0], labels) / 0.6 for seed in range(12)]
    assert any(one[[6, 18]].min() < 0.5 for one in kept)


def test_where_there_is_one_nucleus_or_none_nothing_changes() -> None:
    image, labels = field()
    for truth in (np.zeros_like(labels), np.where(labels == 3, labels, 0)):
        same, least = dim_some(np.random.default_rng(0), image, truth, TO)
        assert np.array_equal(same, image)
        assert least == 1


def test_slices_of_stacks_show_what_is_dim_as_lying_elsewhere() -> None:
    image, labels = field()
    always = replace(NONE, dimmed_chance=1)
    for seed in range(8):
        plain, slices, planes = (
            random_intensity(np.random.default_rng(seed), image, labels, params, stacked=stacked)
            for params, stacked in ((replace(always, dimmed_to=(1, 1)), True), (always, True), (always, False))
        )
        assert np.array_equal(slices, plain)
        assert not np.array_equal(planes, plain)


@pytest.mark.parametrize("seed", range(24))
def test_noise_and_grey_levels_leave_dimmed_nuclei_to_be_seen(seed: int) -> None:
    image, labels = field()
    params = replace(
        NONE, dimmed_chance=1, dimmed_to=(0.1, 0.1), noise_chance=1, noise=(0.005, 0.5), grey_levels=(2, 4)
    )
    shown = random_intensity(np.random.default_rng(seed), image, labels, params)
    inner = ndi.binary_erosion(labels > 0, iterations=3) * labels
    between = ndi.binary_dilation(labels > 0, iterations=4) == 0
    surroundings = [np.median(shown[16 * y : 16 * y + 32][between[16 * y : 16 * y + 32]]) for y in range(0, 10, 2)]
    means = np.asarray(ndi.mean(shown, inner, range(1, 26))).reshape(5, 5)
    assert (means > np.array(surroundings)[:, None]).mean() > 0.9
    pairs = between[:, 1:] & between[:, :-1]
    assert 1.05 * np.median(np.abs(np.diff(shown, axis=1)[pairs])) < 0.1
