"""Assignment, its dual values, and divisions packed beside it, against exhaustive search."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from tracking.linking.candidates import CandidateLinks
from tracking.linking.decide import decide
from tracking.linking.packing import Triples


def problem(seed: int, n: int = 5, m: int = 6) -> tuple[CandidateLinks, Triples]:
    """Random savings of links and divisions."""
    rng = np.random.default_rng(seed)
    source, target = (a.ravel() for a in np.meshgrid(np.arange(n), np.arange(m), indexing="ij"))
    pairs = CandidateLinks.build(source, target, rng.normal(1.0, 3.0, n * m), n, m)
    rows = [(i, a, b) for i in range(n) for a in range(m) for b in range(a + 1, m) if rng.random() < 0.4]
    s, a, b = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return pairs, Triples(s, a, b, rng.uniform(0.5, 9.0, len(rows)), np.full(len(rows), np.inf))


def exhaustive(pairs: CandidateLinks, triples: Triples) -> float:
    """Best total saving by trying everything."""
    link = {(i, j): s for i, j, s in zip(pairs.source.tolist(), pairs.target.tolist(), pairs.saving, strict=True)}
    split: dict[int, list[tuple[int, int, float]]] = {}
    for i, a, b, s in zip(
        triples.source.tolist(), triples.first.tolist(), triples.second.tolist(), triples.saving, strict=True
    ):
        split.setdefault(i, []).append((a, b, float(s)))

    def best(source: int, free: frozenset[int]) -> float:
        if source == pairs.sources:
            return 0.0
        options = [best(source + 1, free)]
        options += [link[source, j] + best(source + 1, free - {j}) for j in free if (source, j) in link]
        options += [s + best(source + 1, free - {a, b}) for a, b, s in split.get(source, []) if {a, b} <= free]
        return max(options)

    return best(0, frozenset(range(pairs.targets)))


def value(pairs: CandidateLinks, match: np.ndarray) -> float:
    link = {(i, j): s for i, j, s in zip(pairs.source.tolist(), pairs.target.tolist(), pairs.saving, strict=True)}
    return float(sum(link[i, j] for i, j in enumerate(match.tolist()) if j >= 0))


@pytest.mark.parametrize("seed", range(8))
def test_assignment_is_the_best_of_all(seed: int) -> None:
    pairs, _ = problem(seed, 4, 5)
    dense = np.zeros((4, 5))
    dense[pairs.source, pairs.target] = pairs.saving
    best = max(sum(dense[i, j] for i, j in enumerate(columns)) for columns in permutations(range(5), 4))
    assert value(pairs, pairs.assigned()) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(8))
def test_prices_prove_that_an_assignment_is_best(seed: int) -> None:
    pairs, _ = problem(seed)
    match = pairs.assigned()
    worth, price = pairs.prices(match)
    assert (worth >= -1e-9).all()
    assert (price >= -1e-9).all()
    assert (worth[pairs.source] + price[pairs.target] >= pairs.saving - 1e-6).all()
    assert worth.sum() + price.sum() == pytest.approx(value(pairs, match))


@pytest.mark.parametrize("seed", range(12))
def test_links_and_divisions_together_are_the_best_of_all(seed: int) -> None:
    pairs, triples = problem(seed, 4, 6)
    solution = decide(pairs, triples)
    used = [j for j in solution.match.tolist() if j >= 0]
    used += [j for a, b, _ in solution.divisions.values() for j in (a, b)]
    assert len(used) == len(set(used))
    savings = dict(
        zip(
            zip(triples.source.tolist(), triples.first.tolist(), triples.second.tolist(), strict=True),
            triples.saving,
            strict=True,
        )
    )
    total = value(pairs, solution.match) + sum(savings[i, a, b] for i, (a, b, _) in solution.divisions.items())
    assert total == pytest.approx(exhaustive(pairs, triples))
    assert all(solution.match[i] < 0 for i in solution.divisions)


def test_nothing_to_assign() -> None:
    nothing = np.zeros(0, np.int64)
    pairs = CandidateLinks.build(nothing, nothing, np.zeros(0), 3, 0)
    assert pairs.assigned().tolist() == [-1, -1, -1]
