"""Planes and label images at another resolution."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from nuset_engine.arrays import LabelsYX, PlaneF32, PlaneYX, RowsN


def resample(plane: PlaneYX, shape: tuple[int, int]) -> PlaneF32:
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


def resample_window(
    part: PlaneYX, origin: tuple[int, int], step: tuple[float, float], window: tuple[slice, slice]
) -> PlaneF32:
    """A window of a plane at another resolution, from no more of the plane than it needs.

    Parameters
    ----------
    part : (Y, X) any real dtype
        A part of the plane that holds the window, or all of it.
    origin : (int, int)
        Row and column of the plane at which the part begins.
    step : (float, float)
        Height and width of a wanted pixel in pixels of the plane.
    window : (slice, slice)
        Rows and columns of the plane at the wanted resolution.

    Returns
    -------
    (Y, X) float32
        What `resample` of the whole plane would give there.
    """
    if step == (1.0, 1.0):
        inside = tuple(slice(w.start - first, w.stop - first) for w, first in zip(window, origin, strict=True))
        return part[inside].astype(np.float32)
    cut, box = [], []
    for size, first, width, wanted in zip(part.shape, origin, step, window, strict=True):
        near = reach(slice(wanted.start, wanted.stop), width, first + size)
        start = max(near.start, first)
        cut.append(slice(start - first, near.stop - first))
        box.append((wanted.start * width - start, min(wanted.stop * width, first + size) - start))
    (top, bottom), (left, right) = box
    shape = tuple(wanted.stop - wanted.start for wanted in window)
    source = np.ascontiguousarray(part[tuple(cut)], np.float32)
    edges = (left, top, right, bottom)
    return np.asarray(Image.fromarray(source).resize((shape[1], shape[0]), Image.Resampling.BILINEAR, box=edges))


def reach(wanted: slice, step: float, size: int) -> slice:
    """Pixels of a plane, `size` long along this axis, that count for the `wanted` ones of `step` pixels each."""
    margin = 2 * math.ceil(max(step, 1.0))
    return slice(max(0, math.floor(wanted.start * step) - margin), min(size, math.ceil(wanted.stop * step) + margin))


def steps(plane: tuple[int, ...], shape: tuple[int, int]) -> tuple[float, float]:
    """Height and width, in pixels of a plane of one shape, of a pixel of the same plane at another shape."""
    return plane[0] / shape[0], plane[1] / shape[1]


def scaled_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Height and width, at least one pixel each, of a plane at `factor` times its resolution."""
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def resample_labels(labels: LabelsYX, shape: tuple[int, int]) -> LabelsYX:
    """Labels (Y, X) at another shape, each pixel from the nearest one: labels are never interpolated."""
    if tuple(shape) == labels.shape:
        return labels
    return nearest(labels, (0, 0), steps(labels.shape, shape), (slice(0, shape[0]), slice(0, shape[1])))


def nearest(
    part: LabelsYX, origin: tuple[int, int], step: tuple[float, float], window: tuple[slice, slice]
) -> LabelsYX:
    """As `resample_window`, each pixel from the nearest one; for labels."""
    rows, columns = nearest_places(part.shape, origin, step, window)
    return part.take(rows, axis=0).take(columns, axis=1)


def nearest_places(
    shape: tuple[int, ...], origin: tuple[int, int], step: tuple[float, float], window: tuple[slice, slice]
) -> list[RowsN]:
    """Rows and columns, in a part of this shape, of the pixels that `nearest` takes."""
    index = []
    for size, first, width, wanted in zip(shape, origin, step, window, strict=True):
        source = ((np.arange(wanted.start, wanted.stop) + 0.5) * width).astype(np.int64) - first
        index.append(np.minimum(source, size - 1))
    return index
