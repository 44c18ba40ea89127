"""Columns and rows that a camera lost are known, and shown as their neighbours let them be; what is none stays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from nuset_engine.inference.survey import SampledPlanes
from nuset_engine.planes.exposure import PLAIN, Exposure
from nuset_engine.planes.faulty_lines import (
    COLUMNS,
    MOST_LINES,
    ROWS,
    FaultyLine,
    WindowedPlane,
    common_faults,
    faulty_lines,
    mended,
)
from nuset_engine.planes.levels import Level
from nuset_engine.planes.resample import resample
from nuset_engine.planes.scaled_plane import ScaledPlane
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image

HEIGHT, WIDTH = 200, 256
SMALL = SyntheticParams(size_px=WIDTH, median_diameter_px=(13, 14), covered=(0.2, 0.25), artefact_chance=0)
LARGE = SyntheticParams(size_px=WIDTH, median_diameter_px=(60, 61), covered=(0.4, 0.5), artefact_chance=0)
GRAIN = np.random.default_rng(1).normal(0, 15, (HEIGHT, WIDTH))


def drawn(kind: SyntheticParams) -> np.ndarray:
    """(Y, X) nuclei of about 2000 on a background of about 1000, as through a lens."""
    image, _ = synthetic_image(np.random.default_rng(3), kind)
    return 1000 + 1000 * ndi.gaussian_filter(image, 1)[:HEIGHT, :WIDTH] + GRAIN


NUCLEI = {"small": drawn(SMALL), "large": drawn(LARGE)}
LINES = (5, 80, 90, 130, 180)
FAULTS = {
    "dead": lambda inner: np.zeros_like(inner),
    "hot": lambda inner: np.full_like(inner, 6000),
    "stuck": lambda inner: np.full_like(inner, 1400),
    "insensitive": lambda inner: inner * 0.6,
    "offset": lambda inner: inner + 300,
}


def faulty(plane: np.ndarray, kind: str, axis: int = COLUMNS, width: int = 1, part: slice = slice(None)) -> np.ndarray:
    """The plane with some lines at fault."""
    out = plane.copy()
    lines = out if axis == ROWS else out.T
    for first in LINES:
        lines[first : first + width, part] = FAULTS[kind](lines[first : first + width, part])
    return out


def whole(windows: WindowedPlane) -> np.ndarray:
    return windows[:, :] if isinstance(windows, np.ndarray) else np.asarray(windows[slice(None), slice(None)])


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("axis", [ROWS, COLUMNS])
@pytest.mark.parametrize("size", NUCLEI)
def test_lines_at_fault_are_known_whole_and_no_others(size: str, axis: int, kind: str) -> None:
    plane = faulty(NUCLEI[size], kind, axis)
    found = faulty_lines(plane)
    assert [(line.axis, line.first, line.width) for line in found] == [(axis, first, 1) for first in LINES]
    assert all(line.stop - line.start > 0.6 * plane.shape[1 - axis] for line in found)
    assert faulty_lines(-plane.astype(np.float32)) == found


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, ">u2"])
@pytest.mark.parametrize("width", [2, 3])
def test_of_any_kind_of_number_and_up_to_three_pixels_wide(dtype: str, width: int) -> None:
    plane = (faulty(NUCLEI["large"], "dead", width=width) / 20).astype(dtype)
    assert [(line.first, line.width) for line in faulty_lines(plane)] == [(first, width) for first in LINES]


def test_a_column_that_is_as_dark_as_the_background_is_known_by_the_nuclei() -> None:
    black = np.clip(NUCLEI["small"] - 1100, 0, None)
    assert {line.first for line in faulty_lines(faulty(black, "dead"))} == set(LINES)


@pytest.mark.parametrize("kind", ["dead", "hot"])
def test_of_lines_over_a_part_of_the_width_that_part_is_known(kind: str) -> None:
    part = slice(100, 180)
    found = faulty_lines(faulty(NUCLEI["small"], kind, ROWS, part=part))
    assert [line.first for line in found] == list(LINES)
    assert all(abs(line.start - part.start) < 4 and abs(line.stop - part.stop) < 4 for line in found)
    assert faulty_lines(faulty(NUCLEI["small"], kind, ROWS, part=slice(100, 125))) == ()
    assert faulty_lines(faulty(NUCLEI["small"][:, :100], kind, ROWS, part=slice(30, 65))) == ()


ROW, COLUMN = np.indices((HEIGHT, WIDTH))
DISCS = np.hypot(ROW % 24 - 12, COLUMN % 24 - 12) < 12
LONG = np.hypot((ROW % 100 - 50) / 50, (COLUMN % 16 - 8) / 8) < 1
FIBRE = (COLUMN == 70) & (ROW > 30)


@pytest.mark.parametrize(
    "plane",
    [
        NUCLEI["small"],
        NUCLEI["large"],
        NUCLEI["large"].max() - NUCLEI["large"],
        NUCLEI["large"][:40, :40],
        np.repeat(np.repeat(NUCLEI["small"], 2, axis=0), 2, axis=1),
        resample(NUCLEI["small"], (2 * HEIGHT, 2 * WIDTH)),
        np.round(NUCLEI["small"] / 500).astype(np.uint8),
        NUCLEI["small"] > 1500,
        ndi.gaussian_filter(100.0 * DISCS, 1) + GRAIN / 5,
        ndi.gaussian_filter(100.0 * LONG, 0.8) + GRAIN / 5,
        ndi.gaussian_filter(100.0 * (COLUMN > 100), 1) + GRAIN / 5,
        ndi.gaussian_filter(1000.0 * FIBRE, 0.8) + GRAIN / 5,
        ndi.gaussian_filter(1000.0 * np.roll(FIBRE, -69, axis=1), 0.8, mode="constant") + GRAIN / 5,
        np.where(COLUMN == 100, 800.0, np.where(COLUMN > 100, 2000.0, 1000.0)) + GRAIN,
        1000 + GRAIN + 30 * np.random.default_rng(2).normal(size=(HEIGHT, 1)),
        np.where(ROW % 2, 0.8, 1) * NUCLEI["small"],
        NUCLEI["small"] + 300 * np.random.default_rng(2).normal(size=(HEIGHT, 1)),
        np.random.default_rng(1).poisson(5, (HEIGHT, WIDTH)),
        np.full((HEIGHT, WIDTH), np.nan),
        np.where(np.random.default_rng(5).random((HEIGHT, WIDTH)) < 0.3, np.inf, NUCLEI["small"]),
        np.zeros((HEIGHT, WIDTH)),
        np.zeros((1, 300), np.uint8),
        NUCLEI["small"][:, :1],
        NUCLEI["small"][:2],
    ],
)
def test_what_is_no_fault_stays(plane: np.ndarray) -> None:
    assert faulty_lines(plane) == ()
    assert faulty_lines(plane.T) == ()
    assert mended(plane, ()) is plane


def test_a_column_that_is_hardly_off_is_a_fault_if_all_of_it_is() -> None:
    plane = (50 + ndi.gaussian_filter(150.0 * (DISCS & (COLUMN < 72)), 1)).astype(np.uint8)
    plane[:, 100] += 1
    assert [line.first for line in faulty_lines(plane)] == [100]
    plane[120:, 100] -= 1
    assert faulty_lines(plane) == ()


def test_lines_that_are_a_fair_part_of_the_plane_are_the_image() -> None:
    plane, step = NUCLEI["large"].copy(), round(1 / MOST_LINES)
    plane[:, 3 :: step + 1] = 0
    assert len(faulty_lines(plane)) > 10
    plane = NUCLEI["large"].copy()
    plane[:, 3 :: step - 2] = 0
    assert faulty_lines(plane) == ()


def test_values_that_are_missing_hide_no_fault() -> None:
    plane = faulty(NUCLEI["small"], "dead")
    plane[np.random.default_rng(5).random(plane.shape) < 0.1] = np.nan
    assert {line.first for line in faulty_lines(plane)} == set(LINES)


@pytest.mark.parametrize("width", [1, 3])
def test_what_is_shown_lies_between_the_neighbours(width: int) -> None:
    ramp = np.add.outer(7.0 * np.arange(60), 3.0 * np.arange(50))
    faults = [FaultyLine(COLUMNS, 20, width, 0, 60), FaultyLine(ROWS, 30, width, 10, 40)]
    plane = ramp.copy()
    plane[:, 20 : 20 + width] = 0
    plane[30 : 30 + width, 10:40] = 1e6
    before = plane.copy()
    shown = mended(plane, faults)
    assert np.allclose(whole(shown), ramp)
    assert (plane == before).all()
    assert np.array_equal(whole(mended(whole(shown), faults)), whole(shown))


def test_whole_numbers_stay_whole_and_missing_neighbours_are_left_out() -> None:
    fault = [FaultyLine(COLUMNS, 1, 1, 0, 3)]
    numbers = np.array([[252, 0, 255]] * 3, np.uint8)
    assert whole(mended(numbers, fault)).dtype == np.uint8
    assert whole(mended(numbers, fault))[0].tolist() == [252, 254, 255]
    missing = np.array([[np.nan, 0, 5], [5, 0, np.inf], [np.nan, 0, np.nan]])
    assert whole(mended(missing, fault))[:2, 1].tolist() == [5, 5]
    assert np.isnan(whole(mended(missing, fault))[2, 1])


def test_windows_are_those_of_the_whole_plane() -> None:
    plane = faulty(faulty(NUCLEI["small"], "dead"), "hot", ROWS)
    shown = mended(plane, faulty_lines(plane))
    for window in ((slice(70, 131, 3), slice(5, 100)), (slice(80, 81), slice(80, 81)), (slice(6, 7), slice(0, 256, 5))):
        assert np.array_equal(shown[window], whole(shown)[window])


def test_a_fault_of_the_camera_is_in_most_slices() -> None:
    clean, dead = NUCLEI["small"], faulty(NUCLEI["small"], "dead")
    assert common_faults([dead, clean, clean]) == common_faults([dead, clean]) == ()
    found = common_faults([dead, faulty(NUCLEI["large"], "dead"), clean])
    assert [line.first for line in found] == list(LINES)
    assert SampledPlanes([dead, dead, clean]).faults == common_faults([dead, dead, clean])


@pytest.mark.parametrize("kind", ["dead", "hot"])
@pytest.mark.parametrize("size", NUCLEI)
def test_the_network_is_shown_the_plane_without_its_faults(size: str, kind: str) -> None:
    plane = faulty(NUCLEI[size], kind)
    sampled = SampledPlanes([plane])
    exposure = Exposure(faults=sampled.faults)
    shown = ScaledPlane(plane, 1.0, 0.0, exposure).whole()
    assert np.abs(shown - NUCLEI[size]).max() < 300
    assert np.array_equal(shown, sampled[0].astype(np.float32))
    assert np.array_equal(shown, ScaledPlane(sampled[0], 1.0, 0.0, exposure).whole())
    assert PLAIN.straight(plane) is plane


def test_nuclei_are_those_of_the_plane_without_its_faults(segmenter: Segmenter) -> None:
    plane = faulty(NUCLEI["large"], "dead")
    known = segmenter.statistics([plane])
    good = whole(mended(plane, known.exposure.faults))
    assert [line.first for line in known.exposure.faults] == list(LINES)
    assert np.array_equal(segmenter.segment_plane(plane, known).labels, segmenter.segment_plane(good).labels)


def test_lines_and_levels_are_those_of_the_mended_plane() -> None:
    plane = faulty(NUCLEI["large"], "hot")
    faults = faulty_lines(plane)
    good = whole(mended(plane, faults))
    for lines, level in (((COLUMNS,), None), ((), Level(90.0, 10.0)), ((ROWS, COLUMNS), Level(90.0, 10.0))):
        of_faulty = Exposure(lines=lines, level=level, faults=faults).straight(plane)
        of_good = Exposure(lines=lines, level=level).straight(good)
        assert np.array_equal(whole(of_faulty), whole(of_good))
