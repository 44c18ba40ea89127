"""Which doubts to look at first: what a look is expected to mend, every chain of errors once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, IntsN, PointsZYX

PER_DOUBLING = 0.2
"""What twice as many nuclei that follow from a decision add to what it is worth to mend it."""
PER_ERROR = 0.5
"""Power of the number of errors that a look mends: what is likelier wrong comes first, unless it mends far less."""
SAME_TIME, NEARBY = 1.2, 1.0
"""Two faults of nuclei at one time point, and a link beside any other doubt, are one chain within so many distances
between neighbours."""
SPAN = 2
"""Time points over which one error shows in links."""
SURPRISE = 1.0
"""Standard deviation of how far the odds of one acquisition are from those of the movies that the model knows."""


@dataclass(frozen=True)
class Doubted:
    """A decision as it is put in order.

    Attributes
    ----------
    is_link : bool
        It is about a link, a division, a beginning or an end; else about a nucleus.
    step : int
        Time point, counted in steps.
    place : (z, y, x)
    probability : float
        That it is wrong.
    affected : int
        Nuclei that follow from it.
    mends : int
        Errors that are gone once it is put right.
    is_missing : bool
        It is about a nucleus that was not found: two of these are never one error.
    """

    is_link: bool
    step: int
    place: tuple[float, float, float]
    probability: float
    affected: int
    mends: int = 1
    is_missing: bool = False


def in_order(doubted: Sequence[Doubted], scale: float, count: int) -> list[int]:
    """Places in `doubted` of the first `count` to look at; of every chain of errors one.

    A doubtful link beside a doubtful nucleus is worth looking at only if the nucleus is right after all.

    Parameters
    ----------
    scale : float
        Distance between neighbours.
    """
    if not doubted:
        return []
    step = np.array([one.step for one in doubted])
    place = np.array([one.place for one in doubted], np.float64)
    is_link = np.array([one.is_link for one in doubted], bool)
    gain = _gains(doubted, step, place, is_link, scale)
    chosen: list[int] = []
    for index in np.argsort(-gain, kind="stable").tolist():
        if len(chosen) >= count:
            break
        others = [one for one in chosen if not (doubted[one].is_missing and doubted[index].is_missing)]
        if not any(_one_chain(index, other, step, place, is_link, scale) for other in others):
            chosen.append(index)
    return chosen


def _gains(doubted: Sequence[Doubted], step: IntsN, place: PointsZYX, is_link: FlagsN, scale: float) -> FloatsN:
    from scipy.spatial import cKDTree

    probability = np.array([one.probability for one in doubted])
    worth = np.array([one.mends for one in doubted]) ** PER_ERROR
    worth = worth + PER_DOUBLING * np.log2(1.0 + np.array([one.affected for one in doubted]))
    gain = probability * worth
    nuclei = np.flatnonzero(~is_link)
    if not len(nuclei):
        return np.asarray(gain)
    # Time is an axis too, along which a span of `SPAN` time points is as far as what is nearby.
    at = np.concatenate([place / scale, (step * NEARBY / (SPAN + 0.5))[:, None]], axis=1)
    near = cKDTree(at[nuclei]).query_ball_point(at, NEARBY)
    for index in np.flatnonzero(is_link).tolist():
        if near[index]:
            gain[index] *= 1.0 - probability[nuclei[near[index]]].max()
    return np.asarray(gain)


def _one_chain(one: int, two: int, step: IntsN, place: PointsZYX, is_link: FlagsN, scale: float) -> bool:
    """Whether one look shows both."""
    links = bool(is_link[one] or is_link[two])
    if abs(int(step[one]) - int(step[two])) > (SPAN if links else 0):
        return False
    return bool(np.linalg.norm(place[one] - place[two]) <= (NEARBY if links else SAME_TIME) * scale)


def learned_shift(answered: Sequence[tuple[float, bool]]) -> float:
    """How far the odds of decisions of one kind are off, from those that a person has answered.

    Parameters
    ----------
    answered : sequence of (probability, was wrong)
    """
    if not answered:
        return 0.0
    p = np.clip(np.array([stated for stated, _ in answered]), 1e-3, 1.0 - 1e-3)
    logit, wrong = np.log(p) - np.log1p(-p), np.array([was for _, was in answered], np.float64)
    shift = 0.0
    for _ in range(25):
        now = 1.0 / (1.0 + np.exp(-(logit + shift)))
        slope = float((wrong - now).sum()) - shift / SURPRISE**2
        shift += slope / (float((now * (1.0 - now)).sum()) + 1.0 / SURPRISE**2)
    return shift


def shifted(probability: float, kind: str, shifts: Mapping[str, float]) -> float:
    """Return a probability as it is with what was learned of its kind."""
    p = min(max(probability, 1e-4), 1.0 - 1e-4)
    return float(1.0 / (1.0 + np.exp(-(np.log(p) - np.log1p(-p) + shifts.get(kind, 0.0)))))
