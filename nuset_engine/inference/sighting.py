"""One resolution after another tried on a window of a plane: at which of them are nuclei seen best, and how large?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.arrays import PlaneYX
from nuset_engine.inference.passes import run_network
from nuset_engine.inference.predictor import Predictor
from nuset_engine.planes.exposure import Exposure
from nuset_engine.planes.normalize import IntensityStatistics
from nuset_engine.planes.scaled_plane import ScaledPlane

FACTORS = (1.0, 0.5, 0.25, 0.125)  # with seen sizes of 12 to 48 px they cover nuclei of 12 to 380 px
FINEST = 2.0  # as costly as all others together, so only where these see none, or none that is large enough
LARGE_ENOUGH_PX = 13.0  # smaller ones at the resolution of 1 are rather seen in part
SEEN_PX = (11.0, 46.0)
WINDOW_PX = 224  # edge of the window, in network pixels, on which a resolution is tried
LEAST_PX = 12  # a plane of fewer network pixels across shows no nucleus
CERTAIN = 0.04  # evidence of a resolution at which nuclei of about the trained size are seen: no other need be tried
CERTAIN_PX = (18.0, 34.0)
TRUSTED_SCORE = 0.4
CONVINCING = 0.5
AGREEING = 3  # so many nuclei are half as convincing as a crowd
SPANNING = 0.75  # a nucleus that is larger than this part of the plane is hardly one
SPANNING_TRUST = 0.02


@dataclass(frozen=True)
class Sighting:
    """What the coarse pass saw at one resolution: nuclei, their median size in source pixels, and how sure it was."""

    factor: float
    count: int
    diameter_px: float
    evidence: float


def look(
    plane: PlaneYX,
    factor: float,
    statistics: IntensityStatistics,
    exposure: Exposure,
    predictor: Predictor,
    stacked: bool,
) -> Sighting:
    """Try one resolution on the busiest window of a plane."""
    scaled = ScaledPlane(plane, factor, statistics.background, exposure)
    small = scaled[scaled.busiest(WINDOW_PX)[0]]
    (maps,) = run_network(
        [small], statistics, predictor, stacked=stacked, tile=2 * WINDOW_PX, min_score=TRUSTED_SCORE, nms_iou=0.3
    )
    found = maps.proposals
    fits = (found.diameters > SEEN_PX[0]) & (found.diameters < SEEN_PX[1])
    if not fits.any():
        return Sighting(factor, 0, float("nan"), 0.0)
    scores, sizes = found.scores[fits], found.diameters[fits]
    explained = float((scores * np.minimum(sizes**2, TRAINED_DIAMETER_PX**2 * 2)).sum()) / small.size
    share = fits.sum() / len(found)
    return Sighting(
        factor, int(fits.sum()), float(np.median(sizes)) / factor, explained * share * float(scores.mean()) ** 2
    )


def best_sighting(
    plane: PlaneYX, statistics: IntensityStatistics, exposure: Exposure, predictor: Predictor, stacked: bool
) -> Sighting:
    """The resolution at which nuclei are recognised; one with count 0 where none are seen at any.

    The first one at which many nuclei of about the trained size are seen is right. Where there is none: from afar a
    round cluster of nuclei looks like one nucleus, while from nearby hardly anything looks like many, so of all
    resolutions with at least half of the best evidence the finest is right.
    """
    seen: list[Sighting] = []
    for factor in (*FACTORS, FINEST):
        if min(plane.shape) * factor < LEAST_PX:
            continue
        if factor == FINEST and seen and _large_enough(_finest_credible(seen, plane.shape)):
            break
        sighting = look(plane, factor, statistics, exposure, predictor, stacked)
        if sighting.evidence >= CERTAIN and CERTAIN_PX[0] <= sighting.diameter_px * factor <= CERTAIN_PX[1]:
            return sighting
        seen.append(sighting)
    return _finest_credible(seen, plane.shape)


def _finest_credible(seen: Sequence[Sighting], shape: tuple[int, ...]) -> Sighting:
    weights = [credible(sighting, shape) for sighting in seen]
    enough = CONVINCING * max(weights)
    return max((s for s, weight in zip(seen, weights, strict=True) if weight >= enough), key=lambda s: s.factor)


def _large_enough(sighting: Sighting) -> bool:
    """True where a finer look would see the same nuclei larger, and tell nothing new."""
    return sighting.count > 0 and sighting.diameter_px >= LARGE_ENOUGH_PX


def credible(sighting: Sighting, shape: tuple[int, ...]) -> float:
    """Evidence of a resolution on a plane of this shape, less where few nuclei agree, or one fills the whole view.

    From far enough the lit field itself, the edge of a well or a whole colony looks like one nucleus.
    """
    spans = sighting.diameter_px > SPANNING * min(shape)
    return sighting.evidence * sighting.count / (sighting.count + AGREEING) * (SPANNING_TRUST if spans else 1.0)
