"""What later frames have shown of a frame's nuclei, and of those that it does not show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FloatsN, IntsN
from tracking.arrays import FeaturesNF
from tracking.evidence.costs import feature_cost, step_cost
from tracking.evidence.endings import beginning_cost, missed_cost
from tracking.evidence.expectation import CostModel
from tracking.evidence.frame import Frame
from tracking.evidence.neighbours import nearest_pairs
from tracking.evidence.sources import Sources, collect


@dataclass(frozen=True)
class Lookahead:
    """What later frames have shown of the M nuclei of a frame.

    Attributes
    ----------
    stays : (M,) int64
        Whether each nucleus is seen again: 1 yes, 0 no, -1 not known yet.
    features : (M, F) float64
        Its features in the next frame, NaN where not known.
    """

    stays: IntsN
    features: FeaturesNF

    @classmethod
    def of(cls, frames: list[Frame], index: int) -> Lookahead:
        """As the links stand; nothing is known yet where the next frame is the newest."""
        frame = frames[index]
        stays, features = np.full(len(frame), -1, np.int64), np.full_like(frame.features, np.nan)
        if index + 2 >= len(frames):
            return cls(stays, features)
        stays[:] = 0
        for later in range(index + 1, len(frames) - 1):
            stays[frames[later].row[frames[later].back == later - index]] = 1
        after = frames[index + 1]
        plain = (after.back == 1) & ~after.newborn
        features[after.row[plain]] = after.features[plain]
        return cls(stays, features)


def regain_saving(frames: list[Frame], index: int, sources: Sources, unit_spread: float, model: CostModel) -> FloatsN:
    """What the next frame saves if frame `index` does not show a source but the next one does: (n,), 0 for most.

    Frames are decided one by one. Where a nucleus was missed, a neighbour without a better cause would take its place,
    and the nucleus itself would come from nothing one frame later, which neither frame alone could put right.

    Parameters
    ----------
    frames : list of Frame
    index : int
    sources : Sources
        Those of frame `index`, nearest frame first.
    unit_spread : float
        Spread of steps in unit time.
    model : CostModel
    """
    saving = np.zeros(len(sources))
    if index + 2 >= len(frames) or not len(sources):
        return saving  # the next frame has no links yet
    after, belief = frames[index + 1], model.belief
    orphans = np.flatnonzero((after.back == 0) | ((after.back > 1) & ~after.newborn))
    later = _carried_on(frames, index, sources, model)
    if not len(orphans) or not len(later):
        return saving
    source, target, distance = nearest_pairs(later.place, after.positions[orphans], np.inf)
    cost = step_cost(distance**2, unit_spread * np.sqrt(after.t - later.t[source]), model.dimensions, model.scale)
    change = after.features[orphans[target]] - later.features[source]
    cost = cost + feature_cost(change, np.zeros(change.shape[1]), belief.link_scale, belief)
    beginning = beginning_cost(after, np.full(len(after), -1), belief)[orphans[target]]
    worth = missed_cost(later.back[source] - 1, belief) + beginning - cost
    # Each orphan is one of those that it may be.
    claims = np.bincount(target[worth > 0], minlength=len(orphans))
    np.maximum.at(saving, source, worth - np.log(np.maximum(claims, 1))[target])
    return saving


def _carried_on(frames: list[Frame], index: int, sources: Sources, model: CostModel) -> Sources:
    """The first sources, as many as the next frame's memory reaches, carried with their neighbours into that frame.

    They are those that the frame after it would have if neither showed them.
    """
    backs = range(1, min(model.params.memory_frames, index) + 1)
    nothing = np.zeros(0, np.int64)
    rows = [nothing, nothing, *(sources.row[sources.back == back] for back in backs)]
    parts = [(np.full(len(some), back, np.int64), some) for back, some in enumerate(rows, start=1)]
    return collect(frames, index + 2, parts, model.scale)
