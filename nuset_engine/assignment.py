"""One-to-one assignment on sparse pairs, exact at any size as long as the pairs fall into small groups."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FloatsN, IntsN


def assign(source: IntsN, target: IntsN, gain: FloatsN) -> IntsN:
    """The one-to-one choice of pairs with the largest summed gain.

    The pairs fall into connected groups, which are small, and each is solved exactly.

    Parameters
    ----------
    source, target : (L,) int64
    gain : (L,) float64
        Above 0.

    Returns
    -------
    (K,) int64
        Positions of the chosen pairs, ascending.
    """
    from scipy import sparse

    if not len(source):
        return np.zeros(0, dtype=np.int64)
    sources, rows = np.unique(source, return_inverse=True)
    targets, columns = np.unique(target, return_inverse=True)
    size = len(sources) + len(targets)
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, len(sources) + columns)), shape=(size, size))
    _, group_of_node = sparse.csgraph.connected_components(graph, directed=False)
    group = group_of_node[rows]
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    chosen = [_assign_group(part, rows, columns, gain) for part in parts]
    return np.sort(np.concatenate(chosen))


def _assign_group(part: IntsN, rows: IntsN, columns: IntsN, gain: FloatsN) -> IntsN:
    """Positions of the chosen pairs of one connected group."""
    from scipy.optimize import linear_sum_assignment

    if len(part) == 1:
        return part
    _, i = np.unique(rows[part], return_inverse=True)
    _, j = np.unique(columns[part], return_inverse=True)
    matrix = np.zeros((i.max() + 1, j.max() + 1))
    position = np.full(matrix.shape, -1)
    matrix[i, j], position[i, j] = gain[part], part
    picked = position[linear_sum_assignment(matrix, maximize=True)]
    return picked[picked >= 0]
