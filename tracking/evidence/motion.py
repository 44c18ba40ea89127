"""How the neighbourhood of each nucleus moves, and how far neighbours are apart."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FloatsN, PointsZYX, RowsN
from tracking.evidence.neighbours import nearest

NEIGHBOURS = 16
"""Neighbours that vote on the motion of a nucleus."""
SHRINK = 0.3
"""Weight of the whole sample's motion against that of one nearest neighbour."""


def spacing(positions: PointsZYX) -> float | None:
    """Median distance to the nearest neighbour at another place; None for fewer than two places."""
    return spacing_of(positions, nearest(positions, positions, 2)[0][:, 1]) if len(positions) > 1 else None


def spacing_of(positions: PointsZYX, distance: FloatsN) -> float | None:
    """`spacing`, where the distance of each position to the nearest other one, maybe at the same place, is known."""
    if (distance > 0).all():
        return float(np.median(distance))
    places = np.unique(positions, axis=0)
    if len(places) < 2:
        return None
    apart, _ = nearest(places, places, 2)
    return float(np.median(apart[:, 1]))


def local_flow(at: PointsZYX, step: PointsZYX, query: PointsZYX, own: RowsN, scale: float) -> PointsZYX:
    """Displacement that the neighbours of each query point suggest, without that of the nucleus itself.

    Parameters
    ----------
    at, step : (A, 3) float64
        Places and displacements that are known.
    query : (Q, 3) float64
        Where to ask.
    own : (Q,) int64
        Row in `at` that is the query point itself, -1 for none.
    scale : float
        Width of the Gaussian weights, about the distance between neighbours.

    Returns
    -------
    (Q, 3) float64
        Weighted mean, twice reweighted against outliers (a wrong link, a daughter) around the neighbours' median.
    """
    if not len(at) or not len(query):
        return np.zeros_like(query)
    whole = np.median(step, axis=0)
    count = min(NEIGHBOURS + 1, len(at))
    distance, near = nearest(at, query, count)
    other = near != own[:, None]
    weight = np.where(other, np.exp(-0.5 * (distance / scale) ** 2), 0.0)
    steps = step[near]
    flow = np.median(np.where(other[..., None], steps, whole), axis=1)
    for _ in range(2):
        off = ((steps - flow[:, None, :]) ** 2).sum(axis=2)
        typical = np.median(off, axis=1, keepdims=True) + 1e-12
        robust = weight / (1.0 + off / (2.0 * typical))
        total = robust.sum(axis=1) + SHRINK
        flow = ((robust[..., None] * steps).sum(axis=1) + SHRINK * whole) / total[:, None]
    return flow
