"""Metrics against hand-made cases, a brute-force matching, scikit-image and cellseg-metrics."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import drawn
from scipy.optimize import linear_sum_assignment
from skimage.metrics import contingency_table, mean_squared_error

from nuset_engine.errors import EngineError
from nuset_engine.evaluation.metrics import IOU_THRESHOLDS, average_precision, match, panoptic_quality, seg
from nuset_engine.evaluation.paper_metrics import NucleusCounts, touching_labels, twelve_metrics

TOUCHING_PAIR = drawn("""
    AAAABBBB..CC
    AAAABBBB..CC
    AAAABBBB..CC
""")


def scattered(rng: np.random.Generator, shape: tuple[int, ...], count: int) -> np.ndarray:
    """Random boxes, later ones over earlier ones."""
    labels = np.zeros(shape, np.int32)
    for label in range(1, count + 1):
        start = [rng.integers(0, n - 5) for n in shape]
        labels[tuple(slice(s, s + rng.integers(5, 12)) for s in start)] = label
    return labels


def jittered(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """The same nuclei moved, with some lost, two fused and one invented."""
    moved = np.roll(labels, 1, int(rng.integers(labels.ndim)))
    moved[moved == 3] = 0
    moved[moved == 5] = 6
    moved[(slice(0, 3),) * labels.ndim] = 99
    return moved


@pytest.fixture(params=range(6))
def pair(request):
    rng = np.random.default_rng(request.param)
    truth = scattered(rng, (90, 90) if request.param % 2 else (14, 40, 40), 25)
    return truth, jittered(rng, truth)


def iou_matrix(truth, predicted):
    """From scikit-image's contingency table, background left out."""
    table = np.asarray(contingency_table(truth, predicted, sparse_type="array").todense())
    present_true, present = np.flatnonzero(table.sum(1)), np.flatnonzero(table.sum(0))
    table = table[np.ix_(present_true, present)]
    union = table.sum(1)[:, None] + table.sum(0)[None] - table
    return (table / union)[1:, 1:]


def test_average_precision_equals_a_dense_assignment_on_scikit_images_table(pair):
    iou = iou_matrix(*pair)
    expected = []
    for threshold in IOU_THRESHOLDS:
        gain = np.where(iou >= threshold, 1 + iou / (2 * min(iou.shape)), 0)
        rows, columns = linear_sum_assignment(gain, maximize=True)
        hits = (gain[rows, columns] > 0).sum()
        expected.append(hits / (sum(iou.shape) - hits))
    np.testing.assert_allclose(average_precision(*pair), expected)


def test_panoptic_quality_and_seg_equal_their_formulas(pair):
    truth, predicted = pair
    iou = iou_matrix(truth, predicted)
    hits = iou[iou > 0.5]
    score = panoptic_quality(truth, predicted)
    assert score["pq"] == pytest.approx(hits.sum() / (sum(iou.shape) / 2))
    assert score["pq"] == pytest.approx(score["sq"] * score["rq"])
    parts = []
    for label in np.unique(truth[truth > 0]):
        inside = np.bincount(predicted[truth == label])
        best = int(inside[1:].argmax()) + 1 if len(inside) > 1 else 0
        covered = best and inside[best] > 0.5 * (truth == label).sum()
        parts.append(iou_of(truth == label, predicted == best) if covered else 0.0)
    assert seg(truth, predicted) == pytest.approx(np.mean(parts))


def test_scores_of_planes_equal_those_of_an_independent_library(pair):
    cellseg_metrics = pytest.importorskip("cellseg_metrics")
    truth, predicted = pair[0].astype(np.int64), pair[1].astype(np.int64)
    if truth.ndim == 3:  # the library knows planes only
        truth, predicted = truth[7], predicted[7]
    theirs = cellseg_metrics.panoptic_quality(truth, predicted)
    ours = panoptic_quality(truth, predicted)
    assert [ours["pq"], ours["sq"], ours["rq"]] == pytest.approx([theirs["pq"], theirs["sq"], theirs["dq"]], abs=1e-6)
    for threshold, ours_at in zip(IOU_THRESHOLDS, average_precision(truth, predicted), strict=True):
        just_below = threshold - 1e-6  # theirs must exceed it, ours may equal it
        precision = cellseg_metrics.average_precision(truth, predicted, just_below)
        matching = match(truth, predicted, threshold)
        assert matching.precision == pytest.approx(precision, abs=1e-6)
        hits = round(precision * matching.predicted_count)
        assert ours_at == pytest.approx(hits / (len(np.unique(truth)) + len(np.unique(predicted)) - 2 - hits))
    parts = cellseg_metrics.get_stats((truth > 0).astype(int), (predicted > 0).astype(int))
    scores = twelve_metrics(truth, predicted)
    assert scores["f1"] == pytest.approx(cellseg_metrics.f1score(*parts), abs=1e-6)
    assert scores["pixel_accuracy"] == pytest.approx(cellseg_metrics.accuracy(*parts), abs=1e-6)
    background = cellseg_metrics.get_stats((truth == 0).astype(int), (predicted == 0).astype(int))
    both = [cellseg_metrics.iou_score(*parts), cellseg_metrics.iou_score(*background)]
    assert scores["mean_iou"] == pytest.approx(np.mean(both), abs=1e-6)
    assert scores["rmse"] ** 2 == pytest.approx(mean_squared_error((truth > 0) * 1.0, (predicted > 0) * 1.0))


def iou_of(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_match_is_one_to_one_and_prefers_more_matches():
    truth = drawn("AAAAAABBB")
    predicted = drawn("AAABBBBBB")
    matching = match(truth, predicted, 0.3)
    assert matching.true_labels.tolist() == [1, 2]
    assert matching.predicted_labels.tolist() == [1, 2]
    assert (matching.true_positives, matching.false_positives, matching.false_negatives) == (2, 0, 0)


def test_a_perfect_prediction_scores_one_whatever_its_numbers():
    renumbered = np.array([0, 40, 7, 1000])[TOUCHING_PAIR]
    assert average_precision(TOUCHING_PAIR, renumbered).tolist() == [1.0] * 10
    scores = twelve_metrics(TOUCHING_PAIR, renumbered)
    assert scores == {
        "touching_separated": 1.0,
        "correct": 3,
        "incorrect": 0,
        "split": 0,
        "merge": 0,
        "catastrophe": 0,
        "fn_rate": 0.0,
        "fp_rate": 0.0,
        "mean_iou": 1.0,
        "rmse": 0.0,
        "f1": 1.0,
        "pixel_accuracy": 1.0,
    }


def errors_of(truth, predicted):
    scores = twelve_metrics(truth, predicted)
    return {name: scores[name] for name in ("correct", "incorrect", "split", "merge", "catastrophe")}


def test_a_merge():
    truth, predicted = drawn("AAABBBCCC"), drawn("AAAAAAAAA")
    assert errors_of(truth, predicted) == {"correct": 0, "incorrect": 1, "split": 0, "merge": 1, "catastrophe": 0}
    assert twelve_metrics(truth, predicted)["touching_separated"] == 0.0


def test_a_split():
    scores = errors_of(drawn("AAAAAAAAA"), drawn("AAABBBCCC"))
    assert scores == {"correct": 0, "incorrect": 3, "split": 3, "merge": 0, "catastrophe": 0}


def test_a_split_whose_larger_part_still_matches():
    scores = errors_of(drawn("AAAAAAAAA"), drawn("AAAAAAABB"))
    assert scores == {"correct": 1, "incorrect": 1, "split": 1, "merge": 0, "catastrophe": 0}


def test_a_catastrophe():
    scores = errors_of(drawn("AAAAAAAAAABBBB"), drawn("AAAABBBBBBBBBB"))
    assert scores == {"correct": 0, "incorrect": 2, "split": 0, "merge": 0, "catastrophe": 2}


def test_a_nucleus_from_nowhere_is_incorrect_and_nothing_else():
    scores = errors_of(drawn("AAA......"), drawn("AAA...BBB"))
    assert scores == {"correct": 1, "incorrect": 1, "split": 0, "merge": 0, "catastrophe": 0}


def test_rates_at_overlap_07_take_the_best_iou():
    truth = drawn("AAAAAAAAAA.BBBB")
    assert twelve_metrics(truth, drawn("AAAAAAA....BBBB"))["fn_rate"] == 0.0
    assert twelve_metrics(truth, drawn("AAAAAA.....BBBB"))["fn_rate"] == 0.5
    assert twelve_metrics(truth, drawn("AAAAAA...CCBBBB"))["fp_rate"] == pytest.approx(2 / 3)


def test_pixel_metrics_by_hand():
    scores = twelve_metrics(drawn("AAAA...."), drawn("..AAAA.."))
    assert scores["mean_iou"] == pytest.approx((2 / 6 + 2 / 6) / 2)
    assert scores["rmse"] == pytest.approx(np.sqrt(4 / 8))
    assert scores["f1"] == pytest.approx(0.5)
    assert scores["pixel_accuracy"] == pytest.approx(0.5)


def test_touching_means_one_pixel_away_diagonals_included():
    assert touching_labels(TOUCHING_PAIR).tolist() == [1, 2]
    diagonal = drawn("""
        AA..
        ..BB
        ....
        CC..
    """)
    assert touching_labels(diagonal).tolist() == [1, 2]
    above = np.zeros((2, 3, 3), np.uint16)
    above[0, 1, 1], above[1, 2, 2] = 1, 2
    assert touching_labels(above).tolist() == [1, 2]


def test_images_without_nuclei_are_ordinary():
    empty, full = np.zeros((4, 4), int), np.ones((4, 4), int)
    assert average_precision(empty, empty).tolist() == [1.0] * 10
    assert average_precision(empty, full).tolist() == [0.0] * 10
    assert seg(empty, full) == 1.0
    assert seg(full, empty) == 0.0
    scores = twelve_metrics(empty, empty)
    assert (scores["mean_iou"], scores["f1"], scores["rmse"]) == (1.0, 1.0, 0.0)
    assert np.isnan(scores["fn_rate"])


def test_counts_of_images_add_up():
    total = NucleusCounts.pooled([NucleusCounts(true_nuclei=3, missing=1), NucleusCounts(true_nuclei=1, missing=1)])
    assert total.metrics()["fn_rate"] == 0.5


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_a_threshold_that_is_no_iou_is_refused(threshold):
    with pytest.raises(EngineError, match="not an IoU"):
        match(TOUCHING_PAIR, TOUCHING_PAIR, threshold)
