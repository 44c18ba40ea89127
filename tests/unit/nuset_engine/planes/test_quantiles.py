"""Medians and percentiles against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuset_engine.planes.quantiles import median, percentile_of_each, percentiles

KINDS = [np.float64, np.float32]


def some(seed: int, shape: int | tuple[int, ...], kind: type) -> np.ndarray:
    """Values with and without equals among them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 100, shape) if seed % 2 else rng.integers(-4, 5, shape)
    return values.astype(kind)


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.sampled_from([*KINDS, np.uint8, np.uint16, np.int16]))
def test_the_median_is_numpys(seed: int, count: int, kind: type) -> None:
    values = np.abs(some(seed, count, np.float64)).astype(kind)
    assert median(values) == float(np.median(values))


@given(st.integers(0, 2**32 - 1), st.integers(1, 300))
def test_percentiles_are_numpys(seed: int, count: int) -> None:
    values, percents = some(seed, count, np.float64), (0, 0.5, 25, 50, 99.8, 100)
    kept = values.copy()
    assert percentiles(values, percents) == np.percentile(values, percents).tolist()
    assert np.array_equal(values, kept)


@pytest.mark.parametrize("ends", [np.array([-3e38, 3e38], np.float32), np.array([-128, 127], np.int8)])
def test_percentiles_of_any_kind_are_taken_in_float64(ends: np.ndarray) -> None:
    """Ends so far apart that their own kind of number has no room for the difference."""
    percents = (0, 10, 50, 75, 99.8, 100)
    assert percentiles(ends, percents) == np.percentile(ends.astype(np.float64), percents).tolist()


@pytest.mark.parametrize("kind", [*KINDS, np.uint8])
def test_the_median_is_numpys_whatever_the_order_and_leaves_the_values_as_they_are(kind: type) -> None:
    rng = np.random.default_rng(0)
    for count in (*range(2, 40), 100, 1000, 1001, 10_000):
        for values in (np.arange(count), np.arange(count)[::-1], rng.permutation(count), np.arange(count) // 2 * 2):
            plane = values.astype(kind).reshape(2, -1) if count % 2 == 0 else values.astype(kind)
            kept = plane.copy()
            assert median(plane) == float(np.median(plane))
            assert np.array_equal(plane, kept)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("percent", [10, 65])
def test_a_percentile_of_each_row_is_numpys(kind: type, percent: float) -> None:
    values = some(1, (3, 4, 37), kind)
    found = percentile_of_each(values, percent)
    assert found.dtype == kind
    assert np.allclose(found, np.percentile(values, percent, axis=-1), rtol=1e-6)


def test_planes_have_a_median_too() -> None:
    assert median(np.arange(12, dtype=np.float32).reshape(3, 4)) == 5.5
