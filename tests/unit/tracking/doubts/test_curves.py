"""Curves of logistic regression: they say of held-out decisions what is true of them, and nothing of the unknown."""

from __future__ import annotations

import json

import numpy as np

from tracking.doubts.curves import Curves, calibration, fit, probability
from tracking.doubts.model import FAULTS, LINK_KINDS, STAGES, DoubtModel, shipped_model


def decisions(seed: int, count: int = 4000) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Two features, one of which bends and is now and then unknown; what is wrong, and how likely that was."""
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=count), rng.uniform(-2, 2, count)
    true = probability(1.5 * np.maximum(one, 0.0) - np.abs(two) - 1.0)
    wrong = (rng.random(count) < true).astype(float)
    return {"one": one, "two": np.where(rng.random(count) < 0.1, np.nan, two)}, wrong, true


def test_what_is_stated_is_observed() -> None:
    features, wrong, _ = decisions(0)
    curves = fit(features, wrong)
    held, outcome, true = decisions(1)
    stated = probability(curves.logit(held, len(outcome)))
    for low in (0.0, 0.1, 0.2, 0.3, 0.5):
        here = (stated >= low) & (stated < low + 0.2)
        assert abs(stated[here].mean() - outcome[here].mean()) < 0.06
    assert np.corrcoef(stated, true)[0, 1] > 0.9


def test_a_feature_that_is_not_given_counts_as_unknown() -> None:
    features, wrong, _ = decisions(0)
    curves = fit(features, wrong)
    unknown = curves.logit(features | {"two": np.full(len(wrong), np.nan)}, len(wrong))
    np.testing.assert_array_equal(curves.logit({"one": features["one"]}, len(wrong)), unknown)


def test_far_out_a_curve_is_flat() -> None:
    features, wrong, _ = decisions(0)
    curves = fit(features, wrong)
    far = {"one": np.array([10.0, 1e9]), "two": np.zeros(2)}
    assert np.ptp(curves.logit(far, 2)) == 0.0


def test_curves_survive_json() -> None:
    features, wrong, _ = decisions(0)
    curves = fit(features, wrong)
    again = Curves.from_dict(json.loads(json.dumps(curves.as_dict())))
    np.testing.assert_array_equal(again.logit(features, len(wrong)), curves.logit(features, len(wrong)))


def test_odds_that_are_off_are_told_as_they_were_observed() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(-1.0, 2.0, 6000)
    wrong = (rng.random(len(true)) < probability(true)).astype(float)
    shy = 0.4 * true + 0.5
    told = calibration(shy, wrong, np.ones(len(true)))(shy)
    some = np.abs(true) < 3.0
    assert np.abs(probability(told) - probability(true))[some].max() < 0.08
    assert (np.diff(told[np.argsort(shy)]) >= 0).all()


def test_where_nothing_speaks_against_odds_they_are_told_as_they_are() -> None:
    true = np.linspace(-6.0, 6.0, 7)
    few = calibration(np.zeros(3), np.array([0.0, 1.0, 0.0]), np.ones(3))
    np.testing.assert_allclose(few(true), true, atol=0.3)


def test_a_calibration_is_part_of_the_curves_and_survives_json() -> None:
    features, wrong, _ = decisions(0)
    plain = fit(features, wrong)
    logit = plain.logit(features, len(wrong))
    curves = Curves(plain.constant, plain.curves, calibration(logit, 1.0 - wrong, np.ones(len(wrong))))
    told = curves.logit(features, len(wrong))
    np.testing.assert_array_equal(told, curves.calibration(logit) if curves.calibration else None)
    assert probability(told).mean() > 0.5 > probability(logit).mean()
    again = Curves.from_dict(json.loads(json.dumps(curves.as_dict())))
    np.testing.assert_array_equal(again.logit(features, len(wrong)), told)


def test_the_shipped_model_knows_every_kind_and_says_what_made_it() -> None:
    model = shipped_model()
    early = {(kind, "fresh") for kind in ("nucleus", *FAULTS, *LINK_KINDS)} - {("end", "fresh")}
    assert set(model.curves) == early | {(kind, "settled") for kind in ("nucleus", *FAULTS, *LINK_KINDS)}
    assert {stage for _, stage in model.curves} == set(STAGES)
    assert {"made_by", "weights_sha256", "movies", "scores"} <= set(model.manifest)
    assert DoubtModel.from_dict(model.as_dict()).as_dict() == model.as_dict()
