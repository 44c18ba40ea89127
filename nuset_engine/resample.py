"""Planes and label images at another resolution."""

from __future__ import annotations

import numpy as np
from PIL import Image


def resample(plane: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A plane at another shape.

    Parameters
    ----------
    plane : (Y, X) any real dtype
    shape : (int, int)
        Wanted height and width in pixels.

    Returns
    -------
    (height, width) float32
        Linear interpolation where it grows; where it shrinks, every source pixel counts (triangle filter as wide as
        the step), so that nothing is aliased.
    """
    if tuple(shape) == plane.shape:
        return plane.astype(np.float32)
    picture = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def scaled_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Height and width, at least one pixel each, of a plane at `factor` times its resolution."""
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def resample_labels(labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Labels (Y, X) at another shape, each pixel from the nearest one: labels are never interpolated."""
    if tuple(shape) == labels.shape:
        return labels
    index = [((np.arange(n) + 0.5) * old / n).astype(np.int64) for n, old in zip(shape, labels.shape, strict=True)]
    return labels[np.ix_(*index)]
