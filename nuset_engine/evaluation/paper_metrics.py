"""The twelve metrics of the NuSeT paper (PLOS Computational Biology 2020, Methods, "Model evaluation").

Eight are about nuclei and are pooled over a data set, four are about pixels and are averaged over its images. Where the
paper's text leaves a number open, the choice is written here:

1. touching nuclei separated: of the true nuclei that touch another one (a pixel of it among the 8 or 26 neighbours of
   one of their own), the share matched at IoU 0.5.
2. correct: predicted nuclei linked one to one with a true one (`metrics.match` at IoU 0.5).
3. incorrect: predicted nuclei not linked. The next three are parts of them. A true and a predicted nucleus belong
   together where they are linked or share at least half of the smaller one; this makes groups, named by their sizes.
4. split: incorrect predictions in groups of one true nucleus and several predictions.
5. merge: incorrect predictions in groups of several true nuclei and one prediction.
6. catastrophe: incorrect predictions in groups of several true nuclei and several predictions.
7. FN rate: share of true nuclei whose largest IoU with any prediction is below 0.7.
8. FP rate: share of predicted nuclei whose largest IoU with any true nucleus is below 0.7.
9. mean IoU: mean over foreground and background of TP / (TP + FP + FN) in pixels; a class without pixels counts 1.
10. RMSE: root of the mean squared difference of the binary masks.
11. F1: 2 precision recall / (precision + recall) of foreground pixels; 1 where neither image has any.
12. pixel accuracy: share of pixels on which the binary masks agree.

The paper removed predictions below a fifth of the mean area before scoring; here, nothing is removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from scipy import ndimage, sparse

from nuset_engine.arrays import IntsN, Labels
from nuset_engine.evaluation.metrics import Matching, match_overlap
from nuset_engine.overlap import Overlap, overlap

DETECTION_IOU = 0.7
TOGETHER = 0.5


@dataclass(frozen=True)
class NucleusCounts:
    """Counts of one image, or summed over several."""

    true_nuclei: int = 0
    predicted_nuclei: int = 0
    touching: int = 0
    touching_separated: int = 0
    correct: int = 0
    incorrect: int = 0
    split: int = 0
    merge: int = 0
    catastrophe: int = 0
    missing: int = 0
    misdetected: int = 0

    @classmethod
    def pooled(cls, counts: Iterable[NucleusCounts]) -> NucleusCounts:
        """The sums over images."""
        images = list(counts)
        return cls(**{f.name: sum(getattr(image, f.name) for image in images) for f in fields(cls)})

    def metrics(self) -> dict[str, float]:
        """The first eight metrics; a share of nothing is NaN."""
        return {
            "touching_separated": _share(self.touching_separated, self.touching),
            "correct": self.correct,
            "incorrect": self.incorrect,
            "split": self.split,
            "merge": self.merge,
            "catastrophe": self.catastrophe,
            "fn_rate": _share(self.missing, self.true_nuclei),
            "fp_rate": _share(self.misdetected, self.predicted_nuclei),
        }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def twelve_metrics(truth: Labels, predicted: Labels) -> dict[str, float]:
    """All twelve metrics of one image.

    Parameters
    ----------
    truth, predicted : (Y, X) or (Z, Y, X) integers
        Labels, 0 is background.

    Returns
    -------
    dict
        ``touching_separated, correct, incorrect, split, merge, catastrophe, fn_rate, fp_rate, mean_iou, rmse, f1,
        pixel_accuracy``; shares of nothing are NaN.

    Raises
    ------
    EngineError
        If the shapes differ or an array does not hold labels.
    """
    found = overlap(truth, predicted)
    counts = nucleus_counts(found, match_overlap(found), touching_labels(truth))
    return counts.metrics() | pixel_metrics(truth, predicted)


def nucleus_counts(found: Overlap, matching: Matching, touching: IntsN) -> NucleusCounts:
    """Counts behind the first eight metrics.

    Parameters
    ----------
    found : Overlap
        Of truth and prediction.
    matching : Matching
        At IoU 0.5.
    touching : (K,) int64
        Labels of the true nuclei that touch another.
    """
    n, m = len(found.labels_a), len(found.labels_b)
    best_true, best_predicted = np.zeros(n), np.zeros(m)
    np.maximum.at(best_true, found.rows, found.iou)
    np.maximum.at(best_predicted, found.columns, found.iou)
    split, merge, catastrophe = _named_errors(found, matching)
    return NucleusCounts(
        true_nuclei=n,
        predicted_nuclei=m,
        touching=len(touching),
        touching_separated=int(np.isin(touching, matching.true_labels).sum()),
        correct=matching.true_positives,
        incorrect=matching.false_positives,
        split=split,
        merge=merge,
        catastrophe=catastrophe,
        missing=int((best_true < DETECTION_IOU).sum()),
        misdetected=int((best_predicted < DETECTION_IOU).sum()),
    )


def _named_errors(found: Overlap, matching: Matching) -> tuple[int, int, int]:
    """Incorrect predictions in groups that are a split, a merge, a catastrophe."""
    n, m = len(found.labels_a), len(found.labels_b)
    partner = np.full(n, -1)
    partner[np.searchsorted(found.labels_a, matching.true_labels)] = matching.predicted_labels
    linked = partner[found.rows] == found.labels_b[found.columns]
    edge = linked | (found.over_smaller >= TOGETHER)
    graph = sparse.coo_matrix((np.ones(edge.sum()), (found.rows[edge], n + found.columns[edge])), shape=(n + m, n + m))
    groups, group = sparse.csgraph.connected_components(graph, directed=False)
    true_size = np.bincount(group[:n], minlength=groups)
    predicted_size = np.bincount(group[n:], minlength=groups)
    wrong = group[n:][~np.isin(found.labels_b, matching.predicted_labels)]
    several_true, several_predicted = true_size[wrong] > 1, predicted_size[wrong] > 1
    split = (true_size[wrong] == 1) & several_predicted
    merge = several_true & ~several_predicted
    return int(split.sum()), int(merge.sum()), int((several_true & several_predicted).sum())


def touching_labels(labels: Labels) -> IntsN:
    """(K,) int64 labels of the nuclei that have a pixel of another one among their direct neighbours, diagonals too."""
    wide = labels.astype(np.int64)
    far = wide.max(initial=0) + 1  # the filters count in float64, so not the largest integer
    highest = ndimage.maximum_filter(wide, size=3, mode="nearest")
    lowest = ndimage.minimum_filter(np.where(wide > 0, wide, far), size=3, mode="nearest")
    beside = (wide > 0) & ((highest != wide) | (lowest != wide))
    return np.unique(wide[beside])


def pixel_metrics(truth: Labels, predicted: Labels) -> dict[str, float]:
    """The last four metrics, on the binary masks of both label images."""
    true_mask, mask = truth > 0, predicted > 0
    both = int(np.count_nonzero(true_mask & mask))
    true_only = int(np.count_nonzero(true_mask)) - both
    predicted_only = int(np.count_nonzero(mask)) - both
    neither = truth.size - both - true_only - predicted_only
    wrong = true_only + predicted_only
    ious = [right / (right + wrong) if right + wrong else 1.0 for right in (both, neither)]
    return {
        "mean_iou": float(np.mean(ious)),
        "rmse": float(np.sqrt(wrong / truth.size)) if truth.size else 0.0,
        "f1": 2 * both / (2 * both + wrong) if both + wrong else 1.0,
        "pixel_accuracy": 1.0 - wrong / truth.size if truth.size else 1.0,
    }
