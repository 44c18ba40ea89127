"""How sure of its proposals a network is, set so that the usual least scores suit it.

The least scores of the engine were chosen for the shipped weights. A network that learned another kind of image from a
few examples is less sure of what it finds, though it finds the right things: by the same least scores, half of it would
be dropped. One number, added to the logits of all proposals, sets that right; settings stay what they are. It is
chosen on images most of which were learned from, so it is kept small: more may serve these and fail others, for the
engine is then sure of what it sees in the wrong polarity or at the wrong size as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nuset_engine.anchors import LEVELS
from nuset_engine.arrays import HeadYXK, InputsNYXC, LabelsYX, MaskYX, PlaneYX
from nuset_engine.evaluation.metrics import match
from nuset_engine.evaluation.scores import seen_nuclei
from nuset_engine.inference.instances import nuclei_of
from nuset_engine.inference.passes import Reading, run_network
from nuset_engine.inference.predictor import Prediction, Predictor
from nuset_engine.inference.review import reviewed
from nuset_engine.inference.survey import survey
from nuset_engine.network import keras
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.scaled_plane import ScaledPlane
from nuset_engine.segment import Segmenter

SHIFTS = (0.0, 0.5, 1.0, 1.5)
NEAR = 0.02
"""Shifts whose average precision is so little below the best serve as well."""
MOST_IMAGES = 12
SCORES = "_score"
"""How the names of the layers end that score proposals."""


@dataclass(frozen=True)
class Judged:
    """An image (Y, X), its labels, and where somebody looked at these; None: everywhere."""

    image: PlaneYX
    labels: LabelsYX
    seen: MaskYX | None = None


class Moved(Predictor):
    """A network with something added to the logits of its scores."""

    def __init__(self, of: Predictor, shift: float) -> None:
        self.weights, self.separated = of.weights, of.separated
        self._of, self._shift = of, np.float32(shift)

    def padded(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """As the network shows it."""
        return self._of.padded(shape)

    def predict(self, inputs: InputsNYXC) -> list[Prediction]:
        """Predict as the network does, but more or less sure."""
        return [replace(one, heads=self._moved(one.heads)) for one in self._of.predict(inputs)]

    def _moved(self, heads: tuple[HeadYXK, ...]) -> tuple[HeadYXK, ...]:
        added = [np.where(np.arange(level.count * 5) < level.count, self._shift, np.float32(0)) for level in LEVELS]
        return tuple(head + more for head, more in zip(heads, added, strict=True))


def fitted_shift(segmenter: Segmenter, judged: Sequence[Judged]) -> float:
    """What is to be added to the logits of scores, by the average precision at 0.5 over all nuclei of some images.

    Of shifts that serve about equally well (`NEAR`) it is the smallest one.
    """
    counts = np.sum([_counts(segmenter, one) for one in judged], axis=0)
    hits, found, true = counts.T
    precision = hits / np.maximum(true + found - hits, 1)
    return next(s for s, one in zip(SHIFTS, precision, strict=True) if one >= precision.max() - NEAR)


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
    """Labels of an image by each shift; sizes too are measured by the nuclei that one is sure of."""
    return [_segmented(Moved(segmenter.predictor(stacked=False), shift), segmenter.params, image) for shift in SHIFTS]


def _segmented(predictor: Predictor, params: SegmentationParams, image: PlaneYX) -> LabelsYX:
    """Labels of a single plane."""
    known = survey([image], predictor, params, stacked=False)
    if known.is_blank:
        return np.zeros(image.shape, np.int32)
    shown = ScaledPlane(image, known.scale, known.intensity.background, known.exposure).whole()
    (maps,) = run_network(
        [shown],
        known.intensity,
        predictor,
        stacked=False,
        tile=params.tile_px,
        min_score=params.seed_score,
        nms_iou=params.nms_iou,
    )
    outlined = known.outlined(params)
    reading = Reading(known.intensity, False, params.tile_px, params.seed_score, params.nms_iou)
    found = reviewed(predictor.separated(maps, outlined), shown, reading, predictor, outlined)
    return nuclei_of(found, image.shape, outlined).labels
