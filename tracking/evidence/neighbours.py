"""Which nuclei lie near which places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nuset_engine.arrays import FloatsN, RowsN
from tracking.arrays import DistancesNK, PlacesND, RowsNK

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

NEAREST = 8


def tree_of(points: PlacesND) -> cKDTree:
    """Points (N, D) in the order in which they are searched."""
    from scipy.spatial import cKDTree  # KDTree wraps it, which takes longer than the search among a few points

    return cKDTree(points)


def nearest(points: PlacesND | cKDTree, places: PlacesND, count: int) -> tuple[DistancesNK, RowsNK]:
    """The points nearest to each place.

    Parameters
    ----------
    points : (N, D) float64, or their `tree_of`
        At least one.
    places : (Q, D) float64
    count : int
        How many of the points for each place, at most N.

    Returns
    -------
    (Q, count) float64, (Q, count) int64
        Distances, nearest first, and rows in `points`.
    """
    tree = tree_of(points) if isinstance(points, np.ndarray) else points
    distance, row = tree.query(places, k=count)
    shape = (len(places), count)
    return np.reshape(distance, shape), np.reshape(row, shape).astype(np.int64)


def nearest_pairs(expected: PlacesND, found: PlacesND | cKDTree, search_range: float) -> tuple[RowsN, RowsN, FloatsN]:
    """Source, target and distance of up to `NEAREST` targets per source within reach.

    Returns
    -------
    (E,) int64, (E,) int64, (E,) float64
    """
    count = min(NEAREST, len(found) if isinstance(found, np.ndarray) else found.n)
    if not count or not len(expected):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    distance, target = nearest(found, expected, count)
    source = np.repeat(np.arange(len(expected)), count).reshape(distance.shape)
    near = distance <= search_range
    return source[near], target[near], distance[near]
