"""Write a solved step into its frame, and sum up what it showed."""

from __future__ import annotations

from typing import Any

import numpy as np

from nuset_engine.arrays import FloatsN, RowsN
from tracking.evidence.beliefs import Sums
from tracking.evidence.expectation import CostModel
from tracking.evidence.frame import Frame
from tracking.linking.late_edit import complete
from tracking.linking.packing import Solution
from tracking.linking.step import LinkingStep

OUTLIER2 = 25.0
"""Squared residuals count up to this many squared spreads, so that a wrong link teaches little."""
USUAL_RATE = 0.25
"""How fast the usual size of a track follows that of its nuclei."""


def connect(frames: list[Frame], index: int, step: LinkingStep, model: CostModel) -> None:
    """Replace the connections of a frame by those of `step`, with what nuclei inherit along them, and its sums."""
    frame = frames[index]
    _clear(frame)
    sources, solution = step.sources, step.solution
    linked = np.flatnonzero(solution.match >= 0)
    target = solution.match[linked]
    _inherit(frame, step, linked, target)
    for name in ("born_t", "age_known", "cycle", "born_score"):
        getattr(frame, name)[target] = getattr(sources, name)[linked]
    frame.length[target] = sources.length[linked] + 1
    frame.growth[target] = frame.features[target, 0] - sources.features[linked, 0]
    frame.usual[target] = _usual(sources.usual[linked], frame.features[target, 0])
    scores = division_scores(step.solution, model)
    for source, (first, second, _) in solution.divisions.items():
        daughters = np.array([first, second])
        _inherit(frame, step, np.array([source, source]), daughters)
        frame.newborn[daughters] = True
        frame.age_known[daughters] = True
        frame.score[daughters] = frame.born_score[daughters] = scores[source]
        if sources.age_known[source]:
            frame.cycle[daughters] = frame.t - sources.born_t[source]
    for source, (sister, delay, gain) in solution.late.items():
        seen = int(sources.back[source]), int(sources.row[source])
        complete(frames, index, seen, delay, sister, _score(gain, model))
    frame.sums = _observed(frame, step, model)


def division_scores(solution: Solution, model: CostModel) -> dict[int, float]:
    """Probability of each division against the best that could be had without it, from what it saves over that."""
    return {source: _score(gain, model) for source, (_, _, gain) in solution.divisions.items()}


def _score(gain: float, model: CostModel) -> float:
    """Probability of a division that saves `gain` more than the best without it, beyond the least odds."""
    odds = model.params.min_division_score / (1 - model.params.min_division_score)
    return float(1.0 / (1.0 + np.exp(-min(gain, 50.0)) / odds))


def _usual(before: FloatsN, now: FloatsN) -> FloatsN:
    """Usual size after one more nucleus of each track; what is not known changes nothing."""
    now = np.where(np.isnan(now), before, now)
    return np.where(np.isnan(before), now, before + USUAL_RATE * (now - before))


def _clear(frame: Frame) -> None:
    """All nuclei as if they came from nothing."""
    frame.back[:] = 0
    frame.row[:] = -1
    frame.newborn[:] = False
    frame.sister[:] = 0
    frame.score[:] = np.nan
    frame.residual[:] = 0.0
    frame.growth[:] = np.nan
    frame.usual[:] = frame.features[:, 0]
    frame.born_t[:] = frame.t
    frame.age_known[:] = False
    frame.cycle[:] = np.nan
    frame.born_score[:] = 0.0
    frame.length[:] = 1


def _inherit(frame: Frame, step: LinkingStep, source: RowsN, target: RowsN) -> None:
    """Predecessor and own motion of `target`."""
    frame.back[target] = step.sources.back[source]
    frame.row[target] = step.sources.row[source]
    seen = step.sources.back[source] == 1
    own = frame.positions[target] - step.expected.flow[source]
    frame.residual[target] = np.where(seen[:, None], own, 0.0)


def _observed(frame: Frame, step: LinkingStep, model: CostModel) -> Sums:
    """Everything that one step contributes to the sums."""
    sources, match = step.sources, step.solution.match
    source = np.flatnonzero(match >= 0)
    parts: dict[str, Any] = {
        **_motion(frame, step, source),
        **_risks(frame, step, model),
        **_features(frame, step, source, model),
    }
    sums = Sums(**parts)
    splits = step.solution.divisions
    if splits:
        parents = np.array(list(splits))
        pairs = np.array([splits[p][:2] for p in splits])
        a, b = frame.positions[pairs[:, 0]], frame.positions[pairs[:, 1]]
        ratio = np.log(np.maximum(np.linalg.norm(a - b, axis=1), 1e-3 * model.scale) / model.scale)
        spread2 = step.expected.unit_spread**2 * np.maximum(frame.t - sources.t[parents], 1e-9)
        off2 = (((a + b) / 2 - step.expected.flow[parents]) ** 2).sum(axis=1) / spread2
        weight = np.array(list(division_scores(step.solution, model).values()))
        sums.split_n = float(weight.sum())
        sums.split_log, sums.split_log2 = float(weight @ ratio), float(weight @ ratio**2)
        sums.split_r2 = float(weight @ np.minimum(off2, OUTLIER2))
    return sums


def _motion(frame: Frame, step: LinkingStep, source: RowsN) -> dict[str, float]:
    """Spread of steps, and how far nuclei repeat their own motion."""
    sources, expected = step.sources, step.expected
    source = source[sources.back[source] == 1]
    target = step.solution.match[source]
    own = frame.positions[target] - expected.flow[source]
    elapsed = frame.t - sources.t[source]
    near = (own**2).sum(axis=1) <= OUTLIER2 * expected.unit_spread**2 * elapsed
    young = sources.young[source]
    before = sources.residual[source]
    along, variance = (own * before).sum(axis=1), (before**2).sum(axis=1)
    beyond2 = ((frame.positions[target] - expected.place[source]) ** 2).sum(axis=1) / (
        expected.unit_spread**2 * elapsed
    )
    count = float(min(len(source), 100))
    return {
        "log_step": count * float(np.log(expected.unit_spread)),
        "log_step_n": count,
        "persist_xy": float(along[near & ~young].sum()),
        "persist_xx": float(variance[near & ~young].sum()),
        "young_xy": float(along[near & young].sum()),
        "young_xx": float(variance[near & young].sum()),
        "young_r2": float(np.minimum(beyond2[young], OUTLIER2).sum()),
        "young_n": float(young.sum()),
    }


def _risks(frame: Frame, step: LinkingStep, model: CostModel) -> dict[str, float]:
    """Divisions and the time at risk of them; nuclei lost, found again, and come from nothing."""
    sources, match = step.sources, step.solution.match
    weight = np.zeros(len(sources))
    weight[list(step.solution.divisions)] = list(division_scores(step.solution, model).values())
    divided = weight > 0
    recent = (sources.back == 1) & (len(frame) > 0)  # an empty frame is a missed one: nothing vanished
    active = (match >= 0) | divided
    age = np.log(np.maximum(frame.t - sources.born_t, 1e-9))
    of_age = weight * sources.born_score * sources.age_known
    ratio = np.where(np.isnan(sources.cycle), 0.0, age - np.log(np.where(np.isnan(sources.cycle), 1.0, sources.cycle)))
    of_ratio = of_age * ~np.isnan(sources.cycle)
    return {
        "cycle_log": float(of_age @ age),
        "cycle_log2": float(of_age @ age**2),
        "cycle_n": float(of_age.sum()),
        "ratio_log": float(of_ratio @ ratio),
        "ratio_log2": float(of_ratio @ ratio**2),
        "ratio_n": float(of_ratio.sum()),
        "blind": float(weight[~sources.age_known].sum()),
        "blind_exposure": float((frame.t - sources.t)[active & ~sources.age_known].sum()),
        "appeared": float((frame.back == 0).sum()),
        "vanished": float((recent & ~active).sum()),
        "regained": float((~recent & active).sum()),
        "flickers": float((recent & ~active & sources.fresh).sum()),
        "suspects": float(frame.suspect.sum()),
        "seen": float(recent.sum()),
    }


def _features(frame: Frame, step: LinkingStep, source: RowsN, model: CostModel) -> dict[str, tuple[float, ...]]:
    """Changes of features along links and at divisions, and differences between nuclei that are not the same."""
    features, sources, match = frame.features, step.sources, step.solution.match
    link = np.abs(features[match[source]] - sources.features[source])
    apart = np.abs(features - features[_nearest(frame)])
    splits = step.solution.divisions
    parents = np.array(list(splits), np.int64)
    pairs = np.array([splits[p][:2] for p in splits], np.int64).reshape(-1, 2)
    change = features[pairs].mean(axis=1) - sources.usual_features()[parents]
    weight = np.array(list(division_scores(step.solution, model).values())).reshape(-1, 1)
    columns = {
        "feature_link": np.nansum(link, axis=0),
        "feature_link_n": np.isfinite(link).sum(axis=0),
        "feature_apart": np.nansum(apart, axis=0),
        "feature_apart_n": np.isfinite(apart).sum(axis=0),
        "feature_split": np.nansum(weight * change, axis=0),
        "feature_split2": np.nansum(weight * change**2, axis=0),
        "feature_split_n": (weight * np.isfinite(change)).sum(axis=0),
    }
    return {name: tuple(float(v) for v in value) for name, value in columns.items()}


def _nearest(frame: Frame) -> RowsN:
    """Row of another nucleus nearby for each nucleus, itself where it is alone."""
    if len(frame) < 2:
        return np.arange(len(frame))
    _, row = frame.beside
    return np.where(row[:, 1] == np.arange(len(frame)), row[:, 0], row[:, 1])
