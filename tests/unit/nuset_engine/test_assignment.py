"""One-to-one assignment: both ways to solve it against a table of everything, ties or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from nuset_engine.assignment import assign


@st.composite
def problems(draw: st.DrawFn, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some pairs of up to 9 sources and 9 targets, in any order, with gains of which many or none are equal."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    source, target = np.nonzero(rng.random(shape) < draw(st.floats(0.0, 1.0)))
    order = rng.permutation(len(source))
    gain = rng.integers(1, 4, len(order)).astype(float) if ties else rng.uniform(0.1, 5.0, len(order))
    return source[order], target[order], gain


def best(source: np.ndarray, target: np.ndarray, gain: np.ndarray) -> set[tuple[int, int]]:
    """The best choice from a table of all pairs, of those that are pairs."""
    table = np.zeros((source.max(initial=-1) + 1, target.max(initial=-1) + 1))
    table[source, target] = gain
    pairs = zip(*(a.tolist() for a in linear_sum_assignment(table, maximize=True)), strict=True)
    return {pair for pair in pairs if table[pair] > 0}


@pytest.mark.parametrize("at_once", [False, True])
@given(problem=problems(ties=False))
def test_the_one_best_choice_is_found(at_once: bool, problem: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    source, target, gain = problem
    chosen = assign(source, target, gain, at_once=at_once)
    assert chosen.tolist() == sorted(chosen.tolist())
    assert set(zip(source[chosen].tolist(), target[chosen].tolist(), strict=True)) == best(source, target, gain)


@pytest.mark.parametrize("at_once", [False, True])
@given(problem=problems(ties=True))
def test_of_equal_choices_one_is_taken(at_once: bool, problem: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    source, target, gain = problem
    chosen = assign(source, target, gain, at_once=at_once)
    assert len(set(source[chosen].tolist())) == len(set(target[chosen].tolist())) == len(chosen)
    table = {(s, t): g for s, t, g in zip(source.tolist(), target.tolist(), gain.tolist(), strict=True)}
    assert gain[chosen].sum() == sum(table[pair] for pair in best(source, target, gain))


@pytest.mark.parametrize("at_once", [False, True])
def test_two_share_what_one_alone_would_take(at_once: bool) -> None:
    """Source 0 gains most from target 0, but both together gain more when it leaves that to source 1."""
    source, target, gain = np.array([0, 0, 1, 3]), np.array([0, 1, 0, 7]), np.array([5.0, 4.0, 3.0, 1.0])
    assert assign(source, target, gain, at_once=at_once).tolist() == [1, 2, 3]
