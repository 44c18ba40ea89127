"""Sparse assignment that maximises what links save over leaving things unlinked, in polynomial time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FloatsN, RowsN

ROUNDS = 200
"""Dual values spread along alternating paths, which are short: a few tens of rounds reach their ends."""


@dataclass(frozen=True)
class Pairs:
    """Possible links, one per row: source, target and what the link saves (only savings above 0 are kept)."""

    source: RowsN
    target: RowsN
    saving: FloatsN
    sources: int
    targets: int

    @classmethod
    def build(cls, source: RowsN, target: RowsN, saving: FloatsN, sources: int, targets: int) -> Pairs:
        """Drop what saves nothing, and order by source, then target."""
        keep = saving > 0
        source, target, saving = source[keep], target[keep], saving[keep]
        order = np.lexsort((target, source))
        return cls(source[order], target[order], saving[order], sources, targets)


def assign(pairs: Pairs) -> RowsN:
    """Each source with at most one target and the other way round, so that the total saving is largest.

    Parameters
    ----------
    pairs : Pairs
        E possible links between n sources and m targets.

    Returns
    -------
    (n,) int64
        Target of each source, -1 for none.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    match = np.full(pairs.sources, -1, np.int64)
    if not len(pairs.saving):
        return match
    # Every source gets a private target of saving 0, so that a full matching of the sources always exists. The solver
    # takes explicit weights above 0 only, and small weights mean large savings.
    active, source = np.unique(pairs.source, return_inverse=True)
    used, target = np.unique(pairs.target, return_inverse=True)
    top = float(pairs.saving.max()) + 1.0
    rows = np.concatenate([source, np.arange(len(active))])
    columns = np.concatenate([target, len(used) + np.arange(len(active))])
    weights = np.concatenate([top - pairs.saving, np.full(len(active), top)])
    matrix = csr_matrix((weights, (rows, columns)), shape=(len(active), len(used) + len(active)))
    row, column = min_weight_full_bipartite_matching(matrix)
    real = column < len(used)
    match[active[row[real]]] = used[column[real]]
    return match


def prices(pairs: Pairs, match: RowsN) -> tuple[FloatsN, FloatsN]:
    """Dual values of an optimal assignment: what each source and each target is worth to it.

    No addition to the problem that saves less than the values of what it uses can improve the assignment. Of all dual
    values these are the middle between those that favour sources and those that favour targets most: at either end
    nearly every division that uses a contested nucleus seems to pay.

    Returns
    -------
    (n,) float64, (m,) float64
    """
    owner = np.full(pairs.targets, -1, np.int64)
    owner[match[match >= 0]] = np.flatnonzero(match >= 0)
    high_worth, low_price = _lowest_prices(pairs.source, pairs.target, pairs.saving, match, owner)
    high_price, low_worth = _lowest_prices(pairs.target, pairs.source, pairs.saving, owner, match)
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
        settled = np.allclose(new, price, rtol=0.0, atol=1e-9)
        price = new
        worth[matched] = gain[matched] - price[match[matched]]
        if settled:
            break
    return worth, price
