"""How sure of its proposals a network is, set so that the usual least scores suit it.

The least scores of the engine were chosen for the shipped weights. A network that learned another kind of image from a
few examples is less sure of what it finds, though it finds the right things: by the same least scores, half of it would
be dropped. One number, added to the logits of all proposals, sets that right; settings stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nuset_engine.arrays import LabelsYX, MaskYX, PlaneYX, ScoresN
from nuset_engine.evaluation.metrics import match
from nuset_engine.evaluation.scores import seen_nuclei
from nuset_engine.inference.instances import nuclei_of
from nuset_engine.inference.passes import PlaneMaps, run_network
from nuset_engine.inference.proposals import Proposals
from nuset_engine.network import keras
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.scaled_plane import ScaledPlane
from nuset_engine.segment import Segmenter

SHIFTS = tuple(float(shift) for shift in np.arange(-1.0, 2.01, 0.5))
MOST_IMAGES = 12
SCORES = "_score"
"""How the names of the layers end that score proposals."""


@dataclass(frozen=True)
class Judged:
    """An image (Y, X), its labels, and where somebody looked at these; None: everywhere."""

    image: PlaneYX
    labels: LabelsYX
    seen: MaskYX | None = None


def fitted_shift(segmenter: Segmenter, judged: Sequence[Judged]) -> float:
    """What is to be added to the logits of scores, by the average precision at 0.5 over all nuclei of some images.

    Sizes, polarity and intensities are those that the network measures as it is; of shifts that serve equally well it
    is the smallest one. 0 where no nucleus is labelled.
    """
    counts = np.sum([_counts(segmenter, one) for one in judged], axis=0)
    hits, found, true = counts.T
    if not true.any():
        return 0.0
    precision = hits / np.maximum(true + found - hits, 1)
    return min(zip(SHIFTS, precision, strict=True), key=lambda one: (-one[1], abs(one[0])))[0]


def shift_scores(network: keras.Model, shift: float) -> None:
    """Add to the logits of all scores."""
    for layer in network.layers:
        if layer.name.endswith(SCORES):
            layer.bias.assign_add(np.full(layer.bias.shape, np.float32(shift)))


def _counts(segmenter: Segmenter, one: Judged) -> list[tuple[int, int, int]]:
    """For each shift: nuclei that were hit, found, and are there."""
    found = _found(segmenter, one.image)
    truth = one.labels if one.seen is None else seen_nuclei(one.labels, one.seen)
    rows = []
    for labels in found:
        matching = match(truth, labels if one.seen is None else seen_nuclei(labels, one.seen))
        rows.append((matching.true_positives, matching.predicted_count, matching.true_count))
    return rows


def _found(segmenter: Segmenter, image: PlaneYX) -> list[LabelsYX]:
    """Labels of an image by each shift; the network looks once."""
    known, own = segmenter.statistics([image]), segmenter.params
    if known.is_blank:
        return [np.zeros(image.shape, np.int32) for _ in SHIFTS]
    params = known.outlined(own)
    (least,) = _shifted(np.array([own.seed_score], np.float32), -max(SHIFTS))
    (maps,) = run_network(
        [ScaledPlane(image, known.scale, known.intensity.background, known.exposure).whole()],
        known.intensity,
        segmenter.predictor(stacked=False),
        stacked=False,
        tile=own.tile_px,
        min_score=float(least),
        nms_iou=own.nms_iou,
    )
    return [nuclei_of(_with_scores(maps, shift, params), image.shape, params).labels for shift in SHIFTS]


def _with_scores(maps: PlaneMaps, shift: float, params: SegmentationParams) -> PlaneMaps:
    """The maps as they would be; what wins a suppression wins it by any shift."""
    scores = _shifted(maps.proposals.scores, shift)
    return replace(maps, proposals=Proposals(maps.proposals.boxes, scores).where(scores > params.seed_score))


def _shifted(scores: ScoresN, shift: float) -> ScoresN:
    """Scores between 0 and 1 with something added to their logits."""
    odds = np.exp(np.float32(shift)) * scores / np.maximum(1 - scores, np.float32(1e-6))
    shifted: ScoresN = np.divide(odds, 1 + odds, dtype=np.float32)
    return shifted
