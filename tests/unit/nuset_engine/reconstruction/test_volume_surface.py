"""Surfaces of nuclei are smoothed over slices."""

from __future__ import annotations

import numpy as np
import pytest
from volume_scenes import Errors, cluster, slices_of

from nuset_engine.evaluation.metrics import seg
from nuset_engine.reconstruction.params import VolumeParams
from nuset_engine.reconstruction.surface import FEWEST_SLICES, smooth_surfaces
from nuset_engine.reconstruction.volume import reconstruct

BLUR = VolumeParams().surface_blur


def ellipsoid(radii: tuple[float, float, float], shape: tuple[int, int, int] = (40, 60, 60)) -> np.ndarray:
    """One ellipsoid in the middle, labels (Z, Y, X) uint32; radii in voxels."""
    grid = np.meshgrid(*(np.arange(n) - n / 2 + 0.3 for n in shape), indexing="ij")
    return (sum((x / r) ** 2 for x, r in zip(grid, radii, strict=True)) <= 1).astype(np.uint32)


def smoothed(labels: np.ndarray, blur: float = BLUR) -> np.ndarray:
    """A smooth copy."""
    copy = labels.copy()
    smooth_surfaces(copy, blur)
    return copy


@pytest.mark.parametrize("radii", [(12, 12, 12), (5, 15, 15), (15, 8, 8), (3, 20, 20), (10, 7, 14)])
def test_smooth_nuclei_keep_volume_and_shape(radii: tuple[float, float, float]) -> None:
    before = ellipsoid(radii)
    after = smoothed(before)
    assert int(after.sum()) == pytest.approx(int(before.sum()), rel=0.03)
    assert ((before & after) > 0).sum() > 0.94 * ((before | after) > 0).sum()


def test_smooth_surfaces_are_closer_to_the_truth_than_ragged_outlines() -> None:
    truth = cluster(12, (1.0, 0.3, 0.3), np.random.default_rng(3))
    slices = slices_of(truth, np.random.default_rng(4), Errors(ragged_px=2.0))
    smooth, raw = (reconstruct(slices, (1.0, 0.3, 0.3), VolumeParams(surface_blur=blur)).labels for blur in (BLUR, 0.0))
    np.testing.assert_array_equal(smooth, smoothed(raw))
    assert seg(truth, smooth) > seg(truth, raw) + 0.01


def test_no_nucleus_takes_what_its_neighbour_keeps() -> None:
    before = np.zeros((20, 40, 40), np.uint32)
    before[5:15, 10:30, 10:20], before[5:15, 10:30, 20:30] = 1, 2
    after = smoothed(before)
    faces = after[8:12, 14:26]
    np.testing.assert_array_equal(faces[:, :, 12:20], 1)
    np.testing.assert_array_equal(faces[:, :, 20:28], 2)


def test_a_tooth_in_the_surface_between_two_nuclei_is_ground_off() -> None:
    before = np.zeros((20, 40, 40), np.uint32)
    before[5:15, 10:30, 10:20], before[5:15, 10:30, 20:30] = 1, 2
    before[10, 18:22, 20:23] = 1
    assert (smoothed(before)[10, 18:22, 21:23] == 2).all()


def test_what_touches_the_ends_of_the_stack_goes_on_behind_them() -> None:
    whole = ellipsoid((12, 12, 12))
    cut = whole[20:]
    after = smoothed(cut)
    assert int(after[0].sum()) == pytest.approx(int(cut[0].sum()), rel=0.05)


@pytest.mark.parametrize("depth", [1, FEWEST_SLICES - 1])
def test_nuclei_in_few_slices_stay_as_they_are(depth: int) -> None:
    labels = np.zeros((10, 30, 30), np.uint32)
    labels[3 : 3 + depth, 5, 5:20] = 4
    np.testing.assert_array_equal(smoothed(labels), labels)


def test_threads_and_sheets_never_vanish() -> None:
    labels = np.zeros((12, 30, 30), np.uint32)
    labels[2:10, 5, 5], labels[2:10, 20, 3:28] = 1, 2
    for blur in (BLUR, 0.3):
        before, after = (np.bincount(v.ravel(), minlength=3) for v in (labels, smoothed(labels, blur)))
        assert (after[1:] > 0.9 * before[1:]).all()


def test_blur_of_nothing_changes_nothing() -> None:
    labels = ellipsoid((8, 9, 10))
    np.testing.assert_array_equal(smoothed(labels, 0.0), labels)
    empty = np.zeros((6, 8, 8), np.uint32)
    np.testing.assert_array_equal(smoothed(empty), empty)
