"""Lines of a plane that differ as a whole are known, and taken off; what is none stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage as ndi

from nuset_engine.planes.exposure import PLAIN, measure_exposure
from nuset_engine.planes.lines import COLUMNS, ROWS, Straightened, Stripes, striped
from nuset_engine.planes.scaled_plane import ScaledPlane
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image

HEIGHT, WIDTH = 300, 384
SPARSE = SyntheticParams(size_px=384, median_diameter_px=(24, 25), covered=(0.15, 0.2), artefact_chance=0)
NUCLEI = 1000 * synthetic_image(np.random.default_rng(3), SPARSE)[0][:HEIGHT, :WIDTH]
CONTRAST = float(np.percentile(NUCLEI, 99) - np.percentile(NUCLEI, 25))
CROWD = replace(SPARSE, median_diameter_px=(60, 61), covered=(0.5, 0.6))
LARGE = 1000 * synthetic_image(np.random.default_rng(0), CROWD)[0][:HEIGHT, :WIDTH]
ROW, COLUMN = np.indices(NUCLEI.shape)
GRAIN = np.random.default_rng(1).normal(0, 2, NUCLEI.shape)
WAVES = {
    "noise": np.random.default_rng(0).normal(size=WIDTH),
    "short": np.sqrt(2) * np.sin(np.arange(WIDTH) / 2),
    "long": np.sqrt(2) * np.sin(np.arange(WIDTH) / 6),
}


def lined(axis: int, waves: str = "noise", share: float = 0.1) -> np.ndarray:
    """The nuclei with lines that deviate by this share of the contrast."""
    levels = share * CONTRAST * WAVES[waves][: NUCLEI.shape[axis]]
    return NUCLEI + np.expand_dims(levels, 1 - axis)


def left_of_lines(shown: np.ndarray, axis: int) -> float:
    """How much lines still differ from those around them, as a part of the contrast; 0.1 before."""
    left: float = (shown - NUCLEI[:, -shown.shape[1] :]).mean(axis=1 - axis).std() / CONTRAST
    return left


@pytest.mark.parametrize("waves", WAVES)
@pytest.mark.parametrize("axis", [ROWS, COLUMNS])
def test_lines_are_known_and_taken_off(axis: int, waves: str) -> None:
    plane = lined(axis, waves)
    assert striped([plane]).of_bright == (axis,)
    assert left_of_lines(Straightened(plane, (axis,))[:, :], axis) < 0.045


def test_rows_and_columns_at_once() -> None:
    plane = lined(ROWS) + lined(COLUMNS, "short") - NUCLEI
    assert striped([plane]).of_bright == (ROWS, COLUMNS)
    shown = Straightened(plane, (ROWS, COLUMNS))[:, :]
    assert left_of_lines(shown, ROWS) < 0.045
    assert left_of_lines(shown, COLUMNS) < 0.045


def framed(plane: np.ndarray) -> np.ndarray:
    framed = plane.copy()
    framed[:30] = 0
    return framed


@pytest.mark.parametrize(
    "plane",
    [
        NUCLEI,
        NUCLEI.max() - NUCLEI,
        NUCLEI + np.linspace(0, 2 * CONTRAST, HEIGHT)[:, None],
        framed(NUCLEI),
        np.round(NUCLEI / CONTRAST * 8).astype(np.uint8),
        np.random.default_rng(1).poisson(5, NUCLEI.shape),
        np.hypot(*np.indices((200, 200)) - 100.0) < 80,
        np.full(NUCLEI.shape, np.nan),
        np.zeros(NUCLEI.shape),
        lined(ROWS)[:, :40],
        LARGE[59:250, 5:72],
        ndi.gaussian_filter(100.0 * (np.hypot((ROW - 160) / 20, (COLUMN - 192) / 200) < 1), 2) + GRAIN,
    ],
    ids=[
        *("nuclei", "dark", "sloping", "framed", "8 levels", "noise", "one large", "no values", "blank", "too narrow"),
        *("few large", "one long"),
    ],
)
def test_what_is_no_line_is_not_taken_for_one(plane: np.ndarray) -> None:
    assert striped([plane]).of_bright == ()


@pytest.mark.parametrize("blur", [1, 2])
@pytest.mark.parametrize("covered", [0.5, 0.7, 0.85, 0.95])
@pytest.mark.parametrize("spacing", [24, 40])
def test_nuclei_in_rank_and_file_are_no_lines(spacing: int, covered: float, blur: float) -> None:
    y, x = np.abs(np.indices((HEIGHT, WIDTH)) % spacing - spacing / 2)
    lattice = 100.0 * (np.hypot(y, x) < covered * spacing / 2)
    shown = ndi.gaussian_filter(lattice, blur) + np.random.default_rng(0).normal(10, 5, lattice.shape)
    assert striped([shown]).of_bright == ()
    assert striped([shown.max() - shown]).of_dark == ()


def test_the_background_of_each_polarity_is_looked_at() -> None:
    """Lines that only the dark parts of an image have are none where those are nuclei, and the other way round."""
    rng = np.random.default_rng(0)
    bright = rng.random((HEIGHT, WIDTH)) < 0.3
    plane = rng.normal(10, 5, bright.shape) + 1000.0 * bright
    levels = np.broadcast_to(100 * WAVES["noise"][:HEIGHT, None], plane.shape)
    assert striped([plane + levels]) == Stripes((ROWS,), (ROWS,))
    assert striped([plane + np.where(bright, 0, levels)]) == Stripes((ROWS,), ())
    assert striped([1000 - plane - np.where(bright, 0, levels)]) == Stripes((), (ROWS,))


def test_what_is_shown_follows_the_polarity() -> None:
    stripes = Stripes(of_bright=(ROWS,), of_dark=(COLUMNS,))
    assert measure_exposure([NUCLEI], False, stripes).lines == (ROWS,)
    assert measure_exposure([NUCLEI], True, stripes).lines == (COLUMNS,)


def test_most_slices_decide() -> None:
    assert striped([lined(ROWS), NUCLEI, lined(ROWS)]).of_bright == (ROWS,)
    assert striped([lined(ROWS), NUCLEI, NUCLEI]).of_bright == ()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_without_a_value_do_not_count(value: float) -> None:
    plane = lined(ROWS)
    plane[20:40, 30:90] = value
    assert striped([plane]).of_bright == (ROWS,)
    assert left_of_lines(Straightened(plane, (ROWS,))[:, 100:], ROWS) < 0.045


@pytest.mark.parametrize(
    "uneven", [lambda u: u, lambda u: u**2, lambda u: np.cos(u) ** 4], ids=["slope", "bowl", "lens"]
)
def test_an_uneven_background_stays_up_to_the_edges(uneven: Callable[[np.ndarray], np.ndarray]) -> None:
    background = 2 * CONTRAST * uneven(np.linspace(-1, 1, HEIGHT))[:, None]
    plane = lined(ROWS) + background
    assert striped([plane]).of_bright == (ROWS,)
    assert left_of_lines(Straightened(plane, (ROWS,))[:, :] - background, ROWS) < 0.045


def test_lines_of_a_part_of_the_rows_are_taken_off_there() -> None:
    plane = lined(ROWS)
    plane[HEIGHT // 2 :] = NUCLEI[HEIGHT // 2 :]
    assert striped([plane]).of_bright == (ROWS,)
    assert left_of_lines(Straightened(plane, (ROWS,))[:, :], ROWS) < 0.045


@pytest.mark.parametrize(
    "without", [COLUMN >= WIDTH // 2, COLUMN % (WIDTH // 2) >= WIDTH // 4], ids=["half", "quarters"]
)
def test_lines_of_a_part_of_the_width_are_left(without: np.ndarray) -> None:
    plane = np.where(without, NUCLEI, lined(ROWS))
    assert striped([plane]) == Stripes()
    assert (Straightened(plane, (ROWS, COLUMNS))[:, :] == plane.astype(np.float32)).all()


def test_lines_that_differ_more_than_they_agree_are_left() -> None:
    own = np.random.default_rng(7).normal(size=(HEIGHT, 4))
    assert striped([lined(ROWS) + 0.13 * CONTRAST * own[ROW, COLUMN * 4 // WIDTH]]) == Stripes()


def test_lines_that_do_no_harm_are_left() -> None:
    even = 1000.0 * (NUCLEI > CONTRAST)
    assert striped([even + 5 * WAVES["noise"][:HEIGHT, None]]) == Stripes()
    assert striped([even + 15 * WAVES["noise"][:HEIGHT, None]]).of_bright == (ROWS,)


@pytest.mark.parametrize(("times", "pace", "least"), [(2, 20, 0.045), (1, 16, 0.06)])
def test_slow_waves_of_many_lines_are_taken_off(times: int, pace: float, least: float) -> None:
    nuclei = np.concatenate([NUCLEI, NUCLEI[::-1]][:times])
    waves = 0.1 * CONTRAST * np.sqrt(2) * np.sin(np.arange(len(nuclei)) / pace)
    shown = Straightened(nuclei + waves[:, None], (ROWS,))[:, :]
    assert (shown - nuclei).mean(axis=1).std() < least * CONTRAST


def test_the_plane_itself_stays_as_it_is() -> None:
    plane = lined(ROWS).astype(np.float32)
    before = plane.copy()
    assert (Straightened(plane, (ROWS,))[:, :] != before).any()
    assert (plane == before).all()


def test_of_weak_lines_between_large_nuclei_more_is_taken_than_added() -> None:
    plane = LARGE + 0.02 * CONTRAST * WAVES["noise"][:HEIGHT, None]
    assert striped([plane]).of_bright == (ROWS,)
    left = (Straightened(plane, (ROWS,))[:, :] - LARGE).mean(axis=1).std()
    assert left < 0.6 * (plane - LARGE).mean(axis=1).std()


def test_values_that_are_missing_everywhere_do_not_weaken_lines() -> None:
    plane = lined(ROWS)
    plane[np.random.default_rng(5).random(plane.shape) < 0.4] = np.nan
    assert striped([plane]).of_bright == (ROWS,)
    assert np.nanmean(Straightened(plane, (ROWS,))[:, :] - NUCLEI, axis=1).std() < 0.045 * CONTRAST


def test_windows_are_those_of_the_whole() -> None:
    whole = Straightened(lined(ROWS), (ROWS, COLUMNS))
    window = (slice(10, 100, 3), slice(50, 60))
    assert (whole[window] == whole[:, :][window]).all()


def test_the_network_is_shown_planes_without_lines() -> None:
    plane = lined(ROWS)
    exposure = replace(measure_exposure([plane], False, striped([plane])), shading=())
    assert exposure.lines == (ROWS,)
    assert left_of_lines(ScaledPlane(plane, 1.0, 0.0, exposure).whole(), ROWS) < 0.045
    assert PLAIN.straight(plane) is plane


@pytest.mark.parametrize("seed", [10, 11])
def test_nuclei_in_rank_and_file_among_columns_are_no_rows(seed: int) -> None:
    """Columns make the background of a row unsteady, so that it may seem to go along with the nuclei."""
    row, column = (np.abs((np.arange(420) - 20 + 18) % 36 - 18) for _ in range(2))
    edge = 10 * (np.hypot(row[:, None], column) / 7 - 1)
    grain = np.random.default_rng(seed + 50).normal(0, 20, edge.shape)
    plane = 300 + 1500 / (1 + np.exp(edge)) + grain + np.random.default_rng(seed).normal(0, 400, 420)
    assert striped([plane]).of_bright == (COLUMNS,)
    assert striped([plane.T]).of_bright == (ROWS,)
