"""Hot pixels and uneven backgrounds are seen through; even ones are left as they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nuset_engine.evaluation.metrics import average_precision
from nuset_engine.planes.exposure import PLAIN, Exposure, measure_exposure, places
from nuset_engine.planes.resample import resample
from nuset_engine.planes.scaled_plane import ScaledPlane
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image

SIZE = 256


@pytest.fixture(scope="module")
def nuclei() -> tuple[np.ndarray, np.ndarray]:
    """An image (Y, X) uint16 of nuclei on an even background, and its labels."""
    params = SyntheticParams(size_px=SIZE, median_diameter_px=(20, 22), covered=(0.15, 0.2), artefact_chance=0)
    image, labels = synthetic_image(np.random.default_rng(4), params)
    return (1000 * np.clip(image, 0, 4)).astype(np.uint16), labels


def slope(image: np.ndarray, steepness: float) -> np.ndarray:
    """The image on a background that rises along X by so many times its brightest."""
    return image + steepness * np.percentile(image, 99.5) * np.linspace(0, 1, image.shape[1])


def vignette(image: np.ndarray) -> np.ndarray:
    """The image with a bright background, lit less and less towards the corners."""
    y, x = np.meshgrid(*(places(slice(0, n), n) for n in image.shape), indexing="ij")
    return (image + 0.5 * np.percentile(image, 99.5)) * (1 - 0.35 * (y**2 + x**2))


def with_hot_pixels(image: np.ndarray) -> np.ndarray:
    """The image with one pixel in 5,000 forty times as bright as any other."""
    out = image.astype(np.float32)
    out[np.random.default_rng(1).random(out.shape) < 2e-4] = 40 * out.max()
    return out


def through_a_round_window(image: np.ndarray) -> np.ndarray:
    """The image with a bright background inside a circle, and nothing outside."""
    y, x = np.meshgrid(*(places(slice(0, n), n) for n in image.shape), indexing="ij")
    return np.where(np.hypot(y, x) < 1.1, image + 0.4 * np.percentile(image, 99.5), 0)


def test_an_even_image_is_shown_as_it_is(nuclei: tuple[np.ndarray, np.ndarray]) -> None:
    image, _ = nuclei
    exposure = measure_exposure([image], inverted=False)
    assert exposure.shading == ()
    assert exposure.ceiling > image.max()
    assert np.array_equal(ScaledPlane(image, 0.5, 0.0, exposure).whole(), ScaledPlane(image, 0.5, 0.0).whole())


@pytest.mark.parametrize("inverted", [False, True])
def test_a_slope_is_found_and_taken_off(nuclei: tuple[np.ndarray, np.ndarray], inverted: bool) -> None:
    image, _ = nuclei
    uneven = slope(image, 1.0)
    shown = -uneven + 9000 if inverted else uneven
    exposure = measure_exposure([shown], inverted)
    where = places(slice(0, SIZE), SIZE)
    found = exposure.surface(where, where)
    wanted = uneven - image
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.995
    assert np.ptp(found) == pytest.approx(np.ptp(wanted), rel=0.1)
    flat = ScaledPlane(shown, 1.0, 0.0, exposure).whole()
    background = flat[image <= np.percentile(image, 40)]
    assert background.std() < 0.1 * np.ptp(wanted)


def test_dark_nuclei_on_an_even_background_are_no_slope(nuclei: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = nuclei
    sparse = np.where(np.isin(labels, [1, 2, 3, 4]), image, np.where(labels > 0, np.median(image[labels == 0]), image))
    for shown in (sparse, image):
        assert measure_exposure([shown.max() - shown], inverted=False).shading == ()
        assert measure_exposure([shown.max() - shown], inverted=True).shading == ()


def test_hot_pixels_are_cut_and_nuclei_are_not(nuclei: tuple[np.ndarray, np.ndarray]) -> None:
    image, _ = nuclei
    hot = with_hot_pixels(image)
    ceiling = measure_exposure([hot], inverted=False).ceiling
    assert image.max() < ceiling < 4 * float(image.max())
    dead = measure_exposure([-hot], inverted=True)
    assert dead.ceiling == pytest.approx(ceiling)


def test_a_brighter_slice_sets_the_ceiling(nuclei: tuple[np.ndarray, np.ndarray]) -> None:
    image, _ = nuclei
    ceilings = [measure_exposure(planes, False).ceiling for planes in ([image], [image, 3 * image])]
    assert ceilings[1] > 2 * ceilings[0]


@pytest.mark.parametrize(
    "plane",
    [
        np.full((64, 64), 7, np.uint8),
        np.full((64, 64), np.nan),
        np.zeros((8, 8)),
        np.where(np.eye(64, dtype=bool), np.inf, 1.0),
    ],
    ids=["constant", "nothing finite", "tiny", "infinite pixels"],
)
def test_planes_without_anything_to_measure_are_plain(plane: np.ndarray) -> None:
    exposure = measure_exposure([plane], inverted=False)
    assert exposure.shading == ()
    assert not exposure.ceiling < np.inf


def test_a_gap_is_filled_with_the_background_of_its_place() -> None:
    exposure = Exposure(shading=(0.0, 100.0, 0.0, 0.0, 0.0, 0.0))
    where = places(slice(0, 32), 32)
    plane = exposure.surface(where, where) + 5
    plane[20:24, 3:9] = np.nan
    assert np.allclose(ScaledPlane(plane, 1.0, 5.0, exposure).whole(), 5.0, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(16, 90), st.integers(16, 90), st.floats(0.3, 3), st.integers(0, 2**32 - 1))
def test_a_window_of_a_flattened_plane_is_part_of_the_whole(h: int, w: int, factor: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plane = rng.normal(size=(h, w)).astype(np.float32)
    scaled = ScaledPlane(plane, factor, 0.0, Exposure(shading=tuple(rng.normal(size=6))))
    window = tuple(slice(a := int(rng.integers(n)), int(rng.integers(a, n)) + 1) for n in scaled.shape)
    assert np.allclose(scaled[window], scaled.whole()[window], atol=1e-3)


def test_places_run_from_edge_to_edge() -> None:
    assert places(slice(0, 4), 4).tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert np.allclose(resample(places(slice(0, 64), 64)[None], (1, 16))[0, 2:-2], places(slice(0, 16), 16)[2:-2])


@pytest.mark.parametrize(
    "change",
    [lambda i: slope(i, 1.5), vignette, with_hot_pixels, through_a_round_window],
    ids=["slope", "vignette", "hot pixels", "round window"],
)
def test_nuclei_are_found_as_well_as_on_the_even_image(
    segmenter: Segmenter, nuclei: tuple[np.ndarray, np.ndarray], change: object
) -> None:
    image, labels = nuclei
    assert callable(change)
    changed = change(image)
    inside = changed > 0 if change is through_a_round_window else np.ones(labels.shape, bool)
    whole = np.isin(labels, labels[~inside], invert=True) & inside
    usual = average_precision(np.where(whole, labels, 0), segmenter.segment_plane(image).labels * whole, [0.5])[0]
    found = segmenter.segment_plane(changed)
    assert average_precision(np.where(whole, labels, 0), found.labels * whole, [0.5])[0] > usual - 0.1
    assert usual > 0.6


def test_plain_exposure_changes_nothing() -> None:
    plane = np.random.default_rng(0).normal(size=(20, 30))
    where = [places(slice(0, n), n) for n in plane.shape]
    assert np.allclose(PLAIN.flattened(PLAIN.shown(plane, 0.0, *where), *where), plane)
