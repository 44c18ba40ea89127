"""What each division of a solution is worth: how much worse the best solution without just this division would be.

That solution may divide other nuclei, or the same one into others: nuclei that divide side by side compete for
daughters, and which daughter belongs to whom is less certain than that there was a division.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FloatsN, RowsN
from tracking.linking.candidates import CandidateLinks
from tracking.linking.exact import best_choice
from tracking.linking.packing import REGION_SOURCES, Packing, Solution, Triples

DECISIVE = 8.0
"""Competing divisions that fall short by more than this leave no doubt (a score above 0.9996)."""


def scored(packing: Packing, pairs: CandidateLinks, triples: Triples, worth: FloatsN, price: FloatsN) -> Solution:
    """The packing as it is, with the gain of each division.

    Parameters
    ----------
    worth, price : (n,), (m,) float64
        Dual values of the assignment without divisions.
    """
    promise = triples.saving - worth[triples.source] - price[triples.first] - price[triples.second]
    by_source = _Index.of(triples.source, pairs.sources)
    by_target = _Index.of(np.concatenate([triples.first, triples.second]), pairs.targets)
    gains: dict[int, tuple[int, int, float]] = {}
    for source in sorted(packing.division):
        first, second, saving = packing.division[source]
        gain = packing.gain_of(source)
        least = saving - worth[source] - price[first] - price[second] - DECISIVE
        touching = np.concatenate([by_target.rows(first), by_target.rows(second)]) % max(1, len(triples.source))
        near = np.concatenate([by_source.rows(source), touching])
        region = _region(packing, triples, source, near[promise[near] > least])
        rows = np.concatenate([by_source.rows(s) for s in region])
        competing = rows[promise[rows] > least]
        gains[source] = (first, second, max(0.0, min(gain, _lead(packing, pairs, triples, source, region, competing))))
    return Solution(np.array(packing.match, np.int64), gains)


@dataclass(frozen=True)
class _Index:
    """Rows by the thing that each names."""

    order: RowsN
    starts: RowsN

    @classmethod
    def of(cls, named: RowsN, count: int) -> _Index:
        """Index the rows of things 0 to before `count`."""
        order = np.argsort(named, kind="stable")
        return cls(order, np.searchsorted(named[order], np.arange(count + 1)))

    def rows(self, thing: int) -> RowsN:
        """Rows that name a thing."""
        return self.order[self.starts[thing] : self.starts[thing + 1]]


def _region(packing: Packing, triples: Triples, source: int, near: RowsN) -> list[int]:
    """The source, those whose divisions compete with its own, those that hold what these want, and linked ones."""
    found = [source]
    wanted = np.concatenate([triples.first[near], triples.second[near]])
    close = np.concatenate([triples.source[near], packing.owner[wanted]])
    linked = packing.region(source, packing.division[source][:2], through_divisions=True)
    for member in (*close.tolist(), *linked):
        if member >= 0 and member not in found and len(found) < REGION_SOURCES:
            found.append(member)
    return found


def _lead(
    packing: Packing, pairs: CandidateLinks, triples: Triples, source: int, region: list[int], competing: RowsN
) -> float:
    """What a region saves now over the most that it can save with what competes with the division of `source`."""
    inside = np.zeros(pairs.sources + 1, bool)  # the last one stands for no owner
    inside[[*region, -1]] = True
    first, second, _ = packing.division[source]
    usable = inside[packing.owner[triples.first[competing]]] & inside[packing.owner[triples.second[competing]]]
    same = (
        (triples.source[competing] == source)
        & (triples.first[competing] == first)
        & (triples.second[competing] == second)
    )
    competing = competing[usable & ~same]
    kept = [(s, *packing.division[s]) for s in region if s in packing.division and s != source]
    if not len(competing) and not kept:
        return np.inf
    links = np.concatenate([np.arange(packing.source_starts[s], packing.source_starts[s + 1]) for s in region])
    links = links[inside[packing.owner[pairs.target[links]]]]
    # Divisions that are there stay possible even where they do not compete.
    table = np.array([(s, a, b) for s, a, b, _ in kept], np.int64).reshape(-1, 3)
    table = np.concatenate([table, np.stack([triples.source, triples.first, triples.second], axis=1)[competing]])
    saving = np.concatenate([pairs.saving[links], [v for *_, v in kept], triples.saving[competing]])
    link, split = np.arange(len(links)), len(links) + np.arange(len(table))
    targets = pairs.sources + np.concatenate([pairs.target[links], table[:, 1], table[:, 2]])
    uses = np.concatenate([pairs.source[links], table[:, 0], targets])
    chosen = best_choice(saving, uses, np.concatenate([link, split, link, split, split]))
    now = sum(packing.value(member) for member in region)
    return float(now - saving[chosen].sum()) if len(chosen) else np.inf
