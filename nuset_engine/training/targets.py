"""What the network shall answer for a label image: foreground, distance map, anchor classes and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import LEVELS, AnchorLevel, anchor_boxes, encode, level_shapes
from nuset_engine.arrays import BoxesN4, LabelsYX, MaskYX, PlaneF32, TensorF32

BORDER_WEIGHT = 10.0  # w0 of Ronneberger et al. 2015, eq. 2, as in the NuSeT paper
BORDER_SIGMA_PX = 5.0  # sigma of the same formula
ATTENTION = 10.0  # of the weight map for rare events
FAR_WEIGHT = 0.2
REACH_DIAMETERS = 1.0
POSITIVE_IOU = 0.6
NEGATIVE_IOU = 0.4
UNSEEN = -1.0
"""In place of a distance: nobody looked there, so nothing is said of the pixel."""


@dataclass(frozen=True)
class Targets:
    """Training targets of one crop.

    Attributes
    ----------
    pixels : (Y, X, 3) float32
        Foreground 0/1, normalised distance to the nucleus' border 0..1 or `UNSEEN`, weight of the pixel.
    classes : tuple of (h, w, A) float32, one per level
        1 positive, 0 negative, -1 not counted.
    boxes : tuple of (h, w, A, 4) float32, one per level
        Offsets of the truth box for the positive anchors, else 0.
    regions : tuple of arrays
        What a model learns besides, see `models.base.Model.regions`.
    """

    pixels: TensorF32
    classes: tuple[TensorF32, ...]
    boxes: tuple[TensorF32, ...]
    regions: tuple[TensorF32, ...] = ()


def median_diameter(*slices: LabelsYX) -> float:
    """Median over the nuclei of one plane, or their sections in several, of the diameter of the circle of equal area.

    In pixels; NaN without nuclei.
    """
    areas = np.concatenate([np.bincount(labels.ravel())[1:] for labels in slices])
    return float(np.median(2 * np.sqrt(areas[areas > 0] / np.pi))) if areas.any() else float("nan")


def border_weights(labels: LabelsYX) -> PlaneF32:
    """Weights that stress the background between neighbouring nuclei.

    Parameters
    ----------
    labels : (Y, X) int

    Returns
    -------
    (Y, X) float32
        ``1 + w0 exp(-(d1 + d2)^2 / (2 sigma^2))`` on the background, d1 and d2 the distances to the nearest and second
        nearest nucleus (Ronneberger et al. 2015, eq. 2), 1 inside nuclei.
    """
    reach = int(3 * BORDER_SIGMA_PX)
    nearest = np.full(labels.shape, np.float32(1e3))
    second = nearest.copy()
    windows: Sequence[tuple[slice, ...] | None] = ndi.find_objects(labels)
    for index, window in enumerate(windows, start=1):
        if window is None:
            continue
        wide = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in window)
        distance = ndi.distance_transform_edt(labels[wide] != index).astype(np.float32)
        near, far = nearest[wide], second[wide]
        far[...] = np.minimum(far, np.maximum(near, distance))
        near[...] = np.minimum(near, distance)
    weights = 1 + BORDER_WEIGHT * np.exp(-((nearest + second) ** 2) / (2 * BORDER_SIGMA_PX**2))
    return np.where(labels > 0, np.float32(1), weights.astype(np.float32))


def attention_weights(labels: LabelsYX, diameter_px: float) -> PlaneF32:
    """Weights that stress rare events and their surroundings.

    Where almost all is background, its easy pixels would drown the few that matter (Yang et al. 2020, figure 5C).

    Parameters
    ----------
    labels : (Y, X) int
        Events; 0 elsewhere, ordinary nuclei included.
    diameter_px : float
        Diameter of an ordinary nucleus.

    Returns
    -------
    (Y, X) float32
        ``FAR_WEIGHT + ATTENTION exp(-d^2 / (2 sigma^2))``, d the distance to the nearest event and sigma a diameter.
    """
    if not labels.any():
        return np.full(labels.shape, np.float32(FAR_WEIGHT))
    distance = ndi.distance_transform_edt(labels == 0)
    near = np.exp(-0.5 * (distance / (REACH_DIAMETERS * diameter_px)) ** 2)
    return (FAR_WEIGHT + ATTENTION * near).astype(np.float32)


def inner_borders(labels: LabelsYX) -> MaskYX:
    """(Y, X) bool: pixels of a nucleus with a 4-neighbour of another nucleus or of the background."""
    border = np.zeros(labels.shape, bool)
    down = labels[1:] != labels[:-1]
    right = labels[:, 1:] != labels[:, :-1]
    border[1:] |= down
    border[:-1] |= down
    border[:, 1:] |= right
    border[:, :-1] |= right
    return border & (labels > 0)


def distance_map(labels: LabelsYX) -> PlaneF32:
    """(Y, X) float32: distance to the nucleus' own border over the largest such distance in it; 0 on background."""
    inside = (labels > 0) & ~inner_borders(labels)
    distance = ndi.distance_transform_edt(inside).astype(np.float32) + (labels > 0)
    count = int(labels.max(initial=0))
    if count == 0:
        return np.zeros(labels.shape, np.float32)
    largest = np.zeros(count + 1, np.float32)
    np.maximum.at(largest, labels.ravel(), distance.ravel())
    return np.divide(distance, np.maximum(largest[labels], 1))


def truth_boxes(labels: LabelsYX, min_side_px: int = 2) -> BoxesN4:
    """(N, 4) float32 boxes of the nuclei in a label image; nuclei thinner than `min_side_px` have none."""
    windows = [w for w in ndi.find_objects(labels) if w is not None]
    boxes = np.asarray([(y.start, x.start, y.stop, x.stop) for y, x in windows], np.float32).reshape(-1, 4)
    return boxes[((boxes[:, 2:] - boxes[:, :2]) >= min_side_px).all(axis=1)]


def _overlap(level: AnchorLevel, height: int, width: int, boxes: BoxesN4) -> TensorF32:
    """IoU of all anchors of a level with all boxes, (h, w, A, N); separable in y and x, so cheap."""
    out = np.empty((height, width, level.count, len(boxes)), np.float32)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    for a, (side_y, side_x) in enumerate(level.shapes):
        spans = []
        for axis, (cells, side) in enumerate(((height, side_y), (width, side_x))):
            centre = level.centres(cells)[:, None]
            low = np.maximum(centre - side / 2, boxes[None, :, axis])
            high = np.minimum(centre + side / 2, boxes[None, :, axis + 2])
            spans.append(np.clip(high - low, 0, None))
        shared = spans[0][:, None] * spans[1][None]
        out[:, :, a] = shared / (side_y * side_x + area - shared)
    return out


def anchor_targets(
    boxes: BoxesN4, height: int, width: int, levels: Sequence[AnchorLevel] = LEVELS
) -> tuple[tuple[TensorF32, ...], tuple[TensorF32, ...]]:
    """Classes and box offsets of every anchor.

    An anchor is positive from IoU 0.6 with a nucleus or where it is a nucleus' best one of all levels, negative below
    0.4 with all, and not counted in between.

    Parameters
    ----------
    boxes : (N, 4) float32
    height, width : int
        Size of the network input in pixels.
    levels : sequence of AnchorLevel
    """
    shaped = list(level_shapes(height, width, levels))
    if len(boxes) == 0 or not shaped:
        none = tuple(np.zeros((h, w, level.count), np.float32) for level, h, w in shaped)
        return none, tuple(np.zeros((*c.shape, 4), np.float32) for c in none)
    overlaps = [_overlap(level, h, w, boxes) for level, h, w in shaped]
    best = np.max([o.max(axis=(0, 1, 2)) for o in overlaps], axis=0)
    all_classes, all_offsets = [], []
    for (level, h, w), overlap in zip(shaped, overlaps, strict=True):
        owner = overlap.argmax(axis=-1)
        top = np.take_along_axis(overlap, owner[..., None], axis=-1)[..., 0]
        classes = np.full(top.shape, -1, np.float32)
        classes[top < NEGATIVE_IOU] = 0
        classes[(top >= POSITIVE_IOU) | (top >= np.maximum(best[owner] - 1e-4, 0.1))] = 1
        positive = classes == 1
        offsets = np.zeros((*top.shape, 4), np.float32)
        offsets[positive] = encode(anchor_boxes(level, h, w)[positive], boxes[owner[positive]])
        all_classes.append(classes)
        all_offsets.append(offsets)
    return tuple(all_classes), tuple(all_offsets)


def pixel_targets(labels: LabelsYX, weights: PlaneF32) -> TensorF32:
    """(Y, X, 3) float32: foreground, distance map and the given weights, see `Targets.pixels`."""
    foreground = (labels > 0).astype(np.float32)
    return np.stack([foreground, distance_map(labels), weights], axis=-1).astype(np.float32)


def make_targets(labels: LabelsYX, weights: PlaneF32 | None = None, levels: Sequence[AnchorLevel] = LEVELS) -> Targets:
    """All targets of one crop of labels (Y, X), sides multiples of 16; `weights` (Y, X) spares computing them."""
    weights = border_weights(labels) if weights is None else weights
    classes, boxes = anchor_targets(truth_boxes(labels), labels.shape[0], labels.shape[1], levels)
    return Targets(pixel_targets(labels, weights), classes, boxes)
