"""The shipped network on synthetic scenes with known truth, on odd images, and in tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nuset_engine.errors import EngineError
from nuset_engine.evaluation.metrics import match
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.resample import resample, resample_labels, scaled_shape
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.synthetic.confocal import confocal_slices

CLEAN = SyntheticParams(
    size_px=256,
    median_diameter_px=(24, 26),
    size_spread=(0.05, 0.1),
    covered=(0.2, 0.22),
    clustering=(0.5, 0.6),
    brightness_spread=(0.05, 0.2),
    blur_px=(0.8, 1.2),
    photons=(100, 200),
    artefact_chance=0,
)


def scene(seed: int = 4, params: SyntheticParams = CLEAN) -> tuple[np.ndarray, np.ndarray]:
    """A 16 bit image and its truth."""
    image, labels = synthetic_image(np.random.default_rng(seed), params)
    return np.clip(200 + 2000 * image, 0, 65535).astype(np.uint16), labels


@pytest.fixture(scope="module")
def found(segmenter: Segmenter) -> np.ndarray:
    """Labels of the scene."""
    return segmenter.segment_plane(scene()[0]).labels


@pytest.mark.parametrize(
    ("params", "least"),
    [(replace(CLEAN, covered=(0.1, 0.12), clustering=(0, 0.01)), 0.95), (CLEAN, 0.8)],
    ids=["single", "overlapping"],
)
def test_nuclei_are_found_and_separated(segmenter: Segmenter, params: SyntheticParams, least: float) -> None:
    """Nuclei that lie one over another hide parts that nobody could outline, so fewer are asked for there."""
    scenes = [scene(seed, params) for seed in range(4, 8)]
    matches = [match(truth, segmenter.segment_plane(image).labels) for image, truth in scenes]
    hits = sum(m.true_positives for m in matches)
    assert hits / sum(m.true_count for m in matches) >= least
    assert hits / sum(m.predicted_count for m in matches) >= least


def test_labels_and_scores_belong_together(segmenter: Segmenter) -> None:
    result = segmenter.segment_plane(scene()[0])
    assert result.labels.dtype == np.int32
    assert result.scores.shape == (result.labels.max(),)
    assert set(np.unique(result.labels)) == set(range(result.labels.max() + 1))
    assert ((result.scores >= 0) & (result.scores <= 1)).all()


@pytest.mark.parametrize("factor", [0.5, 2.5])
def test_size_is_measured_and_labels_return_at_the_input_shape(segmenter: Segmenter, factor: float) -> None:
    hits = count = 0
    for seed in range(4, 8):
        image, truth = scene(seed)
        shape = scaled_shape(image.shape, factor)
        other = resample(image, shape)
        statistics = segmenter.statistics([other])
        assert statistics.diameter_px == pytest.approx(25 * factor, rel=0.25)
        labels = segmenter.segment_plane(other, statistics).labels
        assert labels.shape == shape
        matching = match(resample_labels(truth, shape), labels)
        hits, count = hits + matching.true_positives, count + matching.true_count
    assert hits / count > 0.8


@pytest.mark.parametrize(
    "change",
    [
        lambda x: (x // 40).astype(np.uint8),
        lambda x: x.astype(np.float32) / 65535,
        lambda x: x.astype(np.float64) * 1e6 - 5e5,
        lambda x: 65535 - x,
    ],
    ids=["8 bit", "float", "negative", "inverted"],
)
def test_grey_values_may_mean_anything(segmenter: Segmenter, found: np.ndarray, change) -> None:
    labels = segmenter.segment_plane(change(scene()[0])).labels
    assert match(found, labels).average_precision > 0.85


def test_saturated_nuclei_are_found_where_their_outlines_show_them(segmenter: Segmenter) -> None:
    """Some that lie over each other cannot be told apart any more, so the truth is the measure, and not all of it."""
    hits = either = 0
    for seed in range(8):
        image, truth = scene(seed)
        found = match(truth, segmenter.segment_plane(np.minimum(image, 2500)).labels)
        hits, either = hits + found.true_positives, either + found.true_count + found.predicted_count
    assert hits / (either - hits) > 0.7


def test_pixels_that_are_no_number_do_no_harm(segmenter: Segmenter, found: np.ndarray) -> None:
    image = scene()[0].astype(np.float32)
    image[3:9, 100:106] = np.nan
    image[200, 200] = np.inf
    assert match(found, segmenter.segment_plane(image).labels).average_precision > 0.85


@pytest.mark.parametrize("value", [0, 1000, 65535])
@pytest.mark.parametrize("shape", [(16, 16), (100, 37), (300, 300)])
def test_constant_images_hold_no_nuclei(segmenter: Segmenter, value: int, shape: tuple[int, int]) -> None:
    result = segmenter.segment_plane(np.full(shape, value, np.uint16))
    assert result.labels.shape == shape
    assert result.labels.max() == len(result.scores) == 0


def test_images_without_any_finite_value_hold_no_nuclei(segmenter: Segmenter) -> None:
    assert segmenter.segment_plane(np.full((64, 64), np.nan)).labels.max() == 0


def test_noise_alone_holds_hardly_any_nuclei(segmenter: Segmenter) -> None:
    noise = np.random.default_rng(0).poisson(20, (256, 256)).astype(np.uint16)
    assert segmenter.segment_plane(noise).labels.max() <= 3


@pytest.mark.parametrize(
    "plane",
    [np.zeros((3, 20, 20)), np.zeros((20, 20), complex), np.zeros((4, 300)), np.array([["a"] * 9] * 9)],
    ids=["3D", "complex", "too thin", "text"],
)
def test_what_is_no_plane_is_refused(segmenter: Segmenter, plane: np.ndarray) -> None:
    with pytest.raises(EngineError, match=r"slice"):
        segmenter.segment_plane(plane)


def test_tiles_and_whole_plane_agree(segmenter: Segmenter) -> None:
    image, _ = scene(7, replace(CLEAN, size_px=450))
    statistics = segmenter.statistics([image])
    whole = segmenter.segment_plane(image, statistics).labels
    tiled = Segmenter(params=SegmentationParams(tile_px=256)).segment_plane(image, statistics).labels
    assert whole.max() > 60
    assert match(whole, tiled, threshold=0.9).average_precision >= 0.995


def test_a_stack_has_one_scale_and_streams_slice_by_slice(segmenter: Segmenter) -> None:
    pairs = confocal_slices(np.random.default_rng(11))
    stack = [image for image, _ in pairs]
    done: list[int] = []
    results = list(segmenter.segment_stack(stack, progress=done.append))
    assert done == list(range(1, len(stack) + 1))
    statistics = segmenter.statistics(stack)
    for plane, result in zip(stack, results, strict=True):
        alone = segmenter.segment_plane(plane, statistics).labels
        assert (alone == result.labels).mean() > 0.999
    matches = [match(truth, result.labels) for (_, truth), result in zip(pairs, results, strict=True)]
    hits, all_true = sum(m.true_positives for m in matches), sum(int(len(np.unique(t)) - 1) for _, t in pairs)
    assert hits / all_true > 0.75


def test_blank_slices_of_a_stack_stay_blank(segmenter: Segmenter) -> None:
    image, _ = scene()
    results = list(segmenter.segment_stack([np.full_like(image, 200), image, np.full_like(image, 200)]))
    assert results[0].labels.max() == results[2].labels.max() == 0
    assert results[1].labels.max() > 10


def test_an_empty_stack_yields_nothing(segmenter: Segmenter) -> None:
    assert list(segmenter.segment_stack([])) == []


def test_the_same_input_gives_the_same_labels(segmenter: Segmenter, found: np.ndarray) -> None:
    assert np.array_equal(found, segmenter.segment_plane(scene()[0]).labels)


def test_wrong_parameters_are_all_named() -> None:
    with pytest.raises(EngineError, match=r"min_score.*tile_px"):
        SegmentationParams(min_score=2, tile_px=100)
