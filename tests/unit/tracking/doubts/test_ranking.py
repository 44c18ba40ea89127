"""In which order doubts are looked at."""

from __future__ import annotations

import pytest

from tracking.doubts.ranking import Doubted, in_order, learned_shift, shifted


def link(p: float, step: int = 5, x: float = 0.0, affected: int = 1) -> Doubted:
    return Doubted(True, step, (0.0, 0.0, x), p, affected)


def nucleus(p: float, step: int = 5, x: float = 0.0) -> Doubted:
    return Doubted(False, step, (0.0, 0.0, x), p, 0)


def test_the_likeliest_come_first_and_no_more_than_asked_for() -> None:
    doubted = [nucleus(0.2, x=0), nucleus(0.9, x=100), nucleus(0.5, x=200)]
    assert in_order(doubted, 10.0, 2) == [1, 2]
    assert in_order([], 10.0, 5) == []


def test_an_early_division_comes_before_a_late_link() -> None:
    assert in_order([link(0.5, affected=2), link(0.5, x=100, affected=200)], 10.0, 2) == [1, 0]


def test_one_error_is_listed_once() -> None:
    """A broken track is an end and a beginning; a nucleus in two is two parts."""
    assert len(in_order([link(0.9, step=4), link(0.8, step=5, x=3.0)], 10.0, 9)) == 1
    assert len(in_order([nucleus(0.9), nucleus(0.8, x=6.0)], 10.0, 9)) == 1
    assert len(in_order([nucleus(0.9, step=4), nucleus(0.8, step=5)], 10.0, 9)) == 2  # each time point has labels
    assert len(in_order([link(0.9, step=4), link(0.8, step=9)], 10.0, 9)) == 2


def test_a_link_beside_a_wrong_nucleus_is_a_symptom() -> None:
    doubted = [link(0.95, step=6, x=5.0), nucleus(0.8), link(0.4, x=300.0)]
    assert in_order(doubted, 10.0, 9) == [1, 2]


def test_answers_move_the_odds_of_their_kind() -> None:
    assert learned_shift([]) == 0.0
    right, wrong = learned_shift([(0.5, False)] * 5), learned_shift([(0.5, True)] * 5)
    assert right == pytest.approx(-wrong)
    assert -2.0 < right < -0.8
    assert abs(learned_shift([(0.5, True), (0.5, False)])) < 1e-6
    shifts = {"birth": right}
    assert shifted(0.5, "birth", shifts) < 0.3
    assert shifted(0.5, "end", shifts) == pytest.approx(0.5)


def test_what_breaks_links_as_well_comes_first_and_two_missed_nuclei_are_two_errors() -> None:
    missed = [Doubted(False, 5, (0.0, 0.0, x), 0.7, 0, 3, True) for x in (0.0, 6.0)]
    assert in_order([nucleus(0.8, x=300.0), *missed], 10.0, 9) == [1, 2, 0]
    assert in_order([nucleus(0.99, x=300.0), Doubted(False, 5, (0.0, 0.0, 0.0), 0.4, 0, 3, True)], 10.0, 9) == [0, 1]
