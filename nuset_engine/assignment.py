"""One-to-one assignment on sparse pairs: the choice with the largest gain, exactly, and what it is worth to each."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import AnyFloatsN, FloatsN, IntsN, RowsN

ROUNDS = 200
"""Dual values spread along alternating paths, which are short: a few tens of rounds reach their ends."""


def assign(source: IntsN, target: IntsN, gain: AnyFloatsN, *, at_once: bool = False) -> IntsN:
    """The one-to-one choice of pairs with the largest summed gain.

    Parameters
    ----------
    source, target : (L,) int64
        No pair twice.
    gain : (L,) float
        Above 0.
    at_once : bool
        Solve all pairs as one sparse problem: for many groups, and for large ones. Else each connected group is solved
        as a table of its own, which is fast where groups are few and small. Both are exact; where several choices gain
        the same, they may take different ones.

    Returns
    -------
    (K,) int64
        Positions of the chosen pairs, ascending.
    """
    from scipy import sparse

    if not len(source):
        return np.zeros(0, dtype=np.int64)
    if at_once:
        return _assign_sparse(source, target, gain)
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


def _assign_group(part: IntsN, rows: IntsN, columns: IntsN, gain: AnyFloatsN) -> IntsN:
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


def _assign_sparse(source: IntsN, target: IntsN, gain: AnyFloatsN) -> IntsN:
    """Positions of the chosen pairs of all groups together."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    # Every source gets a private target of gain 0, so that a full matching of the sources always exists. The solver
    # takes explicit weights above 0 only, and small weights mean large gains.
    sources, rows = np.unique(source, return_inverse=True)
    targets, columns = np.unique(target, return_inverse=True)
    top = float(gain.max()) + 1.0
    own = np.arange(len(sources))
    weights = np.concatenate([top - gain, np.full(len(own), top)])
    places = (np.concatenate([rows, own]), np.concatenate([columns, len(targets) + own]))
    matrix = csr_matrix((weights, places), shape=(len(own), len(targets) + len(own)))
    row, column = min_weight_full_bipartite_matching(matrix)
    picked = np.full(len(own), -1, np.int64)
    picked[row] = column
    return np.flatnonzero(picked[rows] == columns)


def prices(source: RowsN, target: RowsN, gain: FloatsN, match: RowsN, targets: int) -> tuple[FloatsN, FloatsN]:
    """Dual values of an optimal assignment: what each source and each target is worth to it.

    No addition to the problem that gains less than the values of what it uses can improve the assignment. Of all dual
    values these are the middle between those that favour sources and those that favour targets most: at either end
    nearly every division that uses a contested nucleus seems to pay.

    Parameters
    ----------
    source, target : (L,) int64
        Below n and m.
    gain : (L,) float64
    match : (n,) int64
        Target of each source in the assignment, -1 for none.
    targets : int
        m.

    Returns
    -------
    (n,) float64, (m,) float64
    """
    owner = np.full(targets, -1, np.int64)
    owner[match[match >= 0]] = np.flatnonzero(match >= 0)
    high_worth, low_price = _lowest_prices(source, target, gain, match, owner)
    high_price, low_worth = _lowest_prices(target, source, gain, owner, match)
    return (high_worth + low_worth) / 2, (low_price + high_price) / 2


def _lowest_prices(
    source: RowsN, target: RowsN, saving: FloatsN, match: RowsN, owner: RowsN
) -> tuple[FloatsN, FloatsN]:
    """The dual values with the lowest prices of targets: worth of each source, price of each target."""
    price = np.zeros(len(owner))
    gain = np.zeros(len(match))
    linked = match[source] == target
    gain[source[linked]] = saving[linked]
    matched = np.flatnonzero(match >= 0)
    worth = gain.copy()
    for _ in range(ROUNDS):
        new = price.copy()
        np.maximum.at(new, target, saving - worth[source])
        # The price of a target never exceeds what its own link saves, but for rounding; a free one has none.
        new[match[matched]] = np.minimum(new[match[matched]], gain[matched])
        new[owner < 0] = 0.0
        settled = bool((np.abs(new - price) <= 1e-9).all())
        price = new
        worth[matched] = gain[matched] - price[match[matched]]
        if settled:
            break
    return worth, price
