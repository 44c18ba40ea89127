"""The gain of a division: over the best that could be had without just this one."""

from __future__ import annotations

import numpy as np
import pytest

from tracking.linking.candidates import CandidateLinks
from tracking.linking.decide import decide
from tracking.linking.packing import Triples

Row = tuple[int, int, int, float]


def gains(rows: list[Row], links: list[tuple[int, int, float]], sources: int = 2, targets: int = 4) -> dict[int, float]:
    source, first, second, saving = (np.array(column) for column in zip(*rows, strict=True))
    one, other, value = (np.array(column) for column in zip(*links, strict=True))
    pairs = CandidateLinks.build(one, other, value.astype(float), sources, targets)
    solution = decide(pairs, Triples(source, first, second, saving.astype(float), np.full(len(saving), np.inf)))
    return {s: gain for s, (_, _, gain) in solution.divisions.items()}


def test_a_lone_division_gains_over_a_link() -> None:
    assert gains([(0, 0, 1, 10.0), (1, 2, 3, 9.0)], [(0, 0, 3.0), (1, 2, 1.0)]) == pytest.approx({0: 7.0, 1: 8.0})


def test_daughters_that_could_be_swapped_leave_doubt() -> None:
    rows = [(0, 0, 1, 10.0), (1, 2, 3, 9.0), (0, 0, 2, 9.5), (1, 1, 3, 9.0)]
    assert gains(rows, [(0, 0, 3.0), (1, 2, 1.0)]) == pytest.approx({0: 0.5, 1: 0.5})


def test_a_neighbour_may_be_the_one_that_divides() -> None:
    rows = [(0, 0, 1, 10.0), (1, 1, 2, 6.5)]
    # Without the division of 0: 0 takes 0, and 1 divides into 1 and 2 instead of taking 2.
    assert gains(rows, [(0, 0, 3.0), (1, 2, 1.0)]) == pytest.approx({0: 1.5})


def test_another_daughter_of_the_same_parent_is_a_rival() -> None:
    assert gains([(0, 0, 1, 10.0), (0, 0, 2, 9.0)], [(0, 0, 3.0), (1, 3, 1.0)]) == pytest.approx({0: 1.0})
