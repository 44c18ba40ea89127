"""The survey looks no more often than it must, and finds sizes from a few pixels to a quarter of the image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import pytest
from cases.acini import acini
from scipy import ndimage as ndi

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.inference import survey as survey_room
from nuset_engine.inference.predictor import Predictor
from nuset_engine.inference.survey import COARSE_FACTOR, CoarsePass, SampledPlanes, StackStatistics
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.exposure import PLAIN
from nuset_engine.planes.normalize import BLANK
from nuset_engine.planes.resample import resample, scaled_shape
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image

ALIKE = SyntheticParams(
    size_px=320,
    median_diameter_px=(24, 25),
    size_spread=(0.05, 0.1),
    covered=(0.2, 0.25),
    clustering=(0, 0.1),
    brightness_spread=(0.05, 0.2),
    blur_px=(0.5, 0.8),
    photons=(100, 200),
    artefact_chance=0,
)


def nuclei_of(diameter_px: float, dark: bool = False) -> np.ndarray:
    """(Y, X) uint16 plane of at most 512 x 512 with nuclei of about this diameter."""
    image, _ = synthetic_image(np.random.default_rng(4), ALIKE)
    plane = resample(image, scaled_shape(image.shape, diameter_px / 24))[:512, :512]
    return np.clip(30000 - 20000 * plane if dark else 500 + 20000 * plane, 0, 65535).astype(np.uint16)


@contextmanager
def counted(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, ...]]]:
    """Shapes of all that the network is given for single planes."""
    predictor, given = segmenter.predictor(stacked=False), []
    predict = predictor.predict

    def noted(inputs: np.ndarray) -> list:
        given.append(inputs.shape)
        return predict(inputs)

    with monkeypatch.context() as patch:
        patch.setattr(predictor, "predict", noted)
        yield given


def told(segmenter: Segmenter, diameter_px: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the segmenter the size."""
    monkeypatch.setattr(segmenter, "params", SegmentationParams(nucleus_diameter_px=diameter_px))


@pytest.mark.parametrize("diameter", [8, 12, 16, 24, 40, 90, 120])
def test_sizes_are_found(segmenter: Segmenter, diameter: float) -> None:
    found = segmenter.statistics([nuclei_of(diameter)])
    assert found.diameter_px == pytest.approx(diameter, rel=0.25)


@pytest.mark.parametrize(("diameter", "tried"), [(24, [1.0]), (60, [1.0, 0.5, 2.0])])
def test_resolutions_that_tell_no_more_are_not_tried(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, diameter: float, tried: list[float]
) -> None:
    """Of a crowd none besides; of a few large nuclei those that would show smaller ones."""
    factors: list[float] = []
    look = survey_room.look

    def noted(plane: np.ndarray, factor: float, *others: Any) -> survey_room.Sighting:
        factors.append(factor)
        return look(plane, factor, *others)

    monkeypatch.setattr(survey_room, "look", noted)
    plane = nuclei_of(diameter)
    segmenter.statistics([plane[:320, :320] if diameter > 24 else plane])
    assert factors == tried


@pytest.mark.parametrize(("seed", "clusters"), [(0, 2), (3, 2), (1, 4)])
def test_clusters_of_small_nuclei_are_not_taken_for_nuclei(segmenter: Segmenter, seed: int, clusters: int) -> None:
    """Touching nuclei of 13 px, in clusters that from afar look like a few round nuclei."""
    image, _ = acini((12, 260, 260), 12 * clusters, clusters, seed)
    assert segmenter.statistics(list(image[:, ::2, ::2])).diameter_px == pytest.approx(13, rel=0.25)


def test_a_layer_in_a_deep_stack_is_seen(segmenter: Segmenter) -> None:
    """Eight slices of 48: those that are evenly spread over the stack are empty."""
    image, _ = acini((8, 200, 200), 12, 1, 0)
    empty = np.random.default_rng(0).normal(np.median(image), 9, (40, 200, 200)).astype(np.uint16)
    found = segmenter.statistics([*image, *empty])
    assert found.diameter_px == pytest.approx(segmenter.statistics(list(image)).diameter_px, rel=0.15)
    assert not found.is_blank


@pytest.mark.parametrize("known", [None, 24.0])
def test_one_nucleus_is_seen_beside_a_brighter_background(
    segmenter: Segmenter, known: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, x = np.mgrid[-1:1:800j, -1:1:800j]
    glow = 75 * np.exp(-((x - 0.4) ** 2 + (y - 0.4) ** 2) / 0.2)
    one = 150 * (np.hypot(y + 0.75, x + 0.7) < 12 / 500)
    plane = np.random.default_rng(0).normal(100 + glow + one, 6).astype(np.float32)
    if known is not None:
        told(segmenter, known, monkeypatch)
    found = segmenter.statistics([plane])
    assert not found.is_blank
    assert 0.6 < found.diameter_px / 24 < 1.6
    assert found.intensity.contrast > 100  # of the nucleus, not of the glow
    assert len(segmenter.segment_plane(plane, found).scores) == 1


def test_a_second_search_takes_no_smoothed_noise_for_nuclei(segmenter: Segmenter) -> None:
    noise = ndi.gaussian_filter(np.random.default_rng(0).normal(size=(768, 768)), 3)
    assert segmenter.statistics([(100 + 50 * noise).astype(np.float32)]).is_blank


def test_where_the_size_is_given_nothing_is_looked_for(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    image = nuclei_of(24)
    told(segmenter, 24.0, monkeypatch)
    with counted(segmenter, monkeypatch) as given:
        found = segmenter.statistics([image])
    assert len(given) == 1, "the coarse pass alone"
    assert found.diameter_px == 24.0
    assert not found.is_blank


def test_with_the_size_given_dark_nuclei_are_known_as_dark(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(segmenter, 24.0, monkeypatch)
    with counted(segmenter, monkeypatch) as given:
        found = segmenter.statistics([nuclei_of(24, dark=True)])
    assert found.inverted
    assert len(given) == 3, "a look at each polarity and the coarse pass"


def test_with_the_size_given_noise_is_blank(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    told(segmenter, 24.0, monkeypatch)
    noise = np.random.default_rng(0).normal(1000, 10, (128, 128))
    assert segmenter.statistics([noise]).is_blank


@pytest.mark.parametrize(("stacked", "shown"), [(False, (160, 160)), (True, (150, 170))])
def test_single_planes_are_shown_in_few_shapes_and_slices_in_their_own(stacked: bool, shown: tuple[int, int]) -> None:
    found = StackStatistics(TRAINED_DIAMETER_PX, BLANK, stacked=stacked)
    assert found.network_shape((150, 170)) == shown
    assert found.scaled(np.zeros((150, 170), np.uint8)).shape == shown


@pytest.mark.parametrize(
    ("shape", "stacked", "factor"),
    [((300, 200), False, 320 / 300), ((300, 200), True, 1.0), ((700, 600), False, 1.0)],
    ids=["small", "a slice", "large"],
)
def test_the_coarse_pass_shows_small_single_planes_in_few_shapes(
    shape: tuple[int, int], stacked: bool, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ShownError(Exception):
        """With this factor."""

    def shown(_: object, scale: float, *others: object) -> None:
        raise ShownError(scale)

    monkeypatch.setattr(survey_room, "ScaledPlane", shown)
    planes, predictor = SampledPlanes([np.zeros(shape, np.uint8)]), cast(Predictor, None)
    coarse = CoarsePass(planes, BLANK, PLAIN, predictor, SegmentationParams(), stacked)
    with pytest.raises(ShownError) as found:
        coarse.at(COARSE_FACTOR * TRAINED_DIAMETER_PX)
    assert found.value.args == (pytest.approx(factor),)
