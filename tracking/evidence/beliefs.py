"""What the movie itself has shown so far about motion, divisions and detection: sums per frame, and beliefs from sums.

Everything is a sum of contributions of single frames, faded with age, so that it is exact to store, cheap to update,
and the same whether frames came one by one or all at once. Priors are worth a few observations and stated here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from tracking.arrays import ScalesF

Numbers = TypeVar("Numbers", float, ScalesF)  # one number, or one for each feature

FEATURES = ("log_size", "log_intensity", "elongation")
"""What is known of a nucleus besides its place; any of it may be missing."""


@dataclass
class Sums:
    """Faded sums of observations; `*_n` are how many.

    Lengths of motion are relative to the square root of time; those of divisions to the distance of neighbours.
    """

    log_step: float = 0.0  # log of the spread of steps around what was expected
    log_step_n: float = 0.0
    persist_xy: float = 0.0  # own residual motion against that of the step before: covariance and variance
    persist_xx: float = 0.0
    young_xy: float = 0.0  # the same for the first step after a division
    young_xx: float = 0.0
    young_r2: float = 0.0  # squared residual of such steps over the squared spread
    young_n: float = 0.0
    split_log: float = 0.0  # log distance between daughters over that between neighbours
    split_log2: float = 0.0
    split_r2: float = 0.0  # squared distance of the daughters' midpoint from the expected place over the squared spread
    split_n: float = 0.0
    cycle_log: float = 0.0  # log age at divisions at known age
    cycle_log2: float = 0.0
    cycle_n: float = 0.0
    ratio_log: float = 0.0  # the same relative to the parent's own age at division
    ratio_log2: float = 0.0
    ratio_n: float = 0.0
    blind: float = 0.0  # divisions at unknown age, and nuclei times time at risk
    blind_exposure: float = 0.0
    appeared: float = 0.0
    vanished: float = 0.0
    regained: float = 0.0
    flickers: float = 0.0  # tracks of one nucleus that began and ended without cause
    seen: float = 0.0
    suspects: float = 0.0  # nuclei that may be only parts of some
    feature_link: tuple[float, ...] = (0.0,) * len(FEATURES)  # absolute change along links
    feature_link_n: tuple[float, ...] = (0.0,) * len(FEATURES)
    feature_apart: tuple[float, ...] = (0.0,) * len(FEATURES)  # absolute difference between neighbours
    feature_apart_n: tuple[float, ...] = (0.0,) * len(FEATURES)
    feature_split: tuple[float, ...] = (0.0,) * len(FEATURES)  # change from parent (her usual size) to daughters
    feature_split2: tuple[float, ...] = (0.0,) * len(FEATURES)
    feature_split_n: tuple[float, ...] = (0.0,) * len(FEATURES)

    def faded(self, other: Sums) -> Sums:
        """These sums, faded by one frame, plus those of another frame."""
        merged: dict[str, Any] = {}
        for field in fields(self):
            fade = FADES.get(field.name.split("_")[0], 0.95)
            mine, new = getattr(self, field.name), getattr(other, field.name)
            if isinstance(mine, tuple):
                merged[field.name] = tuple(fade * a + b for a, b in zip(mine, new, strict=True))
            else:
                merged[field.name] = fade * mine + new
        return Sums(**merged)


FADES = {"log": 0.8, "blind": 0.85, "split": 0.97, "cycle": 0.97, "ratio": 0.97}
"""How fast each sum fades per frame: motion within a few frames, habits of division over tens of them."""
FOUND_AGAIN = 0.7
"""Share of the nuclei found again that were only missed; as many tracks begin from nothing as end for other causes."""
UNNOTICED = 0.2
"""Nuclei that are cut in two unnoticed, for each part that the segmentation itself suspects."""


@dataclass(frozen=True)
class Belief:
    """Parameters of the likelihoods in `costs`, read off `Sums` and priors.

    Attributes
    ----------
    spread : float or None
        Standard deviation per axis of a step in unit time around what is expected; None before the first pair.
    persistence, young_persistence : float
        Share of a nucleus's own residual motion that it repeats.
    young_factor : float
        How much wider steps after a division scatter.
    split_log, split_sd : float
        Mean and deviation of the log distance between daughters, over that between neighbours.
    split_factor : float
        How much wider the daughters' midpoint scatters than a step.
    cycle_log, cycle_sd, cycle_n : float
        Mean and deviation of the log age at division, and how many divisions they rest on.
    ratio_log, ratio_sd : float
        The same of the age over that of the parent at its division.
    blind_rate : float
        Divisions per nucleus of unknown age and unit time.
    appear, vanish, regain, flicker : float
        Probabilities per nucleus and frame; `regain`: that a vanished nucleus returns; `flicker`: that a track that
        began from nothing ends again at once.
    cut : float
        Probability per nucleus and frame that it is found in two fragments, none of which looks like one.
    link_scale, apart_scale, split_mean, split_scale : (F,) float64
        Laplace scales of the features along links, between neighbours, and mean and scale from parent to daughter.
    """

    spread: float | None
    persistence: float
    young_persistence: float
    young_factor: float
    split_log: float
    split_sd: float
    split_factor: float
    cycle_log: float
    cycle_sd: float
    cycle_n: float
    ratio_log: float
    ratio_sd: float
    blind_rate: float
    appear: float
    vanish: float
    regain: float
    flicker: float
    cut: float
    link_scale: ScalesF
    apart_scale: ScalesF
    split_mean: ScalesF
    split_scale: ScalesF


def believe(sums: Sums, interval: float) -> Belief:
    """Parameters after `sums`; `interval` is the usual time between frames, which the priors of rates refer to."""
    split_log, split_sd = _mean_sd(sums.split_log, sums.split_log2, sums.split_n, 0.0, 0.5, 5.0)
    ratio_log, ratio_sd = _mean_sd(sums.ratio_log, sums.ratio_log2, sums.ratio_n, 0.15, 0.25, 5.0)
    cycle_log = sums.cycle_log / sums.cycle_n if sums.cycle_n > 0 else 0.0
    _, cycle_sd = _mean_sd(sums.cycle_log, sums.cycle_log2, sums.cycle_n, cycle_log, 0.35, 5.0)
    lost = max(0.0, sums.vanished - FOUND_AGAIN * sums.regained) + 0.1 * sums.appeared
    return Belief(
        spread=float(np.exp(sums.log_step / sums.log_step_n)) if sums.log_step_n > 0 else None,
        persistence=_slope(sums.persist_xy, sums.persist_xx),
        young_persistence=_slope(sums.young_xy, sums.young_xx),
        young_factor=float(np.sqrt((sums.young_r2 + 3 * 5 * 1.5) / (sums.young_n * 3 + 3 * 5))),
        split_log=float(split_log),
        split_sd=float(split_sd),
        split_factor=float(np.sqrt((sums.split_r2 + 3 * 10 * 1.2) / (sums.split_n * 3 + 3 * 10))),
        cycle_log=float(cycle_log),
        cycle_sd=float(cycle_sd),
        cycle_n=sums.cycle_n,
        ratio_log=float(ratio_log),
        ratio_sd=float(ratio_sd),
        blind_rate=(sums.blind + 0.5) / (sums.blind_exposure + 25.0 * interval),
        appear=min(0.5, (lost + 0.2) / (sums.seen + 100.0)),
        vanish=min(0.5, (sums.vanished + 0.2) / (sums.seen + 100.0)),
        regain=min(0.9, (sums.regained + 1.0) / (sums.vanished + 2.0)),
        flicker=min(0.9, (sums.flickers + 1.0) / (sums.appeared + 3.0)),
        cut=UNNOTICED * (sums.suspects + 1.0) / (sums.seen + 100.0),
        **_feature_scales(sums),
    )


def _feature_scales(sums: Sums) -> dict[str, ScalesF]:
    """Laplace scales per feature; priors: a tenth along links, a fifth between neighbours, half the volume at birth."""
    link, apart = np.array(sums.feature_link), np.array(sums.feature_apart)
    link_n, apart_n = np.array(sums.feature_link_n), np.array(sums.feature_apart_n)
    prior_mean, prior_sd = np.array([-0.25, 0.0, 0.0]), np.array([0.2, 0.3, 0.3])
    mean, sd = _mean_sd(
        np.array(sums.feature_split),
        np.array(sums.feature_split2),
        np.array(sums.feature_split_n),
        prior_mean,
        prior_sd,
        5.0,
    )
    return {
        "link_scale": np.maximum((link + 10 * 0.1) / (link_n + 10), 0.01),
        "apart_scale": np.maximum((apart + 10 * 0.2) / (apart_n + 10), 0.01),
        "split_mean": np.asarray(mean),
        "split_scale": np.maximum(np.asarray(sd) / np.sqrt(2.0), 0.01),
    }


def _mean_sd(
    total: Numbers, total2: Numbers, count: Numbers, prior_mean: Numbers, prior_sd: Numbers, weight: float
) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation with a prior that is worth `weight` observations."""
    n = count + weight
    mean = (total + weight * prior_mean) / n
    second = (total2 + weight * (prior_sd**2 + prior_mean**2)) / n
    return mean, np.sqrt(np.maximum(second - mean**2, 1e-4))


def _slope(xy: float, xx: float) -> float:
    """Slope of a regression through the origin between 0 and 0.95, drawn towards 0 by a tenth of the data."""
    return float(np.clip(0.9 * xy / xx, 0.0, 0.95)) if xx > 0 else 0.0
