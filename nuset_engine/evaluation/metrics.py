"""Scores of labels against truth: matching by intersection over union, average precision, panoptic quality, SEG.

All functions take two label images of one shape, in two or three dimensions: integers, 0 is background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FloatsN, IntsN, Labels
from nuset_engine.assignment import assign
from nuset_engine.errors import EngineError
from nuset_engine.overlap import Overlap, overlap

IOU_THRESHOLDS: tuple[float, ...] = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # 0.5 .. 0.95


@dataclass(frozen=True)
class Matching:
    """A one-to-one matching of true and predicted nuclei at one threshold.

    Attributes
    ----------
    threshold : float
        Least intersection over union of a match.
    true_labels, predicted_labels : (K,) int64
        Labels of the matched nuclei, by ascending true label.
    ious : (K,) float64
        Their intersection over union.
    true_count, predicted_count : int
        Number of nuclei in both images.
    """

    threshold: float
    true_labels: IntsN
    predicted_labels: IntsN
    ious: FloatsN
    true_count: int
    predicted_count: int

    @property
    def true_positives(self) -> int:
        """Matched nuclei."""
        return len(self.ious)

    @property
    def false_positives(self) -> int:
        """Predicted nuclei without a match."""
        return self.predicted_count - len(self.ious)

    @property
    def false_negatives(self) -> int:
        """True nuclei without a match."""
        return self.true_count - len(self.ious)

    @property
    def average_precision(self) -> float:
        """TP / (TP + FP + FN), as the 2018 Data Science Bowl and StarDist score; 1 where there is nothing."""
        return _ratio(self.true_positives, self.true_count + self.predicted_count - self.true_positives)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return _ratio(self.true_positives, self.predicted_count)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return _ratio(self.true_positives, self.true_count)


def _ratio(part: float, whole: float) -> float:
    """A share; 1 where there is nothing of which to take it."""
    return float(part / whole) if whole else 1.0


def match(truth: Labels, predicted: Labels, threshold: float = 0.5) -> Matching:
    """Match nuclei one to one: as many as possible with IoU >= `threshold`, among these choices the largest summed IoU.

    Raises
    ------
    EngineError
        If the shapes differ, an array does not hold labels, or the threshold is not in (0, 1].
    """
    return match_overlap(overlap(truth, predicted), threshold)


def match_overlap(found: Overlap, threshold: float = 0.5) -> Matching:
    """`match` on an overlap table, for several thresholds on one pair of images."""
    if not 0.0 < threshold <= 1.0:
        raise EngineError(f"A matching threshold of {threshold} is not an IoU; give a number above 0 and up to 1.")
    iou = found.iou
    fits = np.flatnonzero(iou >= threshold)
    # One whole per match outweighs any sum of the fractions.
    gain = 1.0 + iou[fits] / (2 * max(min(len(found.labels_a), len(found.labels_b)), 1))
    chosen = fits[assign(found.rows[fits], found.columns[fits], gain)]
    return Matching(
        threshold,
        found.labels_a[found.rows[chosen]],
        found.labels_b[found.columns[chosen]],
        iou[chosen],
        len(found.labels_a),
        len(found.labels_b),
    )


def average_precision(truth: Labels, predicted: Labels, thresholds: Sequence[float] = IOU_THRESHOLDS) -> FloatsN:
    """(T,) float64 average precision TP / (TP + FP + FN) of one image at each threshold."""
    found = overlap(truth, predicted)
    return np.array([match_overlap(found, threshold).average_precision for threshold in thresholds])


def panoptic_quality(truth: Labels, predicted: Labels) -> dict[str, float]:
    """Panoptic quality (Kirillov et al. 2019): matches have an IoU above 0.5.

    Returns
    -------
    dict
        ``pq`` = summed IoU of matches / (TP + FP / 2 + FN / 2), ``sq`` = mean IoU of matches, ``rq`` = F1 of nuclei.
    """
    return panoptic_of(match(truth, predicted))


def panoptic_of(matching: Matching) -> dict[str, float]:
    """`panoptic_quality` of a matching at 0.5; matches of exactly 0.5 do not count, as its authors define."""
    hits = matching.ious[matching.ious > 0.5]
    size = (matching.true_count + matching.predicted_count) / 2
    return {
        "pq": _ratio(float(hits.sum()), size),
        "sq": _ratio(float(hits.sum()), len(hits)),
        "rq": _ratio(len(hits), size),
    }


def seg(truth: Labels, predicted: Labels) -> float:
    """SEG of the Cell Tracking Challenge: mean over true nuclei of the IoU with the prediction that covers more than
    half of them, 0 where none does; 1 where there is no true nucleus."""
    ious = seg_ious(overlap(truth, predicted))
    return float(ious.mean()) if len(ious) else 1.0


def seg_ious(found: Overlap) -> FloatsN:
    """(N,) float64 contribution of every true nucleus to `seg`."""
    covered = found.share_of_a > 0.5
    ious = np.zeros(len(found.labels_a))
    ious[found.rows[covered]] = found.iou[covered]
    return ious
