"""Shapes in which planes are shown to the network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nuset_engine.planes.few_shapes import COARSE_STEP_PX, SIDES_PX, STEP_PX, rounded_factor, rounded_shape
from nuset_engine.planes.resample import scaled_shape
from nuset_engine.planes.scaled_plane import ScaledPlane

SIDES, FACTORS = st.tuples(st.integers(8, 2000), st.integers(8, 2000)), st.floats(0.05, 8)


@given(SIDES, FACTORS)
def test_planes_of_usual_size_get_one_of_few_shapes_and_others_their_own(shape: tuple[int, int], factor: float) -> None:
    near, found = scaled_shape(shape, factor), rounded_shape(shape, factor)
    if SIDES_PX[0] <= min(near) and max(near) <= SIDES_PX[1]:
        assert [side % STEP_PX for side in found] == [0, 0]
        assert all(abs(side - own) <= STEP_PX / 2 for side, own in zip(found, near, strict=True))
    else:
        assert found == near


@given(SIDES, FACTORS)
def test_the_longer_side_of_a_coarse_plane_is_one_of_few(shape: tuple[int, int], factor: float) -> None:
    found, longer = rounded_factor(shape, factor), max(shape)
    if longer * factor < SIDES_PX[0]:
        assert found == factor
    else:
        assert max(scaled_shape(shape, found)) % COARSE_STEP_PX == 0
        assert abs(longer * (found - factor)) <= COARSE_STEP_PX / 2 + 1e-6


@pytest.mark.parametrize(
    ("near", "shown"),
    [
        ((128, 150), (128, 160)),
        ((768, 150), (768, 160)),
        ((127, 300), (127, 300)),
        ((129, 767), (128, 768)),
        ((300, 769), (300, 769)),
        ((143, 145), (128, 160)),
        ((144, 176), (128, 192)),  # halfway, to the even multiple
    ],
)
def test_where_the_few_shapes_begin_and_end(near: tuple[int, int], shown: tuple[int, int]) -> None:
    """At their limits and a pixel beyond, whichever way the plane lies."""
    assert rounded_shape(near, 1.0) == shown
    assert rounded_shape(near[::-1], 1.0) == shown[::-1]


@pytest.mark.parametrize(("longer", "shown"), [(127, 127), (128, 128), (129, 128), (159, 128), (161, 192)])
def test_where_coarse_planes_begin_to_be_one_of_few(longer: int, shown: int) -> None:
    for shape in ((longer, 40), (40, longer)):
        assert max(scaled_shape(shape, rounded_factor(shape, 1.0))) == shown


def test_a_plane_of_a_given_shape_shows_all_of_its_source() -> None:
    rows = np.repeat(np.arange(40, dtype=np.float32)[:, None], 60, axis=1)
    shown = ScaledPlane(rows, 2.0, 0.0, shape=(96, 128))
    whole = shown.whole()
    assert whole.shape == shown.shape == (96, 128)
    assert np.ptp(whole, axis=1).max() == 0
    assert (whole[0, 0], whole[-1, 0]) == (0, 39)
    assert np.array_equal(shown[slice(30, 50), slice(7, 99)], whole[30:50, 7:99])
