"""How a whole sample moved between two frames: not at all, with its usual drift, or by a jump of the stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nuset_engine.arrays import FloatsN, PointsZYX, VectorZYX
from tracking.evidence.neighbours import tree_of

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

SAMPLE = 64
"""Nuclei on which a shift is judged."""
TRIED = 4096
MOST_TRIED = 20_000
LEAST_ANCHORS, MOST_ANCHORS = 8, 64
"""A jump is looked for among the shifts that bring an anchor onto any nucleus: about so many shifts, and where nuclei
are many, of more anchors, since a jump takes some of them out of sight."""
FITS = 0.5
"""Share of the sample that lies close to nuclei where nothing jumped."""
CLOSE = 0.3
"""How near is close, over the distance between neighbours."""
EDGE = 0.25
"""How far beyond the outermost nuclei the field goes on, in the same unit."""
SEEN_AGAIN = 0.75
"""Share of the nuclei in sight before and after a jump that are found close to where it takes them."""
CHANCE = (0.05, 0.5)
"""Bounds for the share of nuclei that a wrong shift brings close to others."""
LEAST_COMMON = 4
"""Nuclei in sight of both frames from which that share is taken."""
SURE = 3.0
"""Logarithmic odds for a jump, beyond those that the best of so many tried shifts has by chance."""


@dataclass(frozen=True)
class WholeShift:
    """Motion (3,) of a whole sample, and whether it is a jump that the nuclei in sight of both frames prove."""

    by: VectorZYX
    is_jump: bool = False


def whole_shift(before: PointsZYX, after: PointsZYX, usual: VectorZYX, scale: float) -> WholeShift:
    """Shift of the whole sample between two frames: none, the usual drift, or a jump of the stage.

    A jump is looked for only where neither of the others lines the frames up. It is judged by the nuclei that both
    frames can show, so that one by half of the field is found. Where they are too few to prove it, or it may as well be
    another one, as in a lattice, it is believed only if it lines up far more of all nuclei than the others do.

    Parameters
    ----------
    before, after : (N, 3), (M, 3) float64
    usual : (3,) float64
        Drift so far.
    scale : float
        Distance between neighbours.
    """
    if min(len(before), len(after)) < 3:
        return WholeShift(np.asarray(usual, np.float64))
    laid = _Overlay.of(before, after, scale)
    plain = np.stack([np.zeros(3), usual])
    fit = laid.fit(plain)
    best: VectorZYX = plain[int(np.argmax(fit))]
    if fit.max() >= FITS:
        return WholeShift(best)
    tried = _tried(before, after)
    fits = laid.fit(tried)
    proven = _proven(laid, tried, fits, plain, fit)
    if proven is not None:
        return WholeShift(laid.refined(proven), is_jump=True)
    winner = int(np.argmax(fits))
    if fits[winner] < max(1.5 * fit.max(), fit.max() + 0.2):
        return WholeShift(best)
    return WholeShift(laid.refined(tried[winner]))


def _proven(laid: _Overlay, tried: PointsZYX, fits: FloatsN, plain: PointsZYX, plain_fits: FloatsN) -> VectorZYX | None:
    """The jump among the tried ones that what both frames can show proves, against all others and against none."""
    common, size = laid.common(tried), len(laid.sample)
    # An anchor lies on a nucleus wherever it is brought, and proves nothing.
    hits, others = fits * size - 1.0, common - 1.0
    many = common >= LEAST_COMMON
    chance = float(np.clip((hits[many] / others[many]).mean() if many.any() else 1.0, *CHANCE))
    evidence = _evidence(hits, others, chance)
    winner = int(np.argmax(evidence))
    elsewhere = np.linalg.norm(tried - tried[winner], axis=1) > 2 * CLOSE * laid.scale
    rivals = (
        float(np.log(len(tried))),  # what the best of so many has by chance
        evidence[elsewhere].max(initial=-np.inf),
        np.log(len(tried)) + _evidence(plain_fits * size, laid.common(plain), chance).max(),
    )
    return tried[winner] if evidence[winner] > SURE + max(rivals) else None


def _tried(before: PointsZYX, after: PointsZYX) -> PointsZYX:
    """Shifts that bring one of some nuclei onto any other, evenly thinned to a bounded number."""
    least = min(LEAST_ANCHORS, max(2, MOST_TRIED // len(after)))
    count = int(np.clip(TRIED // len(after), least, MOST_ANCHORS))
    shifts = (after[None, :, :] - _some(before, count)[:, None, :]).reshape(-1, 3)
    return _some(shifts, MOST_TRIED)


def _some(points: PointsZYX, most: int) -> PointsZYX:
    """At most so many of the points, evenly spread over their order."""
    return points[np.linspace(0, len(points) - 1, min(most, len(points))).astype(np.int64)]


def _evidence(hits: FloatsN, of: FloatsN, chance: float) -> FloatsN:
    """Logarithmic odds (K,) of shifts that bring `hits` of so many nuclei onto others; wrong ones do so by `chance`."""
    hits = np.clip(hits, 0.0, of)
    odds = hits * np.log(SEEN_AGAIN / chance) + (of - hits) * np.log((1 - SEEN_AGAIN) / (1 - chance))
    return np.asarray(odds, np.float64)


@dataclass(frozen=True)
class _Overlay:
    """Two frames laid over each other with shifts (K, 3) of the first one.

    Attributes
    ----------
    tree : cKDTree
        The nuclei of the second frame.
    before, sample : (N, 3), (S, 3) float64
        All nuclei of the first one, and some.
    scale : float
    """

    tree: cKDTree
    before: PointsZYX
    sample: PointsZYX
    scale: float

    @classmethod
    def of(cls, before: PointsZYX, after: PointsZYX, scale: float) -> _Overlay:
        """With a sample of the first frame."""
        return cls(tree_of(after), before, _some(before, SAMPLE), scale)

    def fit(self, shifts: PointsZYX) -> FloatsN:
        """Share (K,) of the sample that each shift brings close to a nucleus, softly counted."""
        moved = (self.sample[None, :, :] + shifts[:, None, :]).reshape(-1, 3)
        distance = self.tree.query(moved, distance_upper_bound=2.0 * self.scale)[0]
        distance = np.reshape(distance, (len(shifts), -1))
        share: FloatsN = np.exp(-0.5 * (distance / (CLOSE * self.scale)) ** 2).mean(axis=1)
        return share

    def common(self, shifts: PointsZYX) -> FloatsN:
        """Nuclei (K,) of the sample that both frames can show; the frame that should show more of them counts."""
        after = np.asarray(self.tree.data)
        there = self._within(self.sample, shifts, after)
        some = _some(after, SAMPLE)
        back = (
            self._within(some, -shifts, self.before) * (len(after) * len(self.sample)) / (len(some) * len(self.before))
        )
        return np.asarray(np.maximum(there, back), np.float64)

    def _within(self, points: PointsZYX, shifts: PointsZYX, of: PointsZYX) -> FloatsN:
        """How many points each shift leaves within the bounds of others."""
        margin = EDGE * self.scale
        low, high = of.min(axis=0) - margin, of.max(axis=0) + margin
        moved = points[None, :, :] + shifts[:, None, :]
        return np.asarray(((moved >= low) & (moved <= high)).all(axis=2).sum(axis=1), np.float64)

    def refined(self, shift: VectorZYX) -> VectorZYX:
        """The shift after three rounds of moving by the median offset of close pairs."""
        for _ in range(3):
            distance, row = self.tree.query(self.sample + shift, distance_upper_bound=0.6 * self.scale)
            close = np.isfinite(distance)
            if close.sum() < 3:
                break
            shift = np.median(self.tree.data[np.asarray(row)[close]] - self.sample[close], axis=0)
        return np.asarray(shift, np.float64)
