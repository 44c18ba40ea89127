"""Nuclei of single planes that do not stand out of their surroundings as nuclei do are trimmed, or are none.

In a dark gap of haze the network outlines the gap, whether there is a dim nucleus in it or nothing.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import MaskYX, PlaneF32
from nuset_engine.inference.instances import NETWORK_AREA
from nuset_engine.inference.maps import Separated
from nuset_engine.inference.surroundings import Patch, hardly_standing_out, patch_of
from nuset_engine.inference.watershed import drop_small
from nuset_engine.planes.normalize import IntensityStatistics

FAINTEST = 0.02  # of the usual nucleus' contrast: what is fainter is no nucleus
SUSPECT = 0.05
BRIGHT_PART = 0.6  # a nucleus fills more of its outline than this
WHOLE = 0.8  # of what is bright in an outline lies in one piece, if that is the nucleus
EMPTY = 0.1  # of the nucleus' contrast: the rest of the outline is as dark as this
MARGIN_PX = 2
LEAST_REST_PX = 10


def trimmed(found: Separated, shown: PlaneF32, statistics: IntensityStatistics, min_area: float) -> Separated:
    """Nuclei without those that are as dark as what surrounds them, swollen ones cut down to what is bright.

    Parameters
    ----------
    found : Separated
    shown : (Y, X) float32
        The plane that they were found on, at network resolution.
    statistics : IntensityStatistics
    min_area : float
        Share of the usual nucleus' area below which nothing is one.
    """
    contrast, otherwise = statistics.contrast, statistics.background
    suspects = np.flatnonzero(hardly_standing_out(found.labels, shown, otherwise, SUSPECT * contrast)) + 1
    if not suspects.size:
        return found
    labels, probability = found.labels.copy(), found.probability.copy()
    places = ndi.find_objects(found.labels)
    for number in suspects:
        patch = patch_of(shown, found.labels, int(number), places[number - 1], otherwise)
        kept = bright_part(patch)
        if float(patch.values[kept].mean()) - patch.background < FAINTEST * contrast:
            kept = np.zeros_like(kept)
        gone = patch.inside & ~kept
        labels[patch.window][gone] = 0
        probability[patch.window][gone] = 0
    labels, scores = drop_small(labels, found.scores, min_area * NETWORK_AREA)
    return Separated(labels, scores, probability)


def bright_part(patch: Patch) -> MaskYX:
    """(Y, X) bool: the nucleus in an outline that is swollen; all of it where it fills its outline.

    What is brighter than half-way between the darkest and the brightest tenth of outline and surroundings is one small
    piece, and the rest of the outline is as dark as the surroundings.
    """
    inside, values = patch.inside, patch.values
    nearby = np.append(values[inside], patch.background)
    middle = float(np.percentile(nearby, 10) + np.percentile(values[inside], 90)) / 2
    bright = inside & (values > middle)
    pieces, count = ndi.label(bright)
    if count == 0 or bright.sum() >= BRIGHT_PART * inside.sum():
        return inside
    areas = np.bincount(pieces.ravel())[1:]
    if areas.max() < WHOLE * bright.sum():
        return inside
    core = ndi.binary_fill_holes(pieces == areas.argmax() + 1) & inside
    rest = values[inside & ~ndi.binary_dilation(core, iterations=MARGIN_PX)]
    contrast = float(values[core].mean()) - patch.background
    if rest.size <= LEAST_REST_PX or float(np.median(rest)) - patch.background >= EMPTY * contrast:
        return inside
    return core
