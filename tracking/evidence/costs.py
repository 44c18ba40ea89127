"""What links, divisions, appearances and disappearances cost: negative logarithms of likelihoods.

Densities of position are relative to one nucleus per ball with the radius of the distance between neighbours, those of
features to the differences between neighbours, so that all costs can be compared and unknown features cost nothing.
"""

from __future__ import annotations

import math

import numpy as np

from nuset_engine.arrays import FloatsN, PointsZYX
from tracking.arrays import FeaturesNF, ScalesF
from tracking.evidence.beliefs import Belief
from tracking.evidence.sources import Sources

HEAVINESS = 10.0
"""Degrees of freedom of Student's t distribution of steps: now and then a nucleus moves much farther than usual."""
FEATURE_LIMIT = 4.0
"""A single feature never speaks louder than this for or against a link: segmentation errors change sizes at will."""
DAUGHTER_TRUST = 0.25
"""Weight of daughters' features against those of the parent: they vary together, so that they say less."""
NEVER = 1e-5
"""Probability that a division keeps however wrong the age looks."""
DOUBTFUL_PARENT = 0.03
"""Chance of a division where the parent is suspected to be several nuclei or a part, over that without suspicion."""
CHILDLESS = 0.1
"""Share of nuclei that never divide again."""


def step_cost(distance2: FloatsN, spread: FloatsN | float, dimensions: int, scale: float) -> FloatsN:
    """Negative log density of ending up at squared distance `distance2` from the expected place.

    Multivariate Student's t with `spread` per axis, relative to the uniform density over the ball of radius `scale`.
    """
    nu = HEAVINESS
    constant = math.lgamma((nu + dimensions) / 2) - math.lgamma(nu / 2) - dimensions / 2 * math.log(nu * math.pi)
    density = (
        constant - dimensions * np.log(spread) - (nu + dimensions) / 2 * np.log1p(distance2 / (nu * np.square(spread)))
    )
    return np.asarray(-density - log_ball(dimensions, scale))


def log_ball(dimensions: int, radius: float) -> float:
    """Log volume of a ball."""
    return dimensions / 2 * math.log(math.pi) - math.lgamma(dimensions / 2 + 1) + dimensions * math.log(radius)


def feature_cost(change: FeaturesNF, mean: ScalesF, width: ScalesF, belief: Belief) -> FloatsN:
    """Cost of changes (E, F) under Laplace distributions, relative to those between neighbours; NaN costs nothing."""
    cost = (
        np.abs(change - mean) / width + np.log(width) - np.abs(change) / belief.apart_scale - np.log(belief.apart_scale)
    )
    total: FloatsN = _limited(cost, -FEATURE_LIMIT).sum(axis=1)
    return total


def size_cost(change: FloatsN, belief: Belief) -> FloatsN:
    """The same of the logarithmic size (E,) alone, as along links."""
    alone = np.full((len(change), len(belief.link_scale)), np.nan)
    alone[:, 0] = change
    return feature_cost(alone, np.zeros(alone.shape[1]), belief.link_scale, belief)


def daughter_features(
    parent: FeaturesNF, usual: FeaturesNF, one: FeaturesNF, two: FeaturesNF, belief: Belief
) -> FloatsN:
    """Cost of the features (E, F) of two daughters: their mean against the parent, and each against the other.

    The parent's as she was last seen and as she usually was, since nuclei condense before they divide. Neither daughter
    can be larger than she was last.
    """
    change = (one + two) / 2 - usual
    cost = DAUGHTER_TRUST * feature_cost(change, belief.split_mean, belief.split_scale, belief)
    cost = cost + sum(_swelling_cost(daughter[:, 0] - parent[:, 0], belief) for daughter in (one, two))
    return np.asarray(cost + feature_cost(one - two, np.zeros(one.shape[1]), 1.5 * belief.link_scale, belief))


def separation_cost(separation: PointsZYX, belief: Belief, dimensions: int, scale: float) -> FloatsN:
    """Negative log density of the vector between unordered daughters: log-normal length, any direction."""
    log_ratio = np.log(np.maximum(separation, 1e-3 * scale) / scale)
    sphere = math.log(dimensions) + log_ball(dimensions, 1.0) + (dimensions - 1) * log_ratio
    z = (log_ratio - belief.split_log) / belief.split_sd
    cost = 0.5 * z**2 + math.log(belief.split_sd * math.sqrt(2 * math.pi)) + log_ratio + sphere
    return np.asarray(cost - math.log(2.0) - log_ball(dimensions, 1.0))


def division_probability(sources: Sources, t: float, belief: Belief) -> FloatsN:
    """Probability of each source to divide before `t`, given its age.

    Ages at division are log-normal: relative to the parent's own age at division where that is known, else as seen in
    the whole sample, at first half as long again as the oldest that was not seen to divide. Some never divide. Nuclei
    of unknown age have the recent rate of their like; the age of others is trusted as far as the score of their birth.
    """
    age = np.maximum(t - sources.born_t, 1e-9)
    past = np.maximum(sources.t - sources.born_t, 1e-9)
    known = sources.age_known
    oldest = float(past.max(initial=1e-9))
    weight = belief.cycle_n / (belief.cycle_n + 2.0)
    by_sample = weight * belief.cycle_log + (1.0 - weight) * np.log(1.5 * max(oldest, float(age.min(initial=1.0))))
    related = ~np.isnan(sources.cycle)
    mean = np.where(related, np.log(np.where(related, sources.cycle, 1.0)) + belief.ratio_log, by_sample)
    deviation = np.where(related, belief.ratio_sd, belief.cycle_sd)
    before, after = _survival(past, mean, deviation), _survival(age, mean, deviation)
    by_age = (before - after) / before
    blind = 1.0 - np.exp(-belief.blind_rate * (t - sources.t))
    ceiling = np.where(sources.fresh, 0.05, 0.5)
    trust = np.where(known, sources.born_score, 0.0)
    return np.asarray(np.clip(trust * by_age + (1.0 - trust) * blind, NEVER, ceiling))


def doubtful_parent_cost(sources: Sources, belief: Belief) -> FloatsN:
    """Cost of each source to divide because it may be several nuclei taken for one, which only separate again.

    It was suspected of that (or of being a part, which cannot be two), or rose in size at once far beyond what links
    do: nuclei swell slowly, and shrink before they divide.
    """
    doubtful = sources.fused | sources.suspect
    return np.where(doubtful, -math.log(DOUBTFUL_PARENT), _swelling_cost(sources.growth, belief))


def _swelling_cost(growth: FloatsN, belief: Belief) -> FloatsN:
    """Cost of growing in logarithmic size by more than sizes usually change along links; unknown growth is free."""
    return _limited(growth / belief.link_scale[0] - 1.0, 0.0)


def _limited(cost: FloatsN, least: float) -> FloatsN:
    """Costs within their limits, and none where they are not known; for a few nuclei quicker than `np.clip`."""
    return np.where(np.isnan(cost), 0.0, np.minimum(np.maximum(cost, least), FEATURE_LIMIT))


def _survival(age: FloatsN, mean: FloatsN, deviation: FloatsN) -> FloatsN:
    """Share of nuclei that have not divided by an age."""
    from scipy.special import ndtr

    return np.asarray(CHILDLESS + (1.0 - CHILDLESS) * ndtr((mean - np.log(age)) / deviation))
