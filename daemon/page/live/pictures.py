"""Planes as PNG: grey values between two levels, labels as colours that a program reads back, and small overviews."""

from __future__ import annotations

import numpy as np

from daemon.page.live.quick_png import quick_png
from nuset_engine.arrays import LabelsYX, PlaneYX
from nuset_engine.evaluation.worst_images import outlines

OUTLINE = (0, 224, 255)


def grey_png(plane: PlaneYX, levels: tuple[float, float]) -> bytes:
    """A plane (Y, X) with the lower level as black and the upper one as white."""
    return quick_png(_grey(plane, levels))


def labels_png(labels: LabelsYX) -> bytes:
    """Labels (Y, X) as colours: red, green and blue are the three bytes of each label, the highest first."""
    whole = np.ascontiguousarray(labels, dtype="<u4")
    return quick_png(whole.view(np.uint8).reshape(*whole.shape, 4)[..., 2::-1])


def overview_png(plane: PlaneYX, labels: LabelsYX | None, levels: tuple[float, float], edge: int) -> bytes:
    """A small picture, at most `edge` pixels wide and high, with outlines."""
    step = max(1, -(-max(plane.shape) // edge))
    grey = _grey(plane[::step, ::step], levels)
    picture = np.repeat(grey[..., None], 3, axis=2)
    if labels is not None:
        picture[outlines(_like(labels, plane.shape)[::step, ::step])] = OUTLINE
    return quick_png(picture)


def levels_of(plane: PlaneYX) -> tuple[float, float]:
    """Black and white for a plane of which nothing else is known: background, and nearly the brightest."""
    values = np.asarray(plane, np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, (5, 99.9))
    return float(low), float(max(high, low + 1e-6))


def _like(labels: LabelsYX, shape: tuple[int, ...]) -> LabelsYX:
    """Labels at the places of another shape's pixels."""
    rows, columns = (np.arange(n) * have // n for n, have in zip(shape, labels.shape, strict=True))
    return labels[np.ix_(rows, columns)]


def _grey(plane: PlaneYX, levels: tuple[float, float]) -> PlaneYX:
    low, high = levels
    inside = np.clip(np.nan_to_num(np.asarray(plane, np.float32), nan=low), low, high)
    return ((inside - low) * (255.0 / max(high - low, 1e-6))).astype(np.uint8)
