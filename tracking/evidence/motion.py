"""How a whole sample and the neighbourhood of each nucleus move: stage jumps, drift and local flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nuset_engine.arrays import FloatsN, PointsZYX, RowsN, VectorZYX
from tracking.evidence.neighbours import nearest

if TYPE_CHECKING:
    from scipy.spatial import KDTree

NEIGHBOURS = 16
"""Neighbours that vote on the motion of a nucleus."""
SHRINK = 0.3
"""Weight of the whole sample's motion against that of one nearest neighbour."""
JUMP_ANCHORS = (2, 12)
JUMP_SAMPLE = 64
JUMP_CANDIDATES = 20_000
"""A stage jump is looked for among the shifts that bring a few anchors onto any nucleus, and judged on a sample."""


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


def whole_shift(before: PointsZYX, after: PointsZYX, usual: VectorZYX, scale: float) -> VectorZYX:
    """Shift of the whole sample between two frames: none, the usual drift, or a jump of the stage.

    A jump is looked for only where neither of the others lines the frames up, and believed only where it lines up far
    more nuclei than they do.

    Parameters
    ----------
    before, after : (N, 3), (M, 3) float64
    usual : (3,) float64
        Drift so far.
    scale : float
        Distance between neighbours.

    Returns
    -------
    (3,) float64
    """
    from scipy.spatial import KDTree

    if min(len(before), len(after)) < 3:
        return np.asarray(usual, np.float64)
    tree = KDTree(after)
    sample = before[np.linspace(0, len(before) - 1, min(JUMP_SAMPLE, len(before))).astype(np.int64)]
    shifts = np.stack([np.zeros(3), usual])
    fit = _fit(tree, sample, shifts, scale)
    best: VectorZYX = shifts[int(np.argmax(fit))]
    if fit.max() >= 0.5:
        return best
    candidates = _candidates(before, after)
    fits = _fit(tree, sample, candidates, scale)
    winner = int(np.argmax(fits))
    if fits[winner] < max(1.5 * fit.max(), fit.max() + 0.2):
        return best
    return _refined(tree, sample, candidates[winner], scale)


def _candidates(before: PointsZYX, after: PointsZYX) -> PointsZYX:
    """Shifts that bring one of a few central nuclei onto any other, evenly thinned to a bounded number."""
    fewest, most = JUMP_ANCHORS
    count = int(np.clip(4096 // len(after), fewest, most))
    centre = np.median(before, axis=0)
    anchors = before[np.argsort(((before - centre) ** 2).sum(axis=1), kind="stable")[:count]]
    shifts = (after[None, :, :] - anchors[:, None, :]).reshape(-1, 3)
    if len(shifts) > JUMP_CANDIDATES:
        shifts = shifts[np.linspace(0, len(shifts) - 1, JUMP_CANDIDATES).astype(np.int64)]
    return shifts


def _fit(tree: KDTree, sample: PointsZYX, shifts: PointsZYX, scale: float) -> FloatsN:
    """Share of the sample that each shift brings close to a nucleus, softly counted."""
    moved = (sample[None, :, :] + shifts[:, None, :]).reshape(-1, 3)
    distance = np.reshape(tree.query(moved, distance_upper_bound=2.0 * scale)[0], (len(shifts), -1))
    share: FloatsN = np.exp(-0.5 * (distance / (0.3 * scale)) ** 2).mean(axis=1)
    return share


def _refined(tree: KDTree, sample: PointsZYX, shift: VectorZYX, scale: float) -> VectorZYX:
    """The shift after three rounds of moving by the median offset of close pairs."""
    for _ in range(3):
        distance, row = tree.query(sample + shift, distance_upper_bound=0.6 * scale)
        close = np.isfinite(distance)
        if close.sum() < 3:
            break
        shift = np.median(tree.data[np.asarray(row)[close]] - sample[close], axis=0)
    return np.asarray(shift, np.float64)
