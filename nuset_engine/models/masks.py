"""Masks in boxes: proposals that have one, as they are painted on a plane, and as they are learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import LabelsYX, MaskOrRowsN, MaskYX, MatrixF32, PlaneF32, TensorF32
from nuset_engine.inference.predictor import Prediction
from nuset_engine.inference.proposals import Proposals

ALIGNED, DRAWN = 14, 28
"""Cells along the edge of the features that a mask is drawn from, and of the mask, as in the original."""
LEARNED = 16
"""Boxes of a crop on which masks are learned, at most."""
MOVED, STRETCHED = 0.06, 0.1
"""By how much these differ from true boxes: standard deviations, of their sides and of the logarithm of these."""
UNCOUNTED = -1.0


@dataclass(frozen=True)
class MaskedProposals(Proposals):
    """Proposals with a mask each, (N, DRAWN, DRAWN) float32: the probability that a place in the box is nucleus."""

    masks: TensorF32

    def where(self, chosen: MaskOrRowsN) -> MaskedProposals:
        """A part of them, by mask or index."""
        return MaskedProposals(self.boxes[chosen], self.scores[chosen], self.masks[chosen])

    def and_those_of(self, others: Sequence[Proposals]) -> MaskedProposals:
        """These and those of others that have masks too."""
        masks = [one.masks for one in (self, *others) if isinstance(one, MaskedProposals)]
        together = super().and_those_of(others)
        return MaskedProposals(together.boxes, together.scores, np.concatenate(masks))


@dataclass(frozen=True)
class MaskedPrediction(Prediction):
    """What a network with a mask head says of one input: proposals with masks, which make up the foreground."""

    found: Proposals = field(kw_only=True)

    def proposals(self, min_score: float) -> Proposals:
        """Those with at least this score."""
        return self.found.where(self.found.scores >= min_score)


def painted(found: MaskedProposals, shape: tuple[int, ...]) -> tuple[PlaneF32, LabelsYX]:
    """Masks on a plane.

    Returns
    -------
    probability : (Y, X) float32
        The largest of all masks.
    owner : (Y, X) int32
        The proposal whose that is, from 1; 0 where there is none.
    """
    probability, owner = np.zeros((shape[0], shape[1]), np.float32), np.zeros((shape[0], shape[1]), np.int32)
    for number, (box, mask) in enumerate(zip(found.boxes, found.masks, strict=True), start=1):
        (rows, down), (columns, along) = (_cells(box[axis], box[axis + 2], shape[axis]) for axis in (0, 1))
        drawn = down @ mask @ along.T
        best = probability[rows, columns]
        better = drawn > best
        best[better] = drawn[better]
        owner[rows, columns][better] = number
    return probability, owner


def _cells(start: float, stop: float, length: int) -> tuple[slice, MatrixF32]:
    """The pixels whose middles lie between two places on an axis, and the weights (n, DRAWN) of a mask's cells there.

    Between the middles of two cells it is interpolated.
    """
    first, last = max(0, int(np.ceil(start - 0.5))), min(length, int(np.ceil(stop - 0.5)))
    pixels = slice(first, max(first, last))
    place = (np.arange(pixels.start, pixels.stop) + 0.5 - start) * (DRAWN / max(stop - start, 1e-6)) - 0.5
    near = np.clip(place, 0, DRAWN - 1)[:, None] - np.arange(DRAWN)
    return pixels, np.maximum(1 - np.abs(near), 0).astype(np.float32)


def mask_targets(labels: LabelsYX, rng: np.random.Generator) -> tuple[TensorF32, TensorF32]:
    """Boxes near those of some nuclei of a crop (Y, X), and the mask in each.

    Returns
    -------
    boxes : (LEARNED, 4) float32
    masks : (LEARNED, DRAWN, DRAWN) float32
        0 or 1; `UNCOUNTED` where there are fewer nuclei.
    """
    boxes = np.zeros((LEARNED, 4), np.float32)
    masks = np.full((LEARNED, DRAWN, DRAWN), UNCOUNTED, np.float32)
    windows = [(n, w) for n, w in enumerate(ndi.find_objects(labels), start=1) if w is not None]
    for index, chosen in enumerate(rng.permutation(len(windows))[:LEARNED]):
        number, (rows, columns) = windows[chosen]
        boxes[index] = _moved(np.array([rows.start, columns.start, rows.stop, columns.stop], np.float32), rng)
        masks[index] = _mask(labels == number, boxes[index])
    return boxes, masks


def _moved(box: TensorF32, rng: np.random.Generator) -> TensorF32:
    """A box (4,) as a proposal may be off."""
    sides = box[2:] - box[:2]
    middle = (box[:2] + box[2:]) / 2 + rng.normal(0, MOVED, 2) * sides
    half = sides * np.exp(rng.normal(0, STRETCHED, 2)) / 2
    return np.concatenate([middle - half, middle + half]).astype(np.float32)


def _mask(inside: MaskYX, box: TensorF32) -> TensorF32:
    """What of a nucleus (Y, X) bool the middles of a mask's cells meet; nothing beyond the crop."""
    share = (np.arange(DRAWN) + 0.5) / DRAWN
    rows, columns = (np.floor(box[axis] + share * (box[axis + 2] - box[axis])).astype(int) for axis in (0, 1))
    known = [(places >= 0) & (places < size) for places, size in zip((rows, columns), inside.shape, strict=True)]
    values = inside[np.ix_(np.clip(rows, 0, inside.shape[0] - 1), np.clip(columns, 0, inside.shape[1] - 1))]
    mask: TensorF32 = (values & known[0][:, None] & known[1][None]).astype(np.float32)
    return mask
