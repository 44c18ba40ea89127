"""Which nuclei are found, by brightness: exposure and sign do not matter, dim ones that are missed are counted."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import drawn

from nuset_engine.errors import EngineError
from nuset_engine.evaluation.brightness import by_brightness, nuclei_by_brightness, relative_brightness

TRUTH = drawn("""
    AAA.BBB.CCC.DDD
    AAA.BBB.CCC.DDD
    ...............
""")
LIGHT = np.array([10, 12, 110, 60, 310])[TRUTH]  # background 10; 2, 100, 50, 300 above


def test_brightness_is_relative_to_the_usual_nucleus_whatever_the_exposure():
    expected = np.array([2, 100, 50, 300]) / 75
    assert relative_brightness(LIGHT, TRUTH) == pytest.approx(expected)
    assert relative_brightness(7 * LIGHT + 1000, TRUTH) == pytest.approx(expected)
    assert relative_brightness(500 - LIGHT, TRUTH) == pytest.approx(expected)  # dark nuclei
    assert relative_brightness(np.stack([LIGHT, LIGHT]), np.stack([TRUTH, TRUTH])) == pytest.approx(expected)


def test_what_is_found_and_how_large_by_class():
    predicted = TRUTH.copy()
    predicted[TRUTH == 1] = 0  # the dim one is missed
    predicted[1, 4] = 0  # the usual one lost a pixel of six
    table = by_brightness([nuclei_by_brightness(LIGHT, TRUTH, predicted)] * 2)
    assert table.index.tolist() == ["below 0.3", "0.3 to 0.6", "0.6 to 1.5", "above 1.5"]
    assert table["nuclei"].tolist() == [2, 0, 4, 2]
    assert table["found"].tolist() == pytest.approx([0, np.nan, 1, 1], nan_ok=True)
    assert table["area_ratio"].tolist() == pytest.approx([np.nan, np.nan, (1 + 5 / 6) / 2, 1], nan_ok=True)


def test_nothing_to_compare_with_is_in_no_class():
    assert np.isnan(relative_brightness(np.ones((4, 4)), np.ones((4, 4), int))).all()
    assert np.isnan(relative_brightness(np.ones_like(LIGHT), TRUTH)).all()
    assert relative_brightness(LIGHT, np.zeros_like(TRUTH)).shape == (0,)
    assert by_brightness([])["nuclei"].tolist() == [0, 0, 0, 0]
    with pytest.raises(EngineError, match="differ in shape"):
        relative_brightness(LIGHT[:1], TRUTH)
