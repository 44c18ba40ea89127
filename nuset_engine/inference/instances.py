"""From the network's maps to scored instance labels at the source's resolution."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.arrays import AnyFloatsN, IntsN, LabelsYX, MaskYX, PlaneF32, RowsN, ScoresN
from nuset_engine.inference.maps import PlaneMaps, Separated
from nuset_engine.inference.watershed import Divided, divided, drop_small, fill_small_holes
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.resample import nearest, nearest_places, resample_window, steps

NETWORK_AREA = np.pi * TRAINED_DIAMETER_PX**2 / 4


@dataclass(frozen=True)
class PlaneLabels:
    """The nuclei of one slice.

    Attributes
    ----------
    labels : (Y, X) int32
        0 background, 1..n nuclei.
    scores : (n,) float32
        Score between 0 and 1 of nucleus i at [i - 1].
    """

    labels: LabelsYX
    scores: ScoresN


def blank(shape: tuple[int, int]) -> PlaneLabels:
    """A slice without nuclei."""
    return PlaneLabels(np.zeros(shape, np.int32), np.zeros(0, np.float32))


def confidence(found: Divided, maps: PlaneMaps) -> ScoresN:
    """Score of each nucleus (N,) float32: geometric mean of all that speaks for it.

    The three are the score of its proposal, the mean foreground probability, and the highest point of the distance map.
    Debris and halos are high in one or two of them, nuclei in all.
    """
    count = len(found.scores) + 1
    sure = np.bincount(found.owner, maps.foreground.ravel()[found.places], count)[1:] / np.maximum(found.areas, 1)
    peak = np.zeros(count, np.float32)
    np.maximum.at(peak, found.owner, maps.ridge.ravel()[found.places])
    return np.cbrt(found.scores * sure * np.clip(peak[1:], 0, 1)).astype(np.float32)


def filled_mask(maps: PlaneMaps, params: SegmentationParams) -> MaskYX:
    """(Y, X) bool: the foreground without small holes."""
    return fill_small_holes(maps.foreground > params.foreground_threshold, 0.25 * NETWORK_AREA)


def least_area(params: SegmentationParams) -> float:
    """Smaller objects are specks, in network pixels."""
    return params.min_area_fraction * NETWORK_AREA


def separated(maps: PlaneMaps, params: SegmentationParams) -> Separated:
    """Nuclei from maps; at network resolution, where a nucleus always has about the same size."""
    inside = filled_mask(maps, params)
    found = divided(inside, maps.ridge, maps.proposals, divide=params.watershed)
    scores = confidence(found, maps)
    keep = (found.areas >= max(least_area(params), 1)) & (scores >= params.min_score)
    return Separated(found.labels(keep), scores[keep], filled_probability(maps, inside, params))


def filled_probability(maps: PlaneMaps, inside: MaskYX, params: SegmentationParams) -> PlaneF32:
    """(Y, X) float32: the probability, so high in all of the foreground `inside` (Y, X) that filled holes stay filled
    when it is interpolated."""
    probability: PlaneF32 = np.maximum(maps.foreground, inside * np.float32(params.foreground_threshold + 0.01))
    return probability


def at_source(
    found: Separated,
    origin: tuple[int, int],
    step: tuple[float, float],
    window: tuple[slice, slice],
    params: SegmentationParams,
) -> LabelsYX:
    """Labels at the source's resolution; outlines come from the probability, interpolated.

    Parameters
    ----------
    found : Separated
        Of a plane or a part of it.
    origin : (int, int)
        Where in the plane, at network resolution, the part begins.
    step : (float, float)
        Height and width of a source pixel in network pixels.
    window : (slice, slice)
        Rows and columns of the source that are wanted.
    """
    inside = resample_window(found.probability, origin, step, window) > params.foreground_threshold
    out = nearest(found.labels, origin, step, window)
    out *= inside
    rows, columns = np.divmod(np.flatnonzero(inside & (out == 0)), out.shape[1])
    down, along = nearest_places(found.labels.shape, origin, step, window)
    y, x = (
        (wanted.start + index + 0.5) * width - first
        for wanted, index, width, first in zip(window, (rows, columns), step, origin, strict=True)
    )
    out[rows, columns] = _nearest_label(found.labels, (down[rows], along[columns]), (y, x))
    return out


def _nearest_label(labels: LabelsYX, pixels: tuple[RowsN, RowsN], places: tuple[AnyFloatsN, AnyFloatsN]) -> IntsN:
    """The number (N,) of the nearest nucleus among the pixels (N,), (N,) and their neighbours; 0 where there is none.

    The outline between pixels may lie up to one pixel outside the labels: there the number of the nucleus counts whose
    outline it is, not that of another one across a narrow gap.

    Parameters
    ----------
    labels : (Y, X) int
    pixels : (N,) int, (N,) int
        Rows and columns of the labels.
    places : (N,) float, (N,) float
        Where in them exactly, with the middle of the first pixel at 0.5.
    """
    padded = np.pad(labels, 1)
    nearest, best = np.full(len(pixels[0]), np.inf), np.zeros(len(pixels[0]), np.int64)
    for i, j in product((-1, 0, 1), repeat=2):
        row, column = pixels[0] + i, pixels[1] + j
        there = padded[row + 1, column + 1]
        away = (row + 0.5 - places[0]) ** 2 + (column + 0.5 - places[1]) ** 2
        nearer = (there > 0) & (away < nearest)
        nearest[nearer], best[nearer] = away[nearer], there[nearer]
    return best


def nuclei_of(found: Separated, shape: tuple[int, int], params: SegmentationParams) -> PlaneLabels:
    """Labels at the source's shape (Y, X) from the nuclei of a whole plane."""
    labels, scores = found.labels, found.scores
    if labels.shape != shape:
        window = slice(0, shape[0]), slice(0, shape[1])
        labels = at_source(found, (0, 0), steps(labels.shape, shape), window, params)
        labels, scores = drop_small(labels, scores, 1)
    return PlaneLabels(labels.astype(np.int32, copy=False), scores)
