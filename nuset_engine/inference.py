"""One pass of the network over planes of any size: maps and proposals at network resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.normalize import IntensityStatistics, normalize
from nuset_engine.predictor import Prediction, Predictor
from nuset_engine.proposals import Proposals, decode_heads, joined, suppress
from nuset_engine.tiling import tiles


@dataclass(frozen=True)
class PlaneMaps:
    """What the network found on a plane, at network resolution.

    Attributes
    ----------
    foreground, ridge : (Y, X) float32
    proposals : Proposals
        After non-maximum suppression.
    """

    foreground: np.ndarray
    ridge: np.ndarray
    proposals: Proposals


def _whole(prediction: Prediction, min_score: float, nms_iou: float) -> PlaneMaps:
    found = decode_heads(prediction.heads, min_score)
    height, width = prediction.foreground.shape
    inside = np.all((found.centres >= 0) & (found.centres < (height, width)), axis=1)
    return PlaneMaps(prediction.foreground, prediction.ridge, suppress(found.where(inside), nms_iou))


def _tiled(
    plane: np.ndarray,
    statistics: IntensityStatistics,
    predictor: Predictor,
    tile: int,
    min_score: float,
    nms_iou: float,
) -> PlaneMaps:
    foreground, ridge = np.empty(plane.shape, np.float32), np.empty(plane.shape, np.float32)
    parts: list[Proposals] = []
    for part in tiles(plane.shape, tile):
        prediction = predictor.predict(normalize(plane[part.window], statistics)[None])[0]
        foreground[part.core] = prediction.foreground[part.inner]
        ridge[part.core] = prediction.ridge[part.inner]
        found = decode_heads(prediction.heads, min_score).shifted(part.y[0], part.x[0])
        start, stop = np.array([part.core_y, part.core_x]).T
        # A proposal belongs to the tile in whose core its middle lies; the half-open cores share none.
        parts.append(found.where(((found.centres >= start) & (found.centres < stop)).all(axis=1)))
    return PlaneMaps(foreground, ridge, suppress(joined(parts), nms_iou))


def run_network(
    planes: Sequence[np.ndarray],
    statistics: IntensityStatistics,
    predictor: Predictor,
    *,
    tile: int,
    min_score: float,
    nms_iou: float,
) -> list[PlaneMaps]:
    """Maps and proposals of planes of equal shape.

    Parameters
    ----------
    planes : sequence of (Y, X) float32
        Already at network resolution. Small ones go through the network as one batch.
    statistics : IntensityStatistics
        The same for all tiles and planes, so that nothing depends on how an image was cut.
    predictor : Predictor
    tile : int
        Largest edge that goes through the network whole.
    min_score, nms_iou : float
    """
    if max(planes[0].shape) > tile:
        return [_tiled(plane, statistics, predictor, tile, min_score, nms_iou) for plane in planes]
    found = predictor.predict(np.stack([normalize(plane, statistics) for plane in planes]))
    return [_whole(prediction, min_score, nms_iou) for prediction in found]
