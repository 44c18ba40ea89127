"""Write a solved step into its frame, and sum up what it showed."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracking.evidence import Sums
from tracking.frame import Frame
from tracking.step import Scene, Step

OUTLIER2 = 25.0
"""Squared residuals count up to this many squared spreads, so that a wrong link teaches little."""


def connect(frame: Frame, step: Step, scene: Scene) -> None:
    """Replace the connections of `frame` by those of `step`, with what nuclei inherit along them, and its sums."""
    _clear(frame)
    sources, solution = step.sources, step.solution
    linked = np.flatnonzero(solution.match >= 0)
    target = solution.match[linked]
    _inherit(frame, step, linked, target)
    for name in ("born_t", "age_known", "cycle"):
        getattr(frame, name)[target] = getattr(sources, name)[linked]
    frame.length[target] = sources.length[linked] + 1
    odds = scene.params.min_division_score / (1 - scene.params.min_division_score)
    for source, (first, second, gain) in solution.divisions.items():
        daughters = np.array([first, second])
        _inherit(frame, step, np.array([source, source]), daughters)
        frame.newborn[daughters] = True
        frame.age_known[daughters] = True
        frame.score[daughters] = 1.0 / (1.0 + np.exp(-min(gain, 50.0)) / odds)
        if sources.age_known[source]:
            frame.cycle[daughters] = frame.t - sources.born_t[source]
    frame.sums = _observed(frame, step, scene)


def _clear(frame: Frame) -> None:
    """All nuclei as if they came from nothing."""
    frame.back[:] = 0
    frame.row[:] = -1
    frame.newborn[:] = False
    frame.score[:] = np.nan
    frame.residual[:] = 0.0
    frame.born_t[:] = frame.t
    frame.age_known[:] = False
    frame.cycle[:] = np.nan
    frame.length[:] = 1


def _inherit(frame: Frame, step: Step, source: np.ndarray, target: np.ndarray) -> None:
    """Predecessor and own motion of `target`."""
    frame.back[target] = step.sources.back[source]
    frame.row[target] = step.sources.row[source]
    seen = step.sources.back[source] == 1
    own = frame.positions[target] - step.expected.flow[source]
    frame.residual[target] = np.where(seen[:, None], own, 0.0)


def _observed(frame: Frame, step: Step, scene: Scene) -> Sums:
    """Everything that one step contributes to the sums."""
    sources, match = step.sources, step.solution.match
    source = np.flatnonzero(match >= 0)
    parts: dict[str, Any] = {**_motion(frame, step, source), **_risks(frame, step), **_features(frame, step, source)}
    sums = Sums(**parts)
    splits = step.solution.divisions
    if splits:
        parents = np.array(list(splits))
        pairs = np.array([splits[p][:2] for p in splits])
        a, b = frame.positions[pairs[:, 0]], frame.positions[pairs[:, 1]]
        ratio = np.log(np.maximum(np.linalg.norm(a - b, axis=1), 1e-3 * scene.scale) / scene.scale)
        spread2 = step.expected.unit_spread**2 * np.maximum(frame.t - sources.t[parents], 1e-9)
        off2 = (((a + b) / 2 - step.expected.flow[parents]) ** 2).sum(axis=1) / spread2
        sums.split_log, sums.split_log2, sums.split_n = float(ratio.sum()), float((ratio**2).sum()), float(len(parents))
        sums.split_r2 = float(np.minimum(off2, OUTLIER2).sum())
    return sums


def _motion(frame: Frame, step: Step, source: np.ndarray) -> dict[str, float]:
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


def _risks(frame: Frame, step: Step) -> dict[str, float]:
    """Divisions and the time at risk of them; nuclei lost, found again, and come from nothing."""
    sources, match = step.sources, step.solution.match
    divided = np.zeros(len(sources), bool)
    divided[list(step.solution.divisions)] = True
    recent = sources.back == 1
    active = (match >= 0) | divided
    age = np.log(np.maximum(frame.t - sources.born_t, 1e-9))
    cycle = age[divided & sources.age_known]
    ratio = (age - np.log(sources.cycle))[divided & sources.age_known & ~np.isnan(sources.cycle)]
    return {
        "cycle_log": float(cycle.sum()),
        "cycle_log2": float((cycle**2).sum()),
        "cycle_n": float(len(cycle)),
        "ratio_log": float(ratio.sum()),
        "ratio_log2": float((ratio**2).sum()),
        "ratio_n": float(len(ratio)),
        "blind": float((divided & ~sources.age_known).sum()),
        "blind_exposure": float((frame.t - sources.t)[active & ~sources.age_known].sum()),
        "appeared": float((frame.back == 0).sum()),
        "vanished": float((recent & ~active).sum()),
        "regained": float((~recent & active).sum()),
        "flickers": float((recent & ~active & sources.fresh).sum()),
        "seen": float(recent.sum()),
    }


def _features(frame: Frame, step: Step, source: np.ndarray) -> dict[str, tuple[float, ...]]:
    """Changes of features along links and at divisions, and differences between nuclei that are not the same."""
    features, sources, match = frame.features, step.sources, step.solution.match
    link = np.abs(features[match[source]] - sources.features[source])
    apart = np.abs(features - features[_nearest(frame.positions)])
    splits = step.solution.divisions
    parents = np.array(list(splits), np.int64)
    pairs = np.array([splits[p][:2] for p in splits], np.int64).reshape(-1, 2)
    change = features[pairs].mean(axis=1) - sources.features[parents]
    columns = {
        "feature_link": np.nansum(link, axis=0),
        "feature_link_n": np.isfinite(link).sum(axis=0),
        "feature_apart": np.nansum(apart, axis=0),
        "feature_apart_n": np.isfinite(apart).sum(axis=0),
        "feature_split": np.nansum(change, axis=0),
        "feature_split2": np.nansum(change**2, axis=0),
        "feature_split_n": np.isfinite(change).sum(axis=0),
    }
    return {name: tuple(float(v) for v in value) for name, value in columns.items()}


def _nearest(positions: np.ndarray) -> np.ndarray:
    """Row of another nucleus nearby for each nucleus, itself where it is alone."""
    from scipy.spatial import KDTree

    if len(positions) < 2:
        return np.arange(len(positions))
    _, row = KDTree(positions).query(positions, k=2)
    return np.where(row[:, 1] == np.arange(len(positions)), row[:, 0], row[:, 1])
