"""Which slices of a stack are taken for showing something."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage as ndi

from nuset_engine.planes.liveliness import LOOKED_AT, liveliness, showing

EMPTY = [np.random.default_rng(z).poisson(20, (96, 128)).astype(np.uint16) for z in range(40)]


def lit(plane: np.ndarray, contrast: float = 100) -> np.ndarray:
    """The slice with a nucleus of 20 px."""
    rows, columns = np.indices(plane.shape)
    return (plane + contrast * ((rows - 40) ** 2 + (columns - 60) ** 2 < 100)).astype(plane.dtype)


def stack(lit_ones: range, count: int = 40) -> list[np.ndarray]:
    return [lit(plane) if z in lit_ones else plane for z, plane in enumerate(EMPTY[:count])]


@pytest.mark.parametrize("lit_ones", [range(3), range(2, 9), range(33, 40)])
def test_a_layer_anywhere_in_a_deep_stack_is_found(lit_ones: range) -> None:
    chosen = showing(stack(lit_ones), 5)
    assert 2 <= len(chosen) <= 5
    assert set(chosen) <= set(lit_ones)


@pytest.mark.parametrize("lit_ones", [range(20), range(0)], ids=["all", "none"])
def test_where_all_slices_are_alike_they_are_evenly_spread(lit_ones: range) -> None:
    assert showing(stack(lit_ones, 20), 5) == [3, 6, 10, 13, 16]


def test_of_many_slices_that_are_alike_those_are_taken_that_are_evenly_spread() -> None:
    assert showing(stack(range(40)), 5) == [6, 13, 20, 26, 32]


def test_the_only_slice_that_shows_something_is_taken() -> None:
    assert showing(stack(range(12, 13), 20), 5) == [12]


def test_slices_that_grow_dim_with_depth_show_something() -> None:
    planes = [lit(plane, 400 * np.exp(-z / 10)) for z, plane in enumerate(EMPTY[:20])]
    assert showing(planes, 5) == [3, 6, 10, 13, 16]


def waves(z: int) -> np.ndarray:
    return 10 * np.random.default_rng(z).normal(size=(96, 1))


def smoothed(z: int) -> np.ndarray:
    noise = ndi.gaussian_filter(np.random.default_rng(z).normal(size=(96, 128)), 2)
    return 10 * noise / noise.std()


@pytest.mark.parametrize(
    "background",
    [
        lambda z: 0.5 * np.arange(128),
        lambda z: 0.3 * np.arange(96)[:, None] * np.cos(z / 5) + 0.3 * np.arange(128) * np.sin(z / 5),
        lambda z: -0.01 * ((np.arange(96)[:, None] - 40) ** 2 + (np.arange(128) - 60) ** 2),
        lambda z: 30.0 * z,
        waves,
        smoothed,
    ],
    ids=["slope", "slope that turns", "vignette", "lighter and lighter", "stripes", "smoothed noise"],
)
def test_a_layer_is_found_on_any_background(background: Callable[[int], np.ndarray]) -> None:
    planes = [plane + background(z) for z, plane in enumerate(stack(range(5, 12)))]
    assert set(showing(planes, 5)) <= set(range(5, 12))


def test_black_slices_do_not_hide_how_noisy_the_others_are() -> None:
    planes = [plane + smoothed(z) if z % 3 else 0 * plane for z, plane in enumerate(stack(range(5, 12)))]
    assert set(showing(planes, 5)) <= set(range(5, 12))


def test_slices_with_hardly_any_background_show_as_much_as_others() -> None:
    rows, columns = np.indices(EMPTY[0].shape)
    crowd = 100 * (np.hypot(rows % 12 - 6, columns % 12 - 6) < 5)
    planes = [plane + crowd * (z < 10) for z, plane in enumerate(stack(range(10, 20)))]
    chosen = showing(planes, 5)
    assert len([z for z in chosen if z < 10]) >= 2
    assert max(chosen) < 20


def test_each_slice_is_taken_once() -> None:
    for count in range(1, 40):
        chosen = showing(EMPTY[:count], 5)
        assert chosen == sorted(set(chosen))
        assert min(count, 4) <= len(chosen) <= 5


@pytest.mark.parametrize("lost", [0, 65535], ids=["black", "white"])
def test_lost_slices_are_not_taken(lost: int) -> None:
    planes = stack(range(20), 20)
    for z in (3, 10):
        planes[z] = np.full_like(planes[z], lost)
    assert not {3, 10} & set(showing(planes, 5))


def test_one_flash_is_no_measure_for_the_others() -> None:
    planes = stack(range(5, 15), 20)
    planes[8] = (planes[8].astype(float) * 500).clip(0, 65535).astype(np.uint16)
    assert set(showing(planes, 5)) - {8} <= set(range(5, 15))
    assert len(showing(planes, 5)) == 5


def test_few_slices_are_all_taken_and_none_is_read() -> None:
    class Unread(list[np.ndarray]):
        def __getitem__(self, z: object) -> np.ndarray:  # type: ignore[override]
            raise AssertionError(z)

    assert showing(Unread(EMPTY[:5]), 5) == [0, 1, 2, 3, 4]


def test_of_many_slices_some_are_read() -> None:
    read: list[int] = []

    class Noted(list[np.ndarray]):
        def __getitem__(self, z: object) -> np.ndarray:  # type: ignore[override]
            read.append(int(z))  # type: ignore[call-overload]
            return lit(EMPTY[int(z) % 40])  # type: ignore[call-overload]

    showing(Noted(EMPTY * 5), 5)
    assert len(set(read)) == len(read)
    assert LOOKED_AT <= len(read) <= LOOKED_AT + 5


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda plane: np.where(np.arange(plane.size).reshape(plane.shape) % 499 == 0, 65535, plane),
        lambda plane: np.where(np.hypot(*(np.indices(plane.shape) - [[[41]], [[61]]])) < 2, 65535, plane),
        lambda plane: np.where(np.indices(plane.shape)[0] < 30, np.nan, plane),
        lambda plane: np.where(np.indices(plane.shape)[1] == 50, np.inf, plane),
        lambda plane: plane + 1e9,
        lambda plane: (plane * 1e-6).astype(">f4"),
        lambda plane: plane[:9, :9],
    ],
    ids=["hot pixels", "hot together", "partly not finite", "infinite", "offset", "tiny", "small"],
)
def test_noise_is_not_lively(spoiled: Callable[[np.ndarray], np.ndarray]) -> None:
    assert liveliness(spoiled(EMPTY[0])) == 0


def test_a_small_plane_shows_its_nucleus() -> None:
    assert liveliness(lit(EMPTY[0], 1000)[24:56, 44:76]) == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize("dark", [False, True])
def test_liveliness_is_the_contrast(dark: bool) -> None:
    plane = lit(EMPTY[0], 1000)
    assert liveliness(2000 - plane if dark else plane) == pytest.approx(1000, rel=0.1)
