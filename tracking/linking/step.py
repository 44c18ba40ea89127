"""One frame connected to those before it: expected places, possible links and divisions, and the best of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, PointsZYX, RowsN, VectorZYX
from tracking.arrays import FeaturesNF
from tracking.evidence.costs import (
    daughter_features,
    division_probability,
    doubtful_parent_cost,
    feature_cost,
    separation_cost,
    step_cost,
)
from tracking.evidence.endings import beginning_cost, ending_cost
from tracking.evidence.expectation import CostModel, Expectation
from tracking.evidence.fragments import fragments_cost
from tracking.evidence.frame import Frame
from tracking.evidence.jumps import whole_shift
from tracking.evidence.lookahead import Lookahead, regain_saving
from tracking.evidence.motion import local_flow
from tracking.evidence.neighbours import nearest, nearest_pairs
from tracking.evidence.sources import Sources, open_ends
from tracking.linking.candidates import CandidateLinks
from tracking.linking.decide import decide, joined
from tracking.linking.late_divisions import late_sisters
from tracking.linking.link import link
from tracking.linking.packing import Solution, Triples

DAUGHTERS = 8
"""Nuclei near the expected place that are paired up as possible daughters."""
OFF_CENTRE = 0.3
"""How far the middle of a part, or of several nuclei taken for one, lies from that of a nucleus, over the distance
between neighbours."""
FIRST_SPREAD = 0.2
"""Spread of steps before any was seen, over the distance between neighbours; worth `SPREAD_PRIOR` observations."""
SPREAD_PRIOR = 8.0


def neighbour_scale(frames: list[Frame], index: int) -> float:
    """Distance between neighbours around frame `index`; for lone nuclei from their size, or the space they crossed."""
    known = [frame.spacing for frame in frames[max(0, index - 1) : index + 1] if frame.spacing]
    if known:
        return float(np.mean(known))
    everything = np.concatenate([frame.positions for frame in frames])
    if not len(everything):
        return 1.0
    sizes = np.concatenate([frame.features[:, 0] for frame in frames])
    size = 2.0 * float(np.exp(np.nanmedian(sizes))) if np.isfinite(sizes).any() else 0.0
    extent = float(np.ptp(everything, axis=0).max())
    return max(size, extent) or 1.0


@dataclass(frozen=True)
class Anchors:
    """Displacements that are taken as known when the motion of neighbours is asked for.

    Attributes
    ----------
    source : (A,) int64
        Sources seen in the frame before.
    step : (A, 3) float64
        From the last place of each to where it is, or to the middle of its daughters.
    plain : (A,) bool
        It did not divide.
    """

    source: RowsN
    step: PointsZYX
    plain: FlagsN

    @classmethod
    def of(cls, sources: Sources, frame: Frame, solution: Solution) -> Anchors:
        """Anchors from links and divisions."""
        linked = np.flatnonzero((solution.match >= 0) & (sources.back == 1))
        parents = np.array([s for s in solution.divisions if sources.back[s] == 1], np.int64)
        pairs = np.array([solution.divisions[s][:2] for s in parents.tolist()], np.int64).reshape(-1, 2)
        places = np.concatenate([frame.positions[solution.match[linked]], frame.positions[pairs].mean(axis=1)])
        source = np.concatenate([linked, parents])
        return cls(source, places - sources.place[source], np.arange(len(source)) < len(linked))


def expect(sources: Sources, frame: Frame, anchors: Anchors, model: CostModel) -> Expectation:
    """Expected places from what is known or guessed about the motion of some nuclei."""
    belief = model.belief
    own = np.full(len(sources), -1, np.int64)
    own[anchors.source] = np.arange(len(anchors.source))
    at = sources.place[anchors.source]
    flow = sources.place + local_flow(at, anchors.step, sources.place, own, model.scale)
    keep = np.where(sources.young, belief.young_persistence, belief.persistence) * (sources.back == 1)
    place = flow + keep[:, None] * sources.residual
    elapsed = np.maximum(frame.t - sources.t, 1e-9)
    off = np.linalg.norm(at + anchors.step - place[anchors.source], axis=1) / np.sqrt(elapsed[anchors.source])
    plain = anchors.plain & ~sources.young[anchors.source]
    unit = _spread(off[plain], float(np.median(elapsed)) if len(elapsed) else 1.0, model)
    factor = np.where(sources.young, belief.young_factor, 1.0)
    return Expectation(flow, place, unit * np.sqrt(elapsed) * factor, unit)


def _spread(off: FloatsN, elapsed: float, model: CostModel) -> float:
    """Spread per axis and unit time: the median of what is seen now, joined with what was seen before."""
    before = model.belief.spread
    prior = before if before is not None else FIRST_SPREAD * model.scale / np.sqrt(elapsed)
    median_of_unit = {1: 0.674, 2: 1.177, 3: 1.538}[model.dimensions]
    seen = float(np.median(off)) / median_of_unit if len(off) else prior
    weight = len(off) / (len(off) + SPREAD_PRIOR)
    floor = 0.02 * model.scale / np.sqrt(elapsed)
    return float(np.exp(weight * np.log(max(seen, floor)) + (1 - weight) * np.log(max(prior, floor))))


def first_guess(sources: Sources, frame: Frame, shift: VectorZYX, model: CostModel) -> RowsN:
    """Links of nuclei of the frame before by trackpy, after `shift`, the whole sample's motion, was taken off."""
    recent = np.flatnonzero(sources.back == 1)
    keep = np.where(sources.young[recent], model.belief.young_persistence, model.belief.persistence)
    expected = sources.place[recent] + shift + keep[:, None] * sources.residual[recent]
    reach = model.params.search_range or model.scale
    guess = np.full(len(sources), -1, np.int64)
    guess[recent] = link(expected, frame.positions, reach)
    return guess


def possible_links(
    sources: Sources, frame: Frame, expected: Expectation, lookahead: Lookahead, ending: FloatsN, model: CostModel
) -> CandidateLinks:
    """Links that are more likely than an end and a beginning; `ending` (n,) is what the end of each source costs."""
    belief = model.belief
    reach = model.params.search_range or np.inf
    source, target, distance = nearest_pairs(expected.place, frame.tree, reach)
    doubtful = (sources.suspect | sources.fused)[source] | (frame.suspect | frame.fused)[target]
    spread = np.hypot(expected.spread[source], OFF_CENTRE * model.scale * doubtful)
    cost = step_cost(distance**2, spread, model.dimensions, model.scale)
    cost = cost + _over_time(
        lambda features: feature_cost(
            features[target] - sources.features[source], np.zeros(features.shape[1]), belief.link_scale, belief
        ),
        frame,
        lookahead,
    )
    beginning = beginning_cost(frame, lookahead.stays, belief)
    saving = ending[source] + beginning[target] - cost
    return CandidateLinks.build(source, target, saving, len(sources), len(frame))


def _over_time(cost: Callable[[FeaturesNF], FloatsN], frame: Frame, lookahead: Lookahead) -> FloatsN:
    """Cost of the features now and, where they are known, by a third one frame later: errors seldom last, sizes do."""
    now, later = cost(frame.features), cost(lookahead.features)
    return np.asarray(np.where(later == 0.0, now, (2.0 * now + later) / 3.0))  # what is not known costs nothing


def possible_divisions(
    sources: Sources, frame: Frame, expected: Expectation, lookahead: Lookahead, ending: FloatsN, model: CostModel
) -> Triples:
    """Divisions, or nuclei in two fragments, that are more likely than an end and two beginnings."""
    belief, scale = model.belief, model.scale
    if len(frame) < 2 or not model.params.find_divisions:
        nothing = np.zeros(0, np.int64)
        return Triples(nothing, nothing, nothing, np.zeros(0), np.zeros(0))
    source, first, second = _daughter_pairs(expected, frame, model)
    apart = np.linalg.norm(frame.positions[first] - frame.positions[second], axis=1)
    near = apart <= (model.params.division_range or np.inf)
    source, first, second, apart = source[near], first[near], second[near], apart[near]
    middle = (frame.positions[first] + frame.positions[second]) / 2 - expected.flow[source]
    spread = belief.split_factor * expected.unit_spread * np.sqrt(np.maximum(frame.t - sources.t[source], 1e-9))
    cost = step_cost((middle**2).sum(axis=1), spread, model.dimensions, scale)
    usual = sources.usual_features()
    cost = cost + _over_time(
        lambda features: daughter_features(
            sources.features[source], usual[source], features[first], features[second], belief
        ),
        frame,
        lookahead,
    )
    cost = cost - np.log(division_probability(sources, float(frame.t), belief))[source]
    cost = cost + doubtful_parent_cost(sources, belief)[source]
    beginning = beginning_cost(frame, lookahead.stays, belief)
    most = ending[source] + beginning[first] + beginning[second]
    most = most - separation_cost(apart, belief, model.dimensions, scale)
    divided = most - cost - np.log(model.params.min_division_score / (1 - model.params.min_division_score))
    as_fragments = most - fragments_cost(sources, frame, expected, (source, first, second), model)
    saving = np.maximum(divided, as_fragments)
    good = saving > 0
    return Triples(source[good], first[good], second[good], saving[good], (divided - as_fragments)[good])


def _daughter_pairs(expected: Expectation, frame: Frame, model: CostModel) -> tuple[RowsN, RowsN, RowsN]:
    """All pairs of the nuclei nearest to where each source is expected, within reach of daughters."""
    count = min(DAUGHTERS, len(frame))
    usual = model.scale * np.exp(model.belief.split_log + 2.5 * model.belief.split_sd)
    distance, row = nearest(frame.tree, expected.flow, count)
    one, two = np.triu_indices(count, 1)
    reach = usual / 2 + 4.0 * expected.spread[:, None]
    source, pair = np.nonzero((distance[:, one] <= reach) & (distance[:, two] <= reach))
    a, b = row[source, one[pair]], row[source, two[pair]]
    return source, np.minimum(a, b), np.maximum(a, b)


@dataclass(frozen=True)
class LinkingStep:
    """A frame's solution with what it was found among; `jump` is that of the whole sample where the frame is new."""

    sources: Sources
    expected: Expectation
    solution: Solution
    jump: VectorZYX | None = None


def solve_step(
    frames: list[Frame],
    index: int,
    first: int,
    guess_links: bool,
    usual_shift: VectorZYX,
    lookahead: Lookahead,
    model: CostModel,
) -> LinkingStep:
    """Connect frame `index` to the frames before it.

    Parameters
    ----------
    first : int
        The first frame that is provisional.
    guess_links : bool
        The frame has no links yet: trackpy makes the first ones. Else its present links are the first guess.
    usual_shift : (3,) float64
        Drift of the whole sample so far.
    lookahead : Lookahead
        What later frames have shown of its nuclei.
    """
    frame = frames[index]
    sources = open_ends(frames, index, model.params.memory_frames, model.scale)
    ending, jump = ending_cost(sources, model.belief), None
    if guess_links:
        whole = whole_shift(sources.place[sources.back == 1], frame.positions, usual_shift, model.scale)
        jump = whole.by if whole.is_jump else None
        guess = Solution(first_guess(sources, frame, whole.by, model), {})
        expected = expect(sources, frame, Anchors.of(sources, frame, guess), model)
        pairs = possible_links(sources, frame, expected, lookahead, ending, model)
        triples = possible_divisions(sources, frame, expected, lookahead, ending, model)
        guess = joined(decide(pairs, triples, score=False), triples, frame.size)
    else:
        guess = present_solution(sources, frame)
    expected = expect(sources, frame, Anchors.of(sources, frame, guess), model)
    sisters = late_sisters(
        frames, index, first, sources, expected, beginning_cost(frame, lookahead.stays, model.belief), model
    )
    ending = ending - regain_saving(frames, index, sources, expected.unit_spread, model)
    pairs = sisters.added(possible_links(sources, frame, expected, lookahead, ending, model))
    triples = possible_divisions(sources, frame, expected, lookahead, ending, model)
    solution = joined(decide(pairs, triples), triples, frame.size)
    return LinkingStep(sources, expected, sisters.divided(solution), jump)


def present_solution(sources: Sources, frame: Frame) -> Solution:
    """The links and divisions that a frame has now, those over gaps left out.

    So are all of them where the time points before have turned out to follow each other too closely for their gap.
    """
    match = np.full(len(sources), -1, np.int64)
    recent = np.flatnonzero(sources.back == 1)  # ordered by their rows
    goes_on = (frame.back == 1) & np.isin(frame.row, sources.row[recent])
    divided = frame.newborn & (frame.sister == 0)
    plain = np.flatnonzero(goes_on & ~divided)
    match[recent[np.searchsorted(sources.row[recent], frame.row[plain])]] = plain
    newborn = np.flatnonzero(goes_on & divided)
    by_parent = newborn[np.argsort(frame.row[newborn], kind="stable")].reshape(-1, 2)
    parents = recent[np.searchsorted(sources.row[recent], frame.row[by_parent[:, 0]])]
    divisions = {p: (a, b, 0.0) for p, (a, b) in zip(parents.tolist(), by_parent.tolist(), strict=True)}
    return Solution(match, divisions)
