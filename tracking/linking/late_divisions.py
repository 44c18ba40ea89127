"""Divisions of which one daughter was missed at first: she appears some frames after her sister.

The sister was taken for the parent going on. Each source may, besides going on itself, gain a sister: that is one more
source, the targets of which are nuclei near the first. What it saves is what a division explains better than a plain
link and a nucleus from nothing do, less the price of missing a nucleus.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nuset_engine.arrays import FloatsN, IntsN, RowsN
from tracking.evidence.costs import (
    daughter_features,
    division_probability,
    doubtful_parent_cost,
    feature_cost,
    separation_cost,
    step_cost,
)
from tracking.evidence.expectation import CostModel, Expectation
from tracking.evidence.frame import Frame
from tracking.evidence.neighbours import nearest
from tracking.evidence.sources import Sources, collect
from tracking.linking.candidates import CandidateLinks
from tracking.linking.packing import Solution

SISTERS = 6
"""Nuclei near a source that may be its sister."""


@dataclass(frozen=True)
class Births:
    """Plain links that may have been divisions, each the past of a source.

    Attributes
    ----------
    source : (K,) int64
        The source.
    row, parent : (K,) int64
        Row of its nucleus `delay` frames before the frame to be solved, and of the one before that.
    delay : int
    """

    source: RowsN
    row: RowsN
    parent: RowsN
    delay: int


def births(frames: list[Frame], index: int, first: int, sources: Sources, memory: int) -> list[Births]:
    """Plain links in the past of each source, by delay; those into frames before `first` are final."""
    found = []
    at, row = sources.back.copy(), sources.row.copy()
    for delay in range(1, min(memory, index - max(first, 1)) + 1):
        frame = frames[index - delay]
        here = np.flatnonzero(at == delay)
        plain = (frame.back[row[here]] == 1) & ~frame.newborn[row[here]]
        chosen = here[plain]
        found.append(Births(chosen, row[chosen], frame.row[row[chosen]], delay))
        # Beyond a birth or a gap nothing can be cut.
        at[here], row[here] = np.where(plain, delay + 1, 0), frame.row[row[here]]
    return found


@dataclass(frozen=True)
class Sisters:
    """Sources with nuclei that may be late sisters of theirs, each pair once.

    Attributes
    ----------
    source, target : (E,) int64
    saving : (E,) float64
        What the division saves over a plain link and a nucleus from nothing.
    delay : (E,) int64
        How many frames before the source's track would have been born.
    """

    source: RowsN
    target: RowsN
    saving: FloatsN
    delay: IntsN

    def added(self, pairs: CandidateLinks) -> CandidateLinks:
        """The same links, and those of one more source per source, to its late sisters."""
        return CandidateLinks.build(
            np.concatenate([pairs.source, pairs.sources + self.source]),
            np.concatenate([pairs.target, self.target]),
            np.concatenate([pairs.saving, self.saving]),
            2 * pairs.sources,
            pairs.targets,
        )

    def divided(self, solution: Solution) -> Solution:
        """A solution with the added sources turned into late divisions; a nucleus that divides again had no sister."""
        count = len(solution.match) // 2
        own, sister = solution.match[:count], solution.match[count:]
        chosen = np.flatnonzero(sister[self.source] == self.target)
        late = {
            int(self.source[row]): (int(self.target[row]), int(self.delay[row]), float(self.saving[row]))
            for row in chosen.tolist()
            if int(self.source[row]) not in solution.divisions
        }
        return Solution(own, solution.divisions, late)


def late_sisters(
    frames: list[Frame],
    index: int,
    first: int,
    sources: Sources,
    expected: Expectation,
    beginning: FloatsN,
    model: CostModel,
) -> Sisters:
    """All late sisters in frame `index` that are more likely than a nucleus from nothing, at cost `beginning` (M,)."""
    past = births(frames, index, first, sources, model.params.memory_frames)
    empty = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    parts = [empty]
    if model.params.find_divisions and len(frames[index]):
        parts += [_of_delay(frames, index, some, sources, expected, model) for some in past if len(some.source)]
    source, target, saving, delay = (np.concatenate(column) for column in zip(*parts, strict=True))
    saving = saving + beginning[target]
    order = np.lexsort((-saving, target, source))
    again = (np.diff(source[order], prepend=-1) == 0) & (np.diff(target[order], prepend=-1) == 0)
    keep = order[~again & (saving[order] > 0)]
    return Sisters(source[keep], target[keep], saving[keep], delay[keep])


def _within_reach(frame: Frame, past: Births, expected: Expectation, model: CostModel) -> tuple[RowsN, RowsN]:
    """Which births (N,) and which nuclei of the frame (N,) are near enough to be sisters."""
    belief, count = model.belief, min(SISTERS, len(frame))
    distance, target = nearest(frame.tree, expected.flow[past.source], count)
    one = np.repeat(np.arange(len(past.source)), count)
    usual = model.scale * np.exp(belief.split_log + 2.5 * belief.split_sd)
    reach = model.params.division_range or usual + 2.0 * expected.spread[past.source[one]]
    near = distance.reshape(-1) <= reach
    return one[near], target.reshape(-1)[near]


def _of_delay(
    frames: list[Frame], index: int, past: Births, sources: Sources, expected: Expectation, model: CostModel
) -> tuple[RowsN, RowsN, FloatsN, IntsN]:
    """Source, target, saving but for the beginning, and delay of all late sisters of one delay."""
    belief, frame, born = model.belief, frames[index], frames[index - past.delay]
    parents = collect(frames, index - past.delay, [(np.ones(len(past.parent), np.int64), past.parent)], model.scale)
    one, target = _within_reach(frame, past, expected, model)
    apart = frame.positions[target] - expected.flow[past.source[one]]
    own = born.residual[past.row]
    unit = expected.unit_spread * np.sqrt(np.maximum(born.t - parents.t, 1e-9))
    # As a division: the daughters' middle where the sister was born, their distance with the steps that she made since.
    middle = own[one] + apart / 2
    length = np.linalg.norm(apart, axis=1)
    since = belief.young_factor * expected.unit_spread * np.sqrt(2.0 * (frame.t - born.t))
    blur = since / (model.scale * np.exp(belief.split_log))
    wider = replace(belief, split_sd=float(np.hypot(belief.split_sd, blur)))
    spread = np.hypot(belief.split_factor * unit[one], since / 2)
    cost = step_cost((middle**2).sum(axis=1), spread, model.dimensions, model.scale)
    cost = cost + separation_cost(length, wider, model.dimensions, model.scale)
    features = (
        parents.features[one],
        parents.usual_features()[one],
        born.features[past.row[one]],
        frame.features[target],
    )
    cost = cost + daughter_features(*features, belief)
    cost = cost + doubtful_parent_cost(parents, belief)[one]
    chance = division_probability(parents, float(born.t), belief)
    missed = (belief.vanish * belief.regain) ** past.delay
    cost = cost - np.log(chance)[one] - np.log(missed)
    # As a plain link, which is what it is now.
    keep = np.where(parents.young, belief.young_persistence, belief.persistence)
    off2 = ((own - keep[:, None] * parents.residual) ** 2).sum(axis=1)
    plain = step_cost(off2, unit * np.where(parents.young, belief.young_factor, 1.0), model.dimensions, model.scale)
    change = born.features[past.row] - parents.features
    plain = plain + feature_cost(change, np.zeros(change.shape[1]), belief.link_scale, belief)
    odds = model.params.min_division_score / (1 - model.params.min_division_score)
    return past.source[one], target, plain[one] - cost - np.log(odds), np.full(len(one), past.delay)
