"""Anchor boxes of the Region Proposal Network, their coding and their overlap.

Boxes are ``(y0, x0, y1, x1)`` in network pixels, half open. The network sees every image resampled so that its median
nucleus measures `TRAINED_DIAMETER_PX`; anchors are multiples of that diameter, so in source pixels they scale with the
image's own median nucleus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import AnchorsYXA4, Boxes4, BoxesN4, MatrixF32, PlacesN, RowsN, SidesA2

TRAINED_DIAMETER_PX = 24.0
RATIOS = (0.5, 1.0, 2.0)  # height over width


@dataclass(frozen=True)
class AnchorLevel:
    """One level of the feature pyramid: its stride, and the anchors on it by scale (multiples of the median diameter)
    and ratio (height over width)."""

    stride: int
    scales: tuple[float, ...]
    ratios: tuple[float, ...] = RATIOS

    @property
    def shapes(self) -> SidesA2:
        """(A, 2) float32 heights and widths of the anchors at every cell, in network pixels."""
        sides = [
            (TRAINED_DIAMETER_PX * scale * np.sqrt(ratio), TRAINED_DIAMETER_PX * scale / np.sqrt(ratio))
            for scale in self.scales
            for ratio in self.ratios
        ]
        return np.asarray(sides, np.float32)

    @property
    def count(self) -> int:
        """Number of anchors at every cell."""
        return len(self.scales) * len(self.ratios)

    def centres(self, cells: int) -> PlacesN:
        """(cells,) float32 centre coordinates of the cells along one axis, in network pixels."""
        return (np.arange(cells, dtype=np.float32) + 0.5) * self.stride


# Fine strides for small and crowded nuclei, coarse ones for nuclei far larger than the image's median.
LEVELS = (AnchorLevel(4, (0.5, 1.0)), AnchorLevel(8, (2.0,)), AnchorLevel(16, (4.0,)))


def anchor_boxes(level: AnchorLevel, height: int, width: int) -> AnchorsYXA4:
    """All anchors of one level.

    Parameters
    ----------
    level : AnchorLevel
    height, width : int
        Size of the level's feature map in cells.

    Returns
    -------
    (height, width, A, 4) float32
    """
    shapes = level.shapes
    boxes = np.empty((height, width, level.count, 4), np.float32)
    centre_y = level.centres(height)[:, None, None]
    centre_x = level.centres(width)[None, :, None]
    boxes[..., 0] = centre_y - shapes[:, 0] / 2
    boxes[..., 1] = centre_x - shapes[:, 1] / 2
    boxes[..., 2] = centre_y + shapes[:, 0] / 2
    boxes[..., 3] = centre_x + shapes[:, 1] / 2
    return boxes


def anchor_boxes_at(level: AnchorLevel, y: RowsN, x: RowsN, anchor: RowsN) -> BoxesN4:
    """Some anchors of one level, (N, 4): those that `anchor_boxes` has at ``[y, x, anchor]``."""
    centres = [(cells.astype(np.float32) + 0.5) * level.stride for cells in (y, x)]
    half = level.shapes[anchor] / 2
    return np.stack(
        [centres[0] - half[:, 0], centres[1] - half[:, 1], centres[0] + half[:, 0], centres[1] + half[:, 1]], axis=1
    )


def encode(anchors: Boxes4, boxes: Boxes4) -> Boxes4:
    """Offsets that turn anchors into boxes (Ren et al. 2015, Faster R-CNN, eq. 2), both (..., 4)."""
    size_a = anchors[..., 2:] - anchors[..., :2]
    size_b = boxes[..., 2:] - boxes[..., :2]
    shift = ((boxes[..., :2] + boxes[..., 2:]) - (anchors[..., :2] + anchors[..., 2:])) / (2 * size_a)
    return np.concatenate([shift, np.log(size_b / size_a)], axis=-1).astype(np.float32)


def decode(anchors: Boxes4, offsets: Boxes4) -> Boxes4:
    """Inverse of `encode`; sizes are limited to e^2 of the anchor's so that wild offsets stay finite."""
    size_a = anchors[..., 2:] - anchors[..., :2]
    centre = (anchors[..., :2] + anchors[..., 2:]) / 2 + offsets[..., :2] * size_a
    half = np.exp(np.clip(offsets[..., 2:], -2.0, 2.0)) * size_a / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def box_iou(one: BoxesN4, other: BoxesN4) -> MatrixF32:
    """Intersection over union of every box of `one` (N, 4) with every box of `other` (M, 4): (N, M) float32."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    area = np.prod(one[:, 2:] - one[:, :2], axis=-1)[:, None] + np.prod(other[:, 2:] - other[:, :2], axis=-1)[None]
    iou: MatrixF32 = shared / np.maximum(area - shared, 1e-9)
    return iou


def level_shapes(
    height: int, width: int, levels: Sequence[AnchorLevel] = LEVELS
) -> Iterator[tuple[AnchorLevel, int, int]]:
    """The levels with their feature-map sizes for a network input of (height, width) pixels, multiples of 16."""
    for level in levels:
        yield level, height // level.stride, width // level.stride
