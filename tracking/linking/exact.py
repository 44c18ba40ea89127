"""The best links and divisions of a part of the sample, by an integer programme of bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nuset_engine.arrays import FloatsN, IntsN, RowsN
from tracking.linking.candidates import CandidateLinks
from tracking.linking.packing import Packing, Triples

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MARGIN = 6.0
"""A link or division that falls short of the dual values by more than this, and by more than the most promising
division exceeds them, is not worth a variable."""
BLOCK = 400
"""Sources per programme. Larger parts are cut into overlapping blocks, so that the time grows in proportion to n."""
HOPS = 3
"""How far the consequences of a division are followed, from owner to owner."""
NODE_LIMIT = 100
"""Most programmes are solved at the root; none branches for longer than this."""


def improve(packing: Packing, pairs: CandidateLinks, triples: Triples, worth: FloatsN, price: FloatsN) -> None:
    """Solve every part in which a division may pay exactly, and take what is better than the present packing.

    Parameters
    ----------
    packing : Packing
        Changed in place.
    worth, price : (n,), (m,) float64
        Dual values of the assignment without divisions.
    """
    promise = triples.saving - worth[triples.source] - price[triples.first] - price[triples.second]
    slack = pairs.saving - worth[pairs.source] - price[pairs.target]
    hopeful = np.flatnonzero(promise > 1e-9)
    if not len(hopeful):
        return
    margin = max(MARGIN, float(promise[hopeful].max()))
    links, splits = np.flatnonzero(slack > -margin), np.flatnonzero(promise > -margin)
    splits = splits[np.argsort(triples.source[splits], kind="stable")]
    link_source, split_source = pairs.source[links], triples.source[splits]
    inside = np.zeros(pairs.sources + 1, bool)  # the last one stands for no owner
    inside[-1] = True
    for block in _blocks(packing, pairs, triples, links, hopeful):
        inside[block] = True
        part, pick = _of_sources(links, link_source, block), _of_sources(splits, split_source, block)
        part = part[inside[packing.owner[pairs.target[part]]]]
        pick = pick[inside[packing.owner[triples.first[pick]]] & inside[packing.owner[triples.second[pick]]]]
        if len(pick):
            _replace(packing, pairs, triples, block, part, pick)
        inside[block] = False


def _of_sources(chosen: RowsN, source: RowsN, block: list[int]) -> RowsN:
    """Those of `chosen`, the sources of which are given in rising order, that belong to the sources of a block."""
    first = np.searchsorted(source, block)
    last = np.searchsorted(source, block, side="right")
    return np.concatenate([chosen[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)])


def _blocks(packing: Packing, pairs: CandidateLinks, triples: Triples, links: RowsN, splits: RowsN) -> list[list[int]]:
    """Connected parts around the divisions that may pay, cut into blocks of bounded size with half overlaps."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    owner = packing.owner
    one = np.concatenate([pairs.source[links], np.tile(triples.source[splits], 2)])
    target = np.concatenate([pairs.target[links], triples.first[splits], triples.second[splits]])
    owned = owner[target] >= 0
    active = np.zeros(pairs.sources, bool)
    active[triples.source[splits]] = True
    for _ in range(HOPS):
        grown = active.copy()
        grown[owner[target[owned & active[one]]]] = True
        active = grown
    near = active[one]
    size = pairs.sources + pairs.targets
    graph = coo_matrix(
        (np.ones(int(near.sum())), (one[near], pairs.sources + target[near])), shape=(size, size)
    ).tocsr()
    _, name = connected_components(graph, directed=False)
    chosen = np.flatnonzero(active)
    part_of = name[chosen]
    order = np.argsort(part_of, kind="stable")
    blocks: list[list[int]] = []
    for part in np.split(chosen[order], np.flatnonzero(np.diff(part_of[order])) + 1):
        blocks += [part.tolist()] if len(part) <= BLOCK else _cut(part, graph)
    return blocks


def _cut(part: RowsN, graph: csr_matrix) -> list[list[int]]:
    """A large part in blocks that lie together (in the order of a walk through it), each half over the one before."""
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    reach = graph[part]
    order = part[reverse_cuthill_mckee((reach @ reach.T).tocsr(), symmetric_mode=True)]
    return [
        sorted(order[start : start + BLOCK].tolist()) for start in range(0, max(1, len(order) - BLOCK // 2), BLOCK // 2)
    ]


def _replace(
    packing: Packing, pairs: CandidateLinks, triples: Triples, block: list[int], links: RowsN, splits: RowsN
) -> None:
    """Solve one block and put the solution in place if it saves more than what is there."""
    saving = np.concatenate([pairs.saving[links], triples.saving[splits]])
    link, split = np.arange(len(links)), len(links) + np.arange(len(splits))
    first_target = pairs.sources
    uses = np.concatenate(
        [
            pairs.source[links],
            triples.source[splits],
            first_target + pairs.target[links],
            first_target + triples.first[splits],
            first_target + triples.second[splits],
        ]
    )
    chosen = best_choice(saving, uses, np.concatenate([link, split, link, split, split]))
    if saving[chosen].sum() <= sum(packing.value(source) for source in block) + 1e-7:
        return
    new_links = {int(pairs.source[links[c]]): int(pairs.target[links[c]]) for c in chosen if c < len(links)}
    packing.apply(block, new_links)
    for index in splits[chosen[chosen >= len(links)] - len(links)]:
        packing.divide(
            int(triples.source[index]),
            int(triples.first[index]),
            int(triples.second[index]),
            float(triples.saving[index]),
        )


def best_choice(saving: FloatsN, uses: IntsN, choice: RowsN) -> RowsN:
    """The choices that save most together when nothing may be used twice; none where no solution was found.

    Parameters
    ----------
    saving : (N,) float
        What each choice saves.
    uses, choice : (M,) int
        Choice `choice[i]` uses thing `uses[i]`.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_matrix

    _, rows = np.unique(uses, return_inverse=True)
    once = csr_matrix((np.ones(len(rows)), (rows, choice)), shape=(int(rows.max()) + 1, len(saving)))
    result = milp(
        -saving,
        constraints=LinearConstraint(once, -np.inf, 1.0),
        integrality=np.ones(len(saving), np.int64),
        bounds=Bounds(0, 1),
        options={"node_limit": NODE_LIMIT, "mip_rel_gap": 1e-7},
    )
    return np.zeros(0, np.int64) if result.x is None else np.flatnonzero(result.x > 0.5)
