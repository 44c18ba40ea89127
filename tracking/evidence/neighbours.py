"""Which nuclei lie near which places."""

from __future__ import annotations

import numpy as np

NEAREST = 8


def nearest_pairs(
    expected: np.ndarray, found: np.ndarray, search_range: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source, target and distance of up to `NEAREST` targets per source within reach.

    Returns
    -------
    (E,) int64, (E,) int64, (E,) float64
    """
    from scipy.spatial import KDTree

    count = min(NEAREST, len(found))
    if not count or not len(expected):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    distance, target = KDTree(found).query(expected, k=count)
    distance, target = distance.reshape(len(expected), count), target.reshape(len(expected), count)
    source = np.repeat(np.arange(len(expected)), count).reshape(distance.shape)
    near = distance <= search_range
    return source[near], target[near].astype(np.int64), distance[near]
