"""Slices whose background lies at different levels are brought to one; others stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

from nuset_engine.planes.exposure import measure_exposure
from nuset_engine.planes.levels import Level, common_level, levelled

SHAPE = (60, 70)
CONTRAST = 300.0


def stack(
    covered: tuple[float, ...] = (0.05, 0.2, 0.5, 0.1, 0.6), inverted: bool = False, noise: float = 5
) -> list[np.ndarray]:
    """Slices of which nuclei cover so much; the background is 1000, with noise."""
    rng = np.random.default_rng(0)
    out = []
    for share in covered:
        nuclei = np.zeros(SHAPE)
        nuclei[: round(share * SHAPE[0])] = -CONTRAST if inverted else CONTRAST
        out.append((nuclei + rng.normal(1000, noise, SHAPE)).astype(np.uint16))
    return out


def raised(planes: list[np.ndarray], by: float) -> list[np.ndarray]:
    """The offset grows from slice to slice."""
    return [plane + plane.dtype.type(by * z) for z, plane in enumerate(planes)]


@pytest.mark.parametrize("inverted", [False, True])
def test_a_rising_offset_is_taken_off(inverted: bool) -> None:
    even = stack(inverted=inverted)
    rising = raised(even, 400)
    level = common_level(rising, inverted)
    assert level is not None
    for plane, wanted in zip(levelled(rising, level), even, strict=True):
        assert plane.dtype == np.float32
        difference = plane - wanted
        assert np.ptp(difference) < 1e-3
        assert abs(float(difference.mean()) - 800) < 10  # the level of the middle slice


@pytest.mark.parametrize("inverted", [False, True])
def test_what_nuclei_cover_is_no_level(inverted: bool) -> None:
    for dark in (False, True):
        planes = stack(inverted=dark)
        assert common_level(planes, inverted) is None
        assert common_level(raised(planes, 25), inverted) is None  # a little
    assert common_level(stack((0.0, 0.6, 0.7), not inverted, noise=30), inverted) is None
    assert common_level(planes[:1], inverted) is None


def test_lost_slices_and_black_margins_are_no_levels() -> None:
    planes = stack()
    lost = [*planes, np.zeros(SHAPE, np.uint16), np.full(SHAPE, 65535, np.uint16), np.full(SHAPE, np.nan)]
    assert common_level(lost, False) is None
    framed = [plane.copy() for plane in planes]
    framed[1][:, :20] = 0
    assert common_level(framed, False) is None
    assert common_level([np.full(SHAPE, np.nan)] * 3, False) is None


def test_a_slice_without_finite_values_stays() -> None:
    plane = np.full(SHAPE, np.nan)
    assert Level(10.0, 100.0).excess(plane) == 0
    plane[:30] = 130
    assert Level(10.0, 100.0).excess(plane) == 30


def test_an_exposure_shows_each_slice_at_the_level_of_the_stack() -> None:
    even = stack()
    rising = raised(even, 400)
    exposure, plain = measure_exposure(rising, False), measure_exposure(even, False)
    assert plain.level is None
    assert plain.straight(even[0]) is even[0]
    assert exposure.ceiling - 1800 == pytest.approx(plain.ceiling - 1000, rel=0.05)  # as high above the background
    for plane, wanted in zip(rising, even, strict=True):
        shown = exposure.straight(plane)[10:20, ::7]
        assert np.abs(shown - 800 - wanted[10:20, ::7]).max() < 10


def test_lines_and_levels_go_off_together() -> None:
    rng = np.random.default_rng(1)
    plane = rng.normal(100, 1, (200, 80)) + 20 * rng.normal(size=(200, 1))
    exposure = measure_exposure([plane], False)
    both = type(exposure)(lines=(0,), level=Level(50.0, 10.0)).straight(plane)[0:200, 0:80]
    only = type(exposure)(lines=(0,)).straight(plane)[0:200, 0:80]
    assert both.std() < 0.6 * plane.std()
    assert np.ptp(only - both) < 1e-3
    assert abs(np.median(both) - 10) < 5


def test_how_far_levels_differ_and_which_slices_count() -> None:
    planes = stack()
    assert common_level(raised(planes, 45), False) is not None  # more than half of the contrast
    rng = np.random.default_rng(2)
    assert common_level([*planes, rng.normal(20, 5, SHAPE)], False) is None, "a lost slice, with its noise"
    dim = [(plane - 1000.0) * share + 1000 for plane, share in zip(planes, (1, 0.3, 0.3, 0.3, 0.3), strict=True)]
    assert common_level(raised(dim, 400), False) is not None
