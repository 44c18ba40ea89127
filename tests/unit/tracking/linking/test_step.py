"""The parts of a step, one by one: what is possible at all, and from what it is reckoned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nuset_engine.nuclei import Nuclei
from tracking.evidence.beliefs import Belief, Sums, believe
from tracking.evidence.expectation import CostModel, Expectation
from tracking.evidence.frame import Frame, frame_of
from tracking.evidence.lookahead import Lookahead
from tracking.evidence.sources import Sources, open_ends
from tracking.linking.packing import Solution
from tracking.linking.step import (
    FIRST_SPREAD,
    SPREAD_PRIOR,
    Anchors,
    _daughter_pairs,
    _spread,
    expect,
    first_guess,
    neighbour_scale,
    possible_divisions,
    possible_links,
    present_solution,
)
from tracking.params import TrackingParams


def frame(t: int, *places: tuple[float, float, float], **columns: object) -> Frame:
    return frame_of(Nuclei.from_positions(t, np.array(places, float).reshape(-1, 3), **columns))


def model(scale: float = 10.0, params: TrackingParams | None = None, belief: Belief | None = None) -> CostModel:
    return CostModel(3, scale, belief or believe(Sums(), 1.0), params or TrackingParams())


def still(sources: Sources, spread: float = 0.5) -> Expectation:
    """Nothing moves."""
    return Expectation(sources.place, sources.place, np.full(len(sources), spread), spread)


def unknown(one: Frame) -> Lookahead:
    return Lookahead(np.full(len(one), -1), np.full_like(one.features, np.nan))


@pytest.mark.parametrize(("off", "found"), [(0.999, 1), (1.001, 0)])
def test_daughters_are_looked_for_as_far_as_they_usually_are_apart_and_steps_spread(off: float, found: int) -> None:
    """Half of what is far for two daughters, and four spreads."""
    given = model(scale=7.0)
    spread = 0.6
    far = 7.0 * np.exp(given.belief.split_log + 2.5 * given.belief.split_sd)
    reach = off * (far / 2 + 4 * spread)
    after = frame(1, (0.0, reach, 0.0), (0.0, -reach, 0.0))
    parent = np.zeros((1, 3))
    expected = Expectation(parent, parent + 50.0, np.array([spread]), spread)
    source, first, second = _daughter_pairs(expected, after, given)
    assert [source.tolist(), first.tolist(), second.tolist()] == [[0] * found, [0] * found, [1] * found]


def test_both_daughters_are_within_reach() -> None:
    given = model(scale=7.0)
    after = frame(1, (0.0, 0.5, 0.0), (0.0, 60.0, 0.0))
    parent = np.zeros((1, 3))
    source, _, _ = _daughter_pairs(Expectation(parent, parent, np.array([0.6]), 0.6), after, given)
    assert len(source) == 0


def test_every_two_of_the_nearest_are_a_pair_once_and_in_the_order_of_rows() -> None:
    after = frame(1, *((0.0, 0.1 * i, 0.0) for i in range(10)))
    parent = np.array([[0.0, 0.9, 0.0]])
    expected = Expectation(parent, parent, np.array([5.0]), 5.0)
    source, first, second = _daughter_pairs(expected, after, model())
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    assert pairs == {(a, b) for a in range(2, 10) for b in range(a + 1, 10)}, "of the eight nearest"
    assert len(source) == len(pairs) == 28


@pytest.mark.parametrize("case", ["one nucleus", "no divisions"])
def test_where_nothing_can_divide_there_is_no_division(case: str) -> None:
    before = frame(0, (0.0, 0.0, 0.0))
    after = frame(1, (0.0, 2.0, 0.0), *([(0.0, -2.0, 0.0)] if case == "no divisions" else []))
    sources = open_ends([before, after], 1, 2, 10.0)
    ending = np.full(1, 30.0)
    params = TrackingParams(find_divisions=case != "no divisions")
    found = possible_divisions(sources, after, still(sources), unknown(after), ending, model(params=params))
    assert [len(column) for column in (found.source, found.first, found.second, found.saving, found.lead)] == [0] * 5


def test_two_nuclei_on_both_sides_of_a_place_may_be_its_daughters_within_their_range() -> None:
    before = frame(0, (0.0, 0.0, 0.0))
    after = frame(1, (0.0, 2.0, 0.0), (0.0, -2.0, 0.0))
    sources = open_ends([before, after], 1, 2, 10.0)
    for farthest, count in ((None, 1), (4.0, 1), (3.9, 0)):
        given = model(params=TrackingParams(division_range=farthest))
        found = possible_divisions(sources, after, still(sources), unknown(after), np.full(1, 40.0), given)
        assert len(found.source) == count, farthest


def test_a_link_is_possible_within_its_range() -> None:
    before = frame(0, (0.0, 0.0, 0.0), (0.0, 40.0, 0.0))
    after = frame(1, (0.0, 1.0, 0.0), (0.0, 40.0, 0.0))
    sources = open_ends([before, after], 1, 2, 40.0)
    ending = np.full(2, 40.0)
    everything = {(0, 0), (0, 1), (1, 0), (1, 1)}
    for farthest, pairs in ((None, everything), (0.9, {(1, 1)}), (1.0, {(0, 0), (1, 1)})):
        given = model(40.0, TrackingParams(search_range=farthest))
        found = possible_links(sources, after, still(sources), unknown(after), ending, given)
        assert set(zip(found.source.tolist(), found.target.tolist(), strict=True)) == pairs, farthest


def test_the_scale_is_the_distance_of_neighbours_here_and_in_the_frame_before() -> None:
    wide = frame(0, *((0.0, 8.0 * i, 0.0) for i in range(4)))
    near = frame(1, *((0.0, 4.0 * i, 0.0) for i in range(4)))
    other = frame(2, *((0.0, 100.0 * i, 0.0) for i in range(4)))
    assert neighbour_scale([wide, near, other], 1) == pytest.approx(6.0)
    assert neighbour_scale([wide, near, other], 0) == pytest.approx(8.0)


def test_the_scale_of_lone_nuclei_is_their_size_or_the_way_that_they_went() -> None:
    sized = [frame(t, (0.0, 0.5 * t, 0.0), volume_um3=np.array([27.0])) for t in range(2)]
    diameter = np.exp(sized[0].features[0, 0])
    assert neighbour_scale(sized, 1) == pytest.approx(2.0 * diameter)
    assert neighbour_scale([frame(0, (0.0, 0.0, 0.0)), frame(1, (0.0, 3.0, 1.0))], 1) == pytest.approx(3.0)
    assert neighbour_scale([frame(0, (0.0, 0.0, 0.0)), frame(1, (0.1, 0.4, 0.2))], 1) == pytest.approx(0.4)
    assert neighbour_scale([frame(0, (0.0, 0.0, 0.0)), frame(1)], 1) == 1.0
    assert neighbour_scale([frame(0), frame(1)], 1) == 1.0


@pytest.mark.parametrize("elapsed", [1.0, 4.0])
def test_the_spread_is_what_is_seen_weighed_with_what_was_believed(elapsed: float) -> None:
    given = model()
    assert given.belief.spread is None
    prior = FIRST_SPREAD * 10.0 / np.sqrt(elapsed)
    assert _spread(np.zeros(0), elapsed, given) == pytest.approx(prior)
    off = np.full(8, 3.0)
    weight = 8 / (8 + SPREAD_PRIOR)
    assert _spread(off, elapsed, given) == pytest.approx((3.0 / 1.538) ** weight * prior ** (1 - weight))
    floor = 0.02 * 10.0 / np.sqrt(elapsed)
    assert _spread(np.zeros(8), elapsed, given) == pytest.approx(floor**weight * prior ** (1 - weight))


def test_present_links_and_divisions_are_read_back() -> None:
    """As a solution that was written into the frame: gaps are left out, and daughters are no links."""
    before = frame(0, *((0.0, 5.0 * i, 0.0) for i in range(4)))
    after = frame(1, *((0.0, 4.0 * i, 0.0) for i in range(5)))
    after.back[:] = [1, 1, 1, 2, 0]
    after.row[:] = [3, 1, 1, 0, -1]
    after.newborn[:] = [False, True, True, False, False]
    sources = open_ends([before, after], 1, 2, 5.0)
    found = present_solution(sources, after)
    assert found.match.tolist() == [-1, -1, -1, 0]
    assert found.divisions == {1: (1, 2, 0.0)}


@pytest.mark.parametrize("young", [False, True])
def test_the_first_guess_expects_what_a_nucleus_repeats_of_its_own_motion(young: bool) -> None:
    """Half of what it did beyond its neighbours, here; after a division another share."""
    before = frame(0, (0.0, 0.0, 0.0))
    before.residual[:] = [[0.0, 4.0, 0.0]]
    before.newborn[:] = young
    after = frame(1, (0.0, 2.5, 0.0), (0.0, -1.5, 0.0))
    sources = open_ends([before, after], 1, 2, 5.0)
    belief = replace(believe(Sums(), 1.0), persistence=0.5, young_persistence=-0.5)
    guess = first_guess(sources, after, np.zeros(3), model(5.0, belief=belief))
    assert after.positions[guess[0]].tolist() == ([0.0, -1.5, 0.0] if young else [0.0, 2.5, 0.0])


def test_where_a_nucleus_is_expected() -> None:
    """With its neighbours, but without itself; and beyond that by the share of its own motion that it repeats."""
    before = frame(0, *((0.0, 5.0 * i, 0.0) for i in range(3)))
    before.residual[:] = [[0.0, 0.0, 2.0]] * 3
    before.newborn[:] = [False, False, True]
    after = frame(4, *((0.0, 5.0 * i + 1.0, 0.0) for i in range(3)))
    sources = open_ends([before, after], 1, 5, 5.0)
    belief = replace(believe(Sums(), 1.0), persistence=0.5, young_persistence=0.25, young_factor=3.0)
    given = model(5.0, belief=belief)
    anchors = Anchors.of(sources, after, Solution(np.array([0, 1, -1]), {}))
    found = expect(sources, after, anchors, given)
    np.testing.assert_allclose(found.flow - sources.place, [[0.0, 1.0, 0.0]] * 3, atol=1e-6)
    np.testing.assert_allclose(found.place - found.flow, [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.5]])
    np.testing.assert_allclose(found.spread, found.unit_spread * 2.0 * np.array([1.0, 1.0, 3.0]))
    off = 1.0 / 2.0  # each lies as far from its expected place as it repeats in vain, in a time of four units
    assert found.unit_spread == pytest.approx(_spread(np.full(2, off), 4.0, given))


def test_before_anything_is_known_the_spread_is_a_share_of_the_distance_of_neighbours() -> None:
    sources = open_ends([frame(0), frame(1, (0.0, 0.0, 0.0))], 1, 2, 5.0)
    anchors = Anchors.of(sources, frame(1), Solution(np.zeros(0, np.int64), {}))
    found = expect(sources, frame(1, (0.0, 0.0, 0.0)), anchors, model(5.0))
    assert (len(found.place), found.unit_spread) == (0, pytest.approx(FIRST_SPREAD * 5.0))


def test_what_is_known_of_others_counts_for_those_of_which_nothing_is() -> None:
    before = frame(0, (0.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 1.0, 0.0))
    after = frame(1, (0.0, 0.0, 1.0), (0.0, 2.0, 3.0))
    sources = open_ends([before, after], 1, 2, 5.0)
    rows = {tuple(place): i for i, place in enumerate(sources.place.tolist())}
    match = np.full(3, -1)
    match[rows[0.0, 0.0, 0.0]], match[rows[0.0, 2.0, 0.0]] = 0, 1
    anchors = Anchors.of(sources, after, Solution(match, {}))
    found = expect(sources, after, anchors, model(5.0))
    moved = (found.flow - sources.place)[:, 2]
    assert moved[rows[0.0, 1.0, 0.0]] == pytest.approx(2.0), "between both"
    assert moved[rows[0.0, 0.0, 0.0]] > 2.0, "as the other one"
    assert moved[rows[0.0, 2.0, 0.0]] < 2.0


def test_anchors_are_links_and_the_middles_of_daughters() -> None:
    before = frame(0, *((0.0, 10.0 * i, 0.0) for i in range(3)))
    after = frame(1, (0.0, 1.0, 0.0), (0.0, 8.0, 2.0), (0.0, 14.0, 2.0))
    sources = open_ends([before, after], 1, 2, 10.0)
    found = Anchors.of(sources, after, Solution(np.array([0, -1, -1]), {1: (1, 2, 0.5)}))
    assert found.source.tolist() == [0, 1]
    assert found.plain.tolist() == [True, False]
    np.testing.assert_allclose(found.step, [[0.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
