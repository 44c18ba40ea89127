"""Planes too large to be held as maps, and windows of planes at another resolution."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nuset_engine.evaluation.metrics import match
from nuset_engine.inference import bands
from nuset_engine.inference.instances import Separated
from nuset_engine.inference.passes import Band, PlaneMaps, shows_nothing
from nuset_engine.inference.proposals import EMPTY
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.exposure import Exposure
from nuset_engine.planes.normalize import IntensityStatistics
from nuset_engine.planes.resample import resample, resample_window, steps
from nuset_engine.planes.scaled_plane import ScaledPlane
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image

PARAMS = SegmentationParams()


def crowd(size_px: int) -> np.ndarray:
    """A plane (Y, X) float32 with touching nuclei of 24 px all over, tiled from a smaller one."""
    image, _ = synthetic_image(
        np.random.default_rng(3),
        SyntheticParams(size_px=320, median_diameter_px=(24, 25), covered=(0.25, 0.3), artefact_chance=0),
    )
    times = -(-size_px // 320)
    return np.tile(image, (times, times))[:size_px, :size_px].astype(np.float32)


def test_bands_and_whole_plane_agree(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = resample(crowd(440), (370, 360))
    statistics = replace(segmenter.statistics([plane]), diameter_px=17.3)  # whatever size the survey sees
    whole = segmenter.segment_plane(plane, statistics)
    monkeypatch.setattr("nuset_engine.segment.LARGEST_WHOLE_PX", 0)
    monkeypatch.setattr(bands, "BLOCK_PX", 256)
    banded = Segmenter(params=SegmentationParams(tile_px=256)).segment_plane(plane, statistics)
    assert whole.labels.max() > 60
    assert banded.labels.shape == plane.shape
    assert len(banded.scores) == banded.labels.max() == len(np.unique(banded.labels)) - 1
    assert match(whole.labels, banded.labels, threshold=0.9).average_precision >= 0.995


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_a_window_equals_the_same_part_of_the_whole(h: int, w: int, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plane = rng.normal(size=(h, w)).astype(np.float32)
    top, left = int(rng.integers(height)), int(rng.integers(width))
    window = slice(top, int(rng.integers(top, height)) + 1), slice(left, int(rng.integers(left, width)) + 1)
    part = resample_window(plane, (0, 0), steps(plane.shape, (height, width)), window)
    assert np.allclose(part, resample(plane, (height, width))[window], atol=1e-3)


def test_a_scaled_plane_shows_the_negative_and_no_gaps() -> None:
    plane = np.arange(400, dtype=np.float64).reshape(20, 20)
    plane[3, 4] = np.nan
    shown = ScaledPlane(plane, 1.0, -7.0, Exposure(inverted=True)).whole()
    assert shown.dtype == np.float32
    assert shown[3, 4] == -7
    assert shown[5, 6] == -plane[5, 6]


def test_the_busiest_window_holds_what_there_is_to_see() -> None:
    plane = np.zeros((900, 1300), np.uint16)
    plane[700:760, 1100:1180] = 500
    ((rows, columns),) = ScaledPlane(plane, 0.5, 0.0).busiest(192)
    assert rows.start <= 350 < 380 <= rows.stop
    assert columns.start <= 550 < 590 <= columns.stop
    assert len(ScaledPlane(plane, 1.0, 0.0).busiest(256, parts=2)) == 4


def test_the_busiest_window_is_not_the_brightest_background_where_what_is_near_counts() -> None:
    y, x = np.mgrid[:900, :900]
    glow = 80 * np.exp(-((y - 600) ** 2 + (x - 600) ** 2) / (2 * 160**2))
    plane = (100 + glow + 150 * (np.hypot(y - 150, x - 200) < 12)).astype(np.float32)
    plane += np.random.default_rng(0).normal(0, 5, plane.shape).astype(np.float32)
    for factor in (2.0, 1.0):
        ((rows, columns),) = ScaledPlane(plane, factor, 0.0).busiest(288, near=True)
        assert rows.start < 150 * factor < rows.stop
        assert columns.start < 200 * factor < columns.stop
    ((rows, columns),) = ScaledPlane(plane, 2.0, 0.0).busiest(288)
    assert rows.start > 300


STATISTICS = IntensityStatistics(mean=100, std=20, background=10, noise=2, contrast=90)


@pytest.mark.parametrize("shape", [(5, 40), (64, 64), (67, 75), (203, 50)])
def test_background_alone_shows_nothing_and_a_dim_nucleus_something(shape: tuple[int, int]) -> None:
    window = np.random.default_rng(0).normal(10, 0.1, shape).astype(np.float32)
    assert shows_nothing(window, STATISTICS)
    for y, x in ((0, 0), (shape[0] - 5, shape[1] - 9), (shape[0] // 2, 0)):  # corners, beyond the last full cell too
        dim = window.copy()
        dim[y : y + 12, x : x + 12] += 9
        assert not shows_nothing(dim, STATISTICS)


def test_a_nucleus_that_two_blocks_own_is_painted_once() -> None:
    canvas = bands.Canvas((40, 60), (40, 60), PARAMS)
    labels = np.zeros((40, 40), np.int32)
    labels[10:20, 22:32] = 1
    one = Separated(labels, np.array([0.9], np.float32), (labels > 0).astype(np.float32))
    canvas.paint(one, (0, 0))
    shifted = Separated(np.roll(labels, -20, 1), one.scores, np.roll(one.probability, -20, 1))
    canvas.paint(shifted, (0, 20))
    result = canvas.result()
    assert result.labels.max() == len(result.scores) == 1


@given(st.lists(st.integers(16, 400), min_size=1, max_size=8))
def test_every_band_comes_once_with_its_room(heights: list[int]) -> None:
    edges = np.concatenate([[0], np.cumsum(heights)])
    empty = PlaneMaps(np.zeros((0, 0)), np.zeros((0, 0)), EMPTY)
    parts = [Band((int(a), int(b)), empty) for a, b in itertools.pairwise(edges)]
    seen = []
    for rows, kept in bands._with_room(parts, int(edges[-1])):
        seen.append(rows)
        assert kept[0].rows[0] <= max(0, rows[0] - bands.ROOM_PX)
        assert kept[-1].rows[1] >= min(edges[-1], rows[1] + bands.ROOM_PX)
    assert seen == [part.rows for part in parts]
