"""Soft outlines: how soft they are, which threshold they ask for, and which weights read planes and stacks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage as ndi

from nuset_engine.errors import EngineError
from nuset_engine.evaluation.metrics import match
from nuset_engine.inference.maps import edge_softness
from nuset_engine.inference.survey import BLANK_STACK, StackStatistics
from nuset_engine.params import SegmentationParams
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.weights import find_weights

SMALL = SyntheticParams(
    median_diameter_px=(13, 14),
    size_spread=(0.05, 0.1),
    covered=(0.12, 0.15),
    clustering=(0, 0.01),
    brightness_spread=(0.05, 0.2),
    blur_px=(0.5, 0.6),
    photons=(100, 200),
    artefact_chance=0,
)


def small_nuclei(sigma_px: float) -> tuple[np.ndarray, np.ndarray]:
    """A plane of small nuclei, blurred, and its truth."""
    image, truth = synthetic_image(np.random.default_rng(8), SMALL)
    return ndi.gaussian_filter(200 + 2000 * image, sigma_px), truth


@pytest.mark.parametrize("slope_px", [1.0, 4.0, 9.0])
def test_softness_is_the_width_of_the_undecided_band(slope_px: float) -> None:
    ramp = np.clip(0.5 + (np.arange(80) - 40.25) / slope_px, 0, 1)
    foreground = np.tile(ramp.astype(np.float32), (50, 1))
    assert edge_softness([foreground, foreground.T]) == pytest.approx(slope_px / 2, abs=0.5)


def test_without_an_outline_nothing_is_soft() -> None:
    assert edge_softness([]) == edge_softness([np.full((9, 9), 0.4, np.float32)]) == 0
    assert BLANK_STACK.softness == 0


def test_the_threshold_rises_with_softness_between_its_ends() -> None:
    params = SegmentationParams(foreground_threshold=0.3, soft_foreground_threshold=0.7)
    found = [params.of_plane(softness).foreground_threshold for softness in np.linspace(0, 1.5, 60)]
    assert found[0] == pytest.approx(0.3)
    assert found[-1] == pytest.approx(0.7)
    assert (np.diff(found) >= 0).all()
    assert any(0.4 < value < 0.6 for value in found)


def test_a_threshold_that_is_no_probability_is_refused() -> None:
    with pytest.raises(EngineError, match=r"soft_foreground_threshold = 1\.2 is not between 0 and 1"):
        SegmentationParams(soft_foreground_threshold=1.2)


def test_slices_of_a_stack_keep_the_threshold_of_stacks() -> None:
    params = SegmentationParams(stack_foreground_threshold=0.45)
    soft = StackStatistics(24.0, BLANK_STACK.intensity, softness=2.0, stacked=True)
    assert soft.outlined(params).foreground_threshold == 0.45


def test_blur_is_seen_and_outlines_do_not_swell(segmenter: Segmenter) -> None:
    """Blurred nuclei are outlined as large as they are; the threshold of crisp ones would draw softer ones larger."""
    crisp, truth = small_nuclei(0)
    soft, _ = small_nuclei(2.5)
    softer, _ = small_nuclei(3.0)
    known = segmenter.statistics([softer])
    found = [segmenter.statistics([plane]).softness for plane in (crisp, soft)]
    assert found[0] < found[1] < known.softness
    assert np.count_nonzero(segmenter.segment_plane(soft).labels) == pytest.approx(np.count_nonzero(truth), rel=0.06)
    own = segmenter.segment_plane(softer, known).labels
    fixed = SegmentationParams(soft_foreground_threshold=segmenter.params.foreground_threshold)
    swollen = Segmenter("fluorescence", fixed).segment_plane(softer).labels
    assert np.count_nonzero(swollen) > 1.08 * np.count_nonzero(own)
    assert match(truth, own).recall >= max(0.8, match(truth, swollen).recall)


def test_planes_and_stacks_are_read_by_the_weights_for_them(segmenter: Segmenter, tmp_path: Path) -> None:
    for name, other in (("both", "fluorescence"), ("planes", "histology")):
        info = find_weights(other)
        shutil.copy(info.path, tmp_path / f"{name}.npz")
        if info.int8 is not None:
            shutil.copy(info.int8.path, tmp_path / f"{name}.int8.npz")
        planes_too = {"single_planes": "planes"} if name == "both" else {}
        (tmp_path / f"{name}.json").write_text(json.dumps(dict(info.manifest) | planes_too))
    both, planes, alone = Segmenter(tmp_path / "both.npz"), Segmenter(tmp_path / "planes.npz"), segmenter
    image = small_nuclei(0)[0][:160, :144]
    stack = [image, image[::-1]]
    assert np.array_equal(both.segment_plane(image).labels, planes.segment_plane(image).labels)
    assert not np.array_equal(both.segment_plane(image).labels, alone.segment_plane(image).labels)
    for one, other in zip(both.segment_stack(stack), alone.segment_stack(stack), strict=True):
        assert np.array_equal(one.labels, other.labels)
