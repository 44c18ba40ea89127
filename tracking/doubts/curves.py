"""A logistic regression on broken lines: one for each feature, so that each may speak differently far out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nuset_engine.arrays import FloatsN, MatrixNM

SURE = 7.0
"""Logarithmic odds beyond which nothing is claimed: one in a thousand."""
TOLD_AT = (-SURE, -3.5, -1.5, 0.0, 1.5, 3.5, SURE)
"""Logarithmic odds between which a calibration is a straight line."""


@dataclass(frozen=True)
class Curve:
    """What one feature adds to the logarithmic odds.

    Attributes
    ----------
    knots : (K,) float64
        Rising; the line bends there, and is flat before the first and after the last.
    values : (K,) float64
        At the knots.
    unknown : float
        Where the feature is not known.
    """

    knots: FloatsN
    values: FloatsN
    unknown: float

    def __call__(self, feature: FloatsN) -> FloatsN:
        """Add up nothing but this feature (N,)."""
        found = np.interp(feature, self.knots, self.values)
        unknown = np.isnan(feature)
        if unknown.any():
            found[unknown] = self.unknown
        return np.asarray(found)

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"knots": self.knots.tolist(), "values": self.values.tolist(), "unknown": self.unknown}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Curve:
        """From `as_dict`."""
        knots, heights = (np.array(values[name], np.float64) for name in ("knots", "values"))
        return cls(knots, heights, float(values["unknown"]))


@dataclass(frozen=True)
class Curves:
    """Logarithmic odds from features: a constant and a curve for each.

    Attributes
    ----------
    calibration : Curve, optional
        What is told for the odds that these add up to; None: they themselves.
    """

    constant: float
    curves: Mapping[str, Curve]
    calibration: Curve | None = None

    def logit(self, features: Mapping[str, FloatsN], count: int) -> FloatsN:
        """Logarithmic odds (N,); features that are not given are unknown."""
        total = np.full(count, self.constant)
        for name, curve in self.curves.items():
            total += curve(features[name]) if name in features else curve.unknown
        total = np.clip(total, -SURE, SURE)
        return np.asarray(total if self.calibration is None else np.clip(self.calibration(total), -SURE, SURE))

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        found = {"constant": self.constant, "curves": {name: c.as_dict() for name, c in self.curves.items()}}
        return found if self.calibration is None else found | {"calibration": self.calibration.as_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Curves:
        """From `as_dict`."""
        curves = {str(name): Curve.from_dict(part) for name, part in values["curves"].items()}
        told = values.get("calibration")
        return cls(float(values["constant"]), curves, None if told is None else Curve.from_dict(told))


def probability(logit: FloatsN) -> FloatsN:
    """From logarithmic odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))


def knots_of(feature: FloatsN, count: int) -> FloatsN:
    """Places at which the curve of a feature may bend: quantiles, each once."""
    known = feature[np.isfinite(feature)]
    if not len(known):
        return np.zeros(1)
    return np.unique(np.round(np.quantile(known, np.linspace(0.005, 0.995, count)), 4))


def hats(feature: FloatsN, knots: FloatsN) -> MatrixNM:
    """(N, K) weights of the knots in `numpy.interp`; rows of what is unknown are 0."""
    at = np.where(np.isnan(feature), knots[0], feature)
    weights = np.stack([np.interp(at, knots, row) for row in np.eye(len(knots))], axis=1)
    weights[np.isnan(feature)] = 0.0
    return weights


def fit(
    features: Mapping[str, FloatsN], wrong: FloatsN, knots: int = 6, smooth: float = 3.0, weight: FloatsN | None = None
) -> Curves:
    """Fit curves by penalised maximum likelihood.

    Parameters
    ----------
    features : mapping of name to (N,)
    wrong : (N,) float64
        1 for a wrong decision, 0 for a right one.
    knots : int
    smooth : float
        Weight of the squared values and of the squared differences between neighbouring knots.
    """
    names = list(features)
    places = {name: knots_of(features[name], knots) for name in names}
    blocks = [np.concatenate([hats(features[n], places[n]), np.isnan(features[n])[:, None]], axis=1) for n in names]
    design = np.concatenate([np.ones((len(wrong), 1)), *blocks], axis=1)
    penalty = _penalty([block.shape[1] for block in blocks], smooth)
    given = np.ones(len(wrong)) if weight is None else weight
    found = _likeliest(design, penalty, wrong, given, np.zeros(len(wrong)))
    curves, at = {}, 1
    for name, block in zip(names, blocks, strict=True):
        part = np.round(found[at : at + block.shape[1]], 4)
        curves[name] = Curve(places[name], part[:-1], float(part[-1]))
        at += block.shape[1]
    return Curves(round(float(found[0]), 4), curves)


def calibration(logit: FloatsN, wrong: FloatsN, weight: FloatsN, smooth: float = 3.0) -> Curve:
    """Fit what to tell for logarithmic odds, rising with them, from decisions that the odds were not fitted to.

    Where few decisions speak against the odds, they are told as they are.

    Parameters
    ----------
    logit, wrong, weight : (N,) float64
        As for `fit`.
    smooth : float
        Weight of the squared differences between what is told and the odds, and of how these change from knot to knot.
    """
    knots = np.array(TOLD_AT)
    change = _likeliest(hats(logit, knots), _penalty([len(knots) + 1], smooth)[1:-1, 1:-1], wrong, weight, logit)
    told = np.maximum.accumulate(knots + change).astype(np.float64)
    return Curve(knots, np.round(told, 4), 0.0)


def _likeliest(design: MatrixNM, penalty: MatrixNM, wrong: FloatsN, weight: FloatsN, known: FloatsN) -> FloatsN:
    """Weights (W,) of a design (N, W), added to known logarithmic odds, by penalised maximum likelihood."""
    from scipy.optimize import minimize

    def loss(w: FloatsN) -> tuple[float, FloatsN]:
        logit = known + design @ w
        value = float(weight @ (np.logaddexp(0.0, logit) - wrong * logit) + 0.5 * w @ (penalty @ w))
        return value, design.T @ (weight * (probability(logit) - wrong)) + penalty @ w

    start = np.zeros(design.shape[1])
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x)


def _penalty(sizes: Sequence[int], smooth: float) -> MatrixNM:
    """(W, W): small values, and neighbouring knots alike."""
    total = np.zeros((1 + sum(sizes), 1 + sum(sizes)))
    at = 1
    for size in sizes:
        line = np.diff(np.eye(size - 1), axis=0)
        total[at : at + size - 1, at : at + size - 1] = smooth * (line.T @ line)
        total[at : at + size, at : at + size] += 0.1 * smooth * np.eye(size)
        at += size
    return total
