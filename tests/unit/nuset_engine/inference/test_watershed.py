"""Separation of touching nuclei by seeds, with the original's faults as cases."""

from __future__ import annotations

import numpy as np
import pytest
from cases.separating import separate
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from nuset_engine.inference.proposals import EMPTY, Proposals
from nuset_engine.inference.watershed import TOGETHER_PX, core_seeds, fill_small_holes, flood, saddles
from nuset_engine.outlines.pieces import pieces_in
from nuset_engine.training.targets import distance_map


def disks(*centres: tuple[int, int], radius: int = 12, shape: tuple[int, int] = (96, 96)) -> np.ndarray:
    """Label image of disks; of two that overlap, each pixel belongs to the nearer."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    distance = np.stack([np.hypot(y - cy, x - cx) for cy, cx in centres])
    return np.where(distance.min(axis=0) < radius, distance.argmin(axis=0) + 1, 0).astype(np.int32)


def boxes(labels: np.ndarray, scores: list[float] | None = None) -> Proposals:
    """A perfect proposal for each nucleus."""
    ids = range(1, labels.max() + 1)
    edges = [[*np.argwhere(labels == i).min(axis=0), *(np.argwhere(labels == i).max(axis=0) + 1)] for i in ids]
    return Proposals(np.array(edges, np.float32), np.array(scores or [0.9] * len(edges), np.float32))


def test_two_touching_nuclei_are_separated_where_they_touch() -> None:
    truth = disks((48, 36), (48, 58))
    labels, scores = separate(truth > 0, distance_map(truth), boxes(truth, [0.9, 0.8]), 10)
    assert np.array_equal(labels, truth)
    assert scores.tolist() == pytest.approx([0.9, 0.8])


@pytest.mark.parametrize("centre", [(4, 40), (91, 40), (40, 2), (2, 2)])
def test_nuclei_at_the_border_are_separated_too(centre: tuple[int, int]) -> None:
    other = (centre[0], centre[1] + 22)
    truth = disks(centre, other)
    labels, _ = separate(truth > 0, distance_map(truth), boxes(truth), 10)
    assert labels.max() == 2
    assert (labels == truth).mean() > 0.99


def test_several_boxes_on_one_middle_are_one_nucleus() -> None:
    truth = disks((48, 48))
    one = boxes(truth)
    many = Proposals(np.repeat(one.boxes, 3, axis=0), np.array([0.9, 0.8, 0.7], np.float32))
    labels, scores = separate(truth > 0, distance_map(truth), many, 10)
    assert labels.max() == 1
    assert len(scores) == 1


def test_foreground_without_a_proposal_is_one_nucleus_with_score_zero() -> None:
    truth = disks((48, 30), (48, 70))
    labels, scores = separate(truth > 0, distance_map(truth), boxes(truth).where(np.array([0])), 10)
    assert np.array_equal(labels > 0, truth > 0)
    assert sorted(scores.tolist()) == pytest.approx([0, 0.9])


def test_nuclei_that_touch_by_a_corner_only_keep_their_labels() -> None:
    truth = np.zeros((40, 40), np.int32)
    truth[5:20, 5:20], truth[20:35, 20:35] = 1, 2
    labels, _ = separate(truth > 0, distance_map(truth), boxes(truth), 10)
    assert np.array_equal(labels, truth)


def test_proposals_on_nothing_and_specks_are_dropped() -> None:
    truth = disks((48, 30))
    truth[80:82, 80:82] = 2
    labels, scores = separate(truth > 0, distance_map(truth), boxes(truth), 10)
    assert labels.max() == len(scores) == 1
    empty, none = separate(np.zeros((30, 30), bool), np.zeros((30, 30), np.float32), boxes(truth), 10)
    assert empty.max() == len(none) == 0


def test_no_proposals_at_all() -> None:
    truth = disks((30, 30), (60, 60))
    labels, scores = separate(truth > 0, distance_map(truth), EMPTY, 10)
    assert labels.max() == len(scores) == 2


def test_a_core_without_a_seed_gets_one_at_its_first_top() -> None:
    ridge = np.zeros((8, 20), np.float32)
    ridge[2:6, 2:6], ridge[2:6, 9:13], ridge[2:6, 15:18] = 0.7, 0.8, 0.9
    ridge[3:5, 10:12] = 0.95
    taken = np.array([[3, 16]])
    assert core_seeds(ridge, np.ones(ridge.shape, bool), taken).tolist() == [[2, 2], [3, 10]]


def test_passes_lie_between_neighbours_and_not_between_the_ends_of_rows() -> None:
    labels = np.array([[1, 1, 0, 3], [4, 2, 2, 3], [4, 0, 2, 0]], np.int32)
    ridge = np.arange(12, dtype=np.float32).reshape(3, 4)
    pairs, heights = saddles(labels, ridge)
    assert pairs.tolist() == [[1, 2], [1, 4], [2, 3], [2, 4]]
    assert heights.tolist() == [1, 0, 6, 4]


def test_passes_of_a_plane_of_one_column_or_one_row() -> None:
    labels, ridge = np.array([[1, 1, 2, 0, 3, 4]], np.int32), np.arange(6, dtype=np.float32)[None]
    for turned in (False, True):
        pairs, heights = saddles(*((labels.T, ridge.T) if turned else (labels, ridge)))
        assert pairs.tolist() == [[1, 2], [3, 4]]
        assert heights.tolist() == [1, 4]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.2, 0.5, 0.8]), st.integers(1, 40))
def test_holes_of_any_plane_are_filled_one_by_one(seed: int, share: float, most: int) -> None:
    foreground = np.random.default_rng(seed).random((20, 23)) < share
    truth = foreground.copy()
    holes, count = ndi.label(~foreground)
    for number in range(1, count + 1):
        if count > 1 and (holes == number).sum() <= most:
            truth |= holes == number
    kept = foreground.copy()
    assert np.array_equal(fill_small_holes(foreground, most), truth)
    assert np.array_equal(foreground, kept)


def test_holes_are_filled_by_size() -> None:
    mask = disks((48, 48), radius=30) > 0
    mask[40:43, 40:43] = False
    mask[50:65, 50:65] = False
    filled = fill_small_holes(mask, 20)
    assert filled[41, 41]
    assert not filled[55, 55]
    assert not filled[0, 0]


def flooded_both_ways(
    mask: np.ndarray, ridge: np.ndarray, seeds: np.ndarray, crowded: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Some pieces (N,) bool divided from seeds (flat, in the mask): by `flood`, and on the whole plane."""
    pieces = pieces_in(mask)
    assert pieces.count == ndi.label(mask, np.ones((3, 3), bool))[1]
    some = np.flatnonzero(crowded[pieces.of[pieces.run_at(seeds)]])
    own = pieces.among(crowded)
    quick, whole = np.zeros(mask.shape, np.int32), np.zeros(mask.shape, np.int32)
    found, *passes = flood(own, ridge, seeds, some)
    quick.ravel()[own.places()] = found
    markers, chosen = whole.copy(), np.zeros(mask.shape, bool)
    markers.ravel()[seeds[some]] = some + 1
    chosen.ravel()[own.places()] = True
    whole = watershed(-ridge, markers, mask=chosen, connectivity=2)
    pairs, heights = saddles(whole, ridge)
    order = np.lexsort(passes[0].T[::-1])
    assert np.array_equal(passes[0][order], pairs)
    assert np.array_equal(passes[1][order], heights)
    return quick, whole


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(3, 9), st.sampled_from([200, 2000, TOGETHER_PX]))
def test_pieces_side_by_side_are_divided_as_they_are_in_the_plane(
    seed: int, count: int, radius: int, together: int
) -> None:
    rng = np.random.default_rng(seed)
    truth = disks(*(rng.integers(0, 96, (count, 2))), radius=radius)
    ridge = (distance_map(truth) + rng.normal(scale=0.05, size=truth.shape)).astype(np.float32).round(rng.integers(5))
    seeds = rng.permutation(np.flatnonzero((truth > 0) & (rng.random(truth.shape) < 0.02)))
    ridge.ravel()[seeds] += 1e-3 * rng.random(len(seeds))  # which of two equal seeds floods first is left to chance
    crowded = rng.random(pieces_in(truth > 0).count) < 0.7
    if crowded.any():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nuset_engine.inference.watershed.TOGETHER_PX", together)
            quick, whole = flooded_both_ways(truth > 0, ridge, seeds, crowded)
        assert np.array_equal(quick, whole)


def test_pieces_around_each_other_are_divided_in_the_plane() -> None:
    """Laid out side by side, rings within rings would take many times the plane."""
    y, x = np.indices((90, 90)) - 45
    rings = (np.maximum(abs(y), abs(x)) // 2 % 2 == 1) & (np.maximum(abs(y), abs(x)) < 44)
    ridge = np.random.default_rng(0).random(rings.shape).astype(np.float32)
    seeds = np.flatnonzero(rings & ((x == 0) | (y == 0)))
    number = pieces_in(rings).count
    quick, whole = flooded_both_ways(rings, ridge, seeds, np.ones(number, bool))
    assert number > 5
    assert np.array_equal(quick, whole)
