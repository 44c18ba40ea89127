"""Losses: weighted cross-entropy, Dice, distance map, proposal classes and boxes, masks."""

from __future__ import annotations

from collections.abc import Sequence

from nuset_engine.anchors import LEVELS, AnchorLevel
from nuset_engine.network import keras, ops

FOCAL_ALPHA = 0.25  # Lin et al. 2017, table 1b
FOCAL_GAMMA = 2.0


def cross_entropy(target: keras.KerasTensor, logit: keras.KerasTensor) -> keras.KerasTensor:
    """Binary cross-entropy of logits, elementwise, stable for large ones; soft targets are allowed."""
    return ops.relu(logit) - logit * target + ops.softplus(-ops.abs(logit))


def foreground_losses(truth: keras.KerasTensor, maps: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Losses of the foreground, see `pixel_losses`."""
    foreground, weight = truth[..., 0], truth[..., 2]
    bce = ops.sum(weight * cross_entropy(foreground, maps[..., 0])) / ops.maximum(ops.sum(weight), 1.0)
    probability = ops.sigmoid(maps[..., 0])
    # Dice on probabilities over the whole batch, so that an image without nuclei is an ordinary case.
    shared = ops.sum(weight * probability * foreground)
    dice = 1 - (2 * shared + 1) / (ops.sum(weight * probability) + ops.sum(weight * foreground) + 1)
    return {"bce": bce, "dice": dice}


def pixel_losses(truth: keras.KerasTensor, maps: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Losses of the full-resolution maps.

    Parameters
    ----------
    truth : (N, Y, X, 3)
        Foreground, distance map or `targets.UNSEEN`, weight (`targets.Targets.pixels`).
    maps : (N, Y, X, 2)
        Logits of both.
    """
    foreground, distance = truth[..., 0], truth[..., 1]
    # The entropy of the soft target is taken off, so that a perfect map has loss 0.
    soft = ops.clip(distance, 1e-6, 1 - 1e-6)
    floor = -(soft * ops.log(soft) + (1 - soft) * ops.log(1 - soft))
    stress = (0.2 + foreground) * ops.cast(distance >= 0, foreground.dtype)
    error = cross_entropy(ops.maximum(distance, 0.0), maps[..., 1]) - floor
    ridge = ops.sum(stress * error) / ops.maximum(ops.sum(stress), 1.0)
    return foreground_losses(truth, maps) | {"distance": ridge}


def proposal_losses(
    classes: Sequence[keras.KerasTensor],
    boxes: Sequence[keras.KerasTensor],
    heads: Sequence[keras.KerasTensor],
    levels: Sequence[AnchorLevel] = LEVELS,
) -> dict[str, keras.KerasTensor]:
    """Focal loss of the anchor classes and smooth L1 (sigma 3) of the offsets, over all levels together.

    Parameters
    ----------
    classes : of (N, h, w, A), boxes : of (N, h, w, A * 4), heads : of (N, h, w, A * 5)
        One per level.
    """
    positives, focal, smooth = 0.0, 0.0, 0.0
    for level, wanted, offsets, head in zip(levels, classes, boxes, heads, strict=True):
        logit, predicted = head[..., : level.count], head[..., level.count :]
        positive = ops.cast(wanted > 0.5, logit.dtype)
        counted = ops.cast(wanted > -0.5, logit.dtype)
        p = ops.sigmoid(logit)
        miss = positive * (1 - p) + (1 - positive) * p
        alpha = positive * FOCAL_ALPHA + (1 - positive) * (1 - FOCAL_ALPHA)
        focal += ops.sum(counted * alpha * miss**FOCAL_GAMMA * cross_entropy(positive, logit))
        error = ops.abs(offsets - predicted)
        huber = ops.where(error < 1 / 9, 4.5 * error**2, error - 1 / 18)
        smooth += ops.sum(ops.repeat(positive, 4, axis=-1) * huber)
        positives += ops.sum(positive)
    count = ops.maximum(positives, 1.0)
    return {"rpn_class": focal / count, "rpn_box": smooth / count}


def mask_loss(truth: keras.KerasTensor, logits: keras.KerasTensor) -> dict[str, keras.KerasTensor]:
    """Cross-entropy of masks in boxes.

    Parameters
    ----------
    truth : (N, R, Y, X)
        0 or 1; below 0 what does not count.
    logits : (N * R, Y, X, 1)
    """
    wanted = ops.reshape(truth, (-1, *truth.shape[2:]))
    counted = ops.cast(wanted >= 0, logits.dtype)
    error = cross_entropy(ops.maximum(wanted, 0.0), logits[..., 0])
    return {"mask": ops.sum(counted * error) / ops.maximum(ops.sum(counted), 1.0)}


LOSS_WEIGHTS = {"bce": 1.0, "dice": 1.0, "distance": 2.0, "rpn_class": 1.0, "rpn_box": 0.5, "mask": 1.0}


def total_loss(parts: dict[str, keras.KerasTensor]) -> keras.KerasTensor:
    """Weighted sum of all parts."""
    return sum(LOSS_WEIGHTS[name] * part for name, part in parts.items())
