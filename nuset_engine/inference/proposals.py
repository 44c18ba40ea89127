"""From the heads of the Region Proposal Network to boxes, one per nucleus."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from nuset_engine.anchors import LEVELS, AnchorLevel, anchor_boxes_at, decode
from nuset_engine.arrays import (
    BoxesN4,
    FlagsN,
    FlagsNM,
    HeadYXK,
    MaskOrRowsN,
    MatrixF32,
    PointsYX32,
    RowsN,
    ScoresN,
    SidesN2,
)

FEW, FEW_TOGETHER = 2048, 64  # so many boxes are compared all with all, the best first and some at a time
TOGETHER = 128  # boxes whose neighbours are sought at once: where they lie dense, all at once would not fit into memory


@dataclass(frozen=True)
class Proposals:
    """Boxes ``(y0, x0, y1, x1)`` (N, 4) float32 in network pixels and their scores (N,) float32, best first."""

    boxes: BoxesN4
    scores: ScoresN

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def centres(self) -> PointsYX32:
        """(N, 2) float32 y, x."""
        centres: PointsYX32 = np.divide(self.boxes[:, :2] + self.boxes[:, 2:], 2)
        return centres

    @property
    def diameters(self) -> ScoresN:
        """(N,) float32: geometric mean of height and width, which is the diameter of a round nucleus."""
        area: ScoresN = np.prod(self.boxes[:, 2:] - self.boxes[:, :2], axis=1)
        return np.sqrt(area)

    def shifted(self, y: float, x: float) -> Proposals:
        """The same boxes in a frame whose origin lies at (-y, -x)."""
        return replace(self, boxes=self.boxes + np.array([y, x, y, x], np.float32))

    def where(self, chosen: MaskOrRowsN) -> Proposals:
        """A part of the proposals, by mask or index."""
        return Proposals(self.boxes[chosen], self.scores[chosen])

    def and_those_of(self, others: Sequence[Proposals]) -> Proposals:
        """These and those of others of its kind, one after the other."""
        parts = [self, *others]
        return Proposals(np.concatenate([p.boxes for p in parts]), np.concatenate([p.scores for p in parts]))


EMPTY = Proposals(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


def joined(parts: list[Proposals]) -> Proposals:
    """Proposals of several sources as one, best first."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return EMPTY
    together = parts[0].and_those_of(parts[1:])
    # Ties are broken by position, so that the order never depends on how the image was cut.
    return together.where(np.lexsort((together.boxes[:, 1], together.boxes[:, 0], -together.scores)))


def decode_heads(heads: Sequence[HeadYXK], min_score: float, levels: Sequence[AnchorLevel] = LEVELS) -> Proposals:
    """All anchors with at least `min_score`, as boxes.

    Parameters
    ----------
    heads : sequence of (h, w, A * 5) float32, one per level
    min_score : float
        Between 0 and 1.
    """
    lowest = np.log(max(min_score, 1e-6) / max(1 - min_score, 1e-6))
    parts = []
    for level, head in zip(levels, heads, strict=True):
        cells = head.reshape(-1, head.shape[-1])
        chosen = np.flatnonzero(cells[:, : level.count] > lowest)
        if not chosen.size:
            continue
        cell, anchor = np.divmod(chosen, level.count)
        offsets = cells[cell[:, None], level.count + 4 * anchor[:, None] + np.arange(4)]
        boxes = decode(anchor_boxes_at(level, *np.divmod(cell, head.shape[1]), anchor), offsets)
        scores: ScoresN = (1 / (1 + np.exp(-cells[cell, anchor]))).astype(np.float32)
        parts.append(Proposals(boxes.astype(np.float32), scores))
    return joined(parts)


def suppress(proposals: Proposals, max_iou: float) -> Proposals:
    """Non-maximum suppression: of two boxes with a larger IoU than `max_iou` only the better one stays.

    A few are compared all with all. Of many, each is compared only with those whose centre is near, so that the time
    grows as n log n however many there are.
    """
    if len(proposals) < 2:
        return proposals
    return proposals.where(
        _best_of_few(proposals.boxes, max_iou) if len(proposals) <= FEW else _best(proposals, max_iou)
    )


def _best_of_few(boxes: BoxesN4, max_iou: float) -> RowsN:
    """Which boxes (N, 4), best first, stay (M,)."""
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept, rest = [], np.arange(len(boxes))
    while rest.size:
        chunk, rest = rest[:FEW_TOGETHER], rest[FEW_TOGETHER:]
        same = _same(boxes, area, chunk, chunk, max_iou)
        stays = np.ones(len(chunk), bool)
        for index in range(len(chunk)):
            if stays[index]:
                stays[index + 1 :] &= ~same[index, index + 1 :]
        chunk = chunk[stays]
        kept.append(chunk)
        rest = rest[~_same(boxes, area, chunk, rest, max_iou).any(axis=0)]
    return np.concatenate(kept)


def _same(boxes: BoxesN4, area: ScoresN, some: RowsN, others: RowsN, max_iou: float) -> FlagsNM:
    """(N, M) bool: which of some boxes overlap with which of others by more than `max_iou`."""
    one, two = boxes[some].T[:, :, None], boxes[others].T[:, None]
    height, width = (np.minimum(one[axis + 2], two[axis + 2]) - np.maximum(one[axis], two[axis]) for axis in (0, 1))
    overlap = np.maximum(height, 0) * np.maximum(width, 0)
    same: FlagsNM = overlap > max_iou * (area[some][:, None] + area[others] - overlap)
    return same


def _best(proposals: Proposals, max_iou: float) -> FlagsN:
    """Which of many proposals stay, (N,) bool."""
    boxes = proposals.boxes
    sides = boxes[:, 2:] - boxes[:, :2]
    kept = np.ones(len(proposals), bool)
    reach, centres = _reach(sides, max_iou), proposals.centres
    tree = cKDTree(centres, compact_nodes=False, balanced_tree=False)
    area = np.prod(sides, axis=1)
    start = 0
    while (chunk := start + np.flatnonzero(kept[start:])[:TOGETHER]).size:
        start = int(chunk[-1]) + 1
        kept[chunk] = False
        chunk = chunk[_best_of_few(boxes[chunk], max_iou)]
        kept[chunk] = True
        near = tree.query_ball_point(centres[chunk], reach[chunk], p=np.inf)
        better = np.repeat(chunk, [len(others) for others in near])
        worse = np.fromiter(itertools.chain.from_iterable(near), np.int64, len(better))
        rivals = (worse >= start) & kept[worse]
        better, worse = better[rivals], worse[rivals]
        shared = np.minimum(boxes[better, 2:], boxes[worse, 2:]) - np.maximum(boxes[better, :2], boxes[worse, :2])
        overlap = np.prod(np.clip(shared, 0, None), axis=1)
        kept[worse[overlap > max_iou * (area[better] + area[worse] - overlap)]] = False
    return kept


def _reach(sides: SidesN2, max_iou: float) -> ScoresN:
    """How far along either axis the centre of a box may lie from those of others whose IoU with it is too large, (N,).

    Along each axis by itself the shared part over the joint one is no less than the IoU. Of two sides a and b whose
    centres are d apart that is at most ``((a + b) / 2 - d) / ((a + b) / 2 + d)``, and at most ``a / b``.
    """
    longest = np.minimum(sides.max(axis=0), sides / max(max_iou, 1e-9))
    reach: ScoresN = ((sides + longest) / 2).max(axis=1) * (1 - max_iou) / (1 + max_iou) + 0.01
    return reach


def box_ious(one: BoxesN4, other: BoxesN4) -> MatrixF32:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4)."""
    shared = np.minimum(one[:, None, 2:], other[None, :, 2:]) - np.maximum(one[:, None, :2], other[None, :, :2])
    overlap = np.prod(np.clip(shared, 0, None), axis=-1)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (one, other)]
    iou: MatrixF32 = overlap / np.maximum(areas[0][:, None] + areas[1][None] - overlap, 1e-6)
    return iou
