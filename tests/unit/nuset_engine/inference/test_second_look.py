"""Dim nuclei beside bright ones: what a second look adds, and what it must not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from nuset_engine.inference import bands, second_look
from nuset_engine.inference.blobs_left import blobs_left
from nuset_engine.inference.second_look import painted_over
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.normalize import IntensityStatistics
from nuset_engine.segment import Segmenter

SIDE = 192
BRIGHT = ((40, 40), (44, 70), (70, 150), (120, 44), (150, 110), (160, 150))
DIM = (100, 100)
CONTRAST = 2000.0


def disc(y: float, x: float, radius: float, blur: float = 1.0, side: int = SIDE) -> np.ndarray:
    """(Y, X) a blurred disc of height 1."""
    rows, columns = np.indices((side, side))
    return ndi.gaussian_filter((np.hypot(rows - y, columns - x) < radius).astype(float), blur)


def field(extra: np.ndarray) -> np.ndarray:
    """A 16 bit plane (Y, X) with bright nuclei, and what is to be added, in parts of their contrast."""
    drawn = sum(disc(y, x, 12) for y, x in BRIGHT) + extra
    noisy = 300 + CONTRAST * drawn + np.random.default_rng(0).normal(0, 12, drawn.shape)
    return np.clip(noisy, 0, 65535).astype(np.uint16)


def haze(height: float) -> np.ndarray:
    """(Y, X) a glow about the bright nuclei."""
    return sum((height * disc(y, x, 20, 12) for y, x in BRIGHT), np.zeros((SIDE, SIDE)))


@pytest.fixture(scope="module")
def hazy() -> np.ndarray:
    """Bright nuclei in their haze, and a dim one, a sixteenth as bright."""
    return field(0.06 * disc(*DIM, 12) + haze(0.2))


@pytest.fixture(scope="module")
def twice() -> Segmenter:
    """The engine with a second look."""
    return Segmenter(params=SegmentationParams(second_look=True))


def test_a_dim_nucleus_is_found_and_the_bright_ones_stay(
    twice: Segmenter, segmenter: Segmenter, hazy: np.ndarray
) -> None:
    first, both = segmenter.segment_plane(hazy), twice.segment_plane(hazy)
    assert first.labels[DIM] == 0
    assert first.labels.max() == len(BRIGHT)
    assert both.labels[DIM] == both.labels.max() == len(both.scores) == len(BRIGHT) + 1
    assert np.array_equal(np.where(both.labels == both.labels[DIM], 0, both.labels), first.labels)
    assert (both.labels == both.labels[DIM]).sum() == pytest.approx(np.pi * 12**2, rel=0.3)


FALSE = [
    0.0 * disc(*DIM, 1),
    haze(0.1),
    haze(0.3),
    haze(0.1) + 0.06 * disc(*DIM, 20, 14),
    haze(0.1) + 0.12 * disc(*DIM, 3),
    haze(0.1)
    + 0.08 * ndi.gaussian_filter((np.abs(np.subtract.outer(np.arange(SIDE), np.arange(SIDE))) < 2).astype(float), 1),
    np.linspace(0, 0.2, SIDE) * np.ones((SIDE, 1)),
]
NAMES = ["noise", "haze about the nuclei", "more of it", "out of focus", "speck", "fibre", "slope"]


@pytest.mark.parametrize("extra", FALSE, ids=NAMES)
def test_what_is_no_nucleus_is_not_added(twice: Segmenter, extra: np.ndarray) -> None:
    assert twice.segment_plane(field(extra)).labels.max() == len(BRIGHT)


@pytest.mark.parametrize("extra", FALSE[1::2], ids=NAMES[1::2])
def test_what_is_looked_at_must_still_be_a_nucleus(
    twice: Segmenter, segmenter: Segmenter, extra: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the cheap test had taken everything for a blob."""
    places = np.stack(np.meshgrid(*[np.arange(4, SIDE - 16, 8)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    monkeypatch.setattr(second_look, "blobs_left", lambda *_: places)
    plane = field(extra)
    assert np.array_equal(twice.segment_plane(plane).labels, segmenter.segment_plane(plane).labels)


def test_a_cheap_test_knows_blobs_of_nuclear_size() -> None:
    nuclei = sum(disc(y, x, 13) for y, x in BRIGHT) > 0.5
    statistics = IntensityStatistics(mean=2300, std=200, background=300, noise=12, contrast=CONTRAST)

    def left(extra: np.ndarray) -> list[list[int]]:
        return blobs_left(field(extra).astype(np.float32), nuclei, statistics, 0.05, 2.0).tolist()

    found = left(0.06 * disc(*DIM, 12))
    assert found
    assert max(np.hypot(*np.subtract(place, DIM)) for place in found) < 12
    assert [left(extra) for extra in FALSE] == [[]] * len(FALSE)


def test_planes_too_large_to_be_held_whole_are_looked_at_twice_as_well(
    twice: Segmenter, hazy: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = twice.segment_plane(hazy).labels
    monkeypatch.setattr("nuset_engine.segment.LARGEST_WHOLE_PX", 0)
    monkeypatch.setattr(bands, "BLOCK_PX", 128)
    banded = twice.segment_plane(hazy).labels
    assert banded[DIM]
    assert ((banded > 0) == (whole > 0)).mean() > 0.995


def test_slices_of_stacks_are_looked_at_once(twice: Segmenter, segmenter: Segmenter, hazy: np.ndarray) -> None:
    stack = [hazy] * 2
    known = twice.statistics(stack)
    for one, other in zip(twice.segment_stack(stack, known), segmenter.segment_stack(stack, known), strict=True):
        assert np.array_equal(one.labels, other.labels)


def test_nuclei_are_painted_over_with_what_lies_around_them() -> None:
    slope = np.linspace(100, 200, 96) * np.ones((96, 1))
    taken = disc(48, 48, 12, 0.1, 96) > 0.5
    painted = painted_over(np.where(taken, 5000, slope).astype(np.float32), taken, 0.0)
    assert np.array_equal(painted[~taken], slope.astype(np.float32)[~taken])
    assert np.abs(painted - slope)[taken].max() < 15
