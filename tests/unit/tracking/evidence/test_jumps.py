"""How a whole sample moved between two frames, and when that is a jump."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.tracking.movies import grid
from tracking.evidence.jumps import whole_shift
from tracking.evidence.motion import spacing

SIDE = 100.0
STILL = np.zeros(3)


def sample(seed: int, count: int = 80, width: float = 2 * SIDE) -> np.ndarray:
    """Nuclei (N, 3) that keep apart by about their diameter, in a layer twice as wide as the field."""
    chance, found = np.random.default_rng(seed), np.zeros((0, 3))
    while len(found) < count:
        place = chance.uniform(0, 1, 3) * [15.0, width, width]
        if not len(found) or np.linalg.norm(found - place, axis=1).min() > 9.0:
            found = np.concatenate([found, place[None]])
    return found


def window(places: np.ndarray, y: float = 0.0, x: float = 0.0) -> np.ndarray:
    """What a field that begins there shows."""
    moved = places - [0.0, y, x]
    return moved[((moved[:, 1:] >= 0) & (moved[:, 1:] < SIDE)).all(axis=1)]


def stepped(places: np.ndarray, seed: int, spread: float = 0.5) -> np.ndarray:
    """Every nucleus has moved by itself."""
    return places + np.random.default_rng([seed, 1]).normal(0, spread, places.shape)


def shift(before: np.ndarray, after: np.ndarray, usual: np.ndarray = STILL) -> tuple[np.ndarray, bool]:
    scale = spacing(after)
    assert scale is not None
    found = whole_shift(before, after, usual, scale)
    return found.by, found.is_jump


def test_a_jump_is_found_exactly_without_noise() -> None:
    jump = np.array([3.0, -41.0, 27.0])
    by, is_jump = shift(grid(), grid() + jump)
    assert np.allclose(by, jump)
    assert is_jump


def test_the_usual_drift_is_preferred_where_it_fits() -> None:
    drift = np.array([0.0, 9.0, 0.0])
    by, is_jump = shift(grid(), grid() + drift, drift)
    assert np.allclose(by, drift)
    assert not is_jump


def test_unrelated_frames_give_no_jump() -> None:
    rng = np.random.default_rng(5)
    one, two = rng.uniform(0, 60, (200, 3)), rng.uniform(0, 60, (200, 3))
    assert np.allclose(whole_shift(one, two, STILL, 6.0).by, 0.0)


@pytest.mark.parametrize(("y", "x"), [(0.0, 0.5), (0.25, 0.25), (0.4, 0.4)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_jump_by_half_of_the_field_is_found_by_what_both_frames_show(seed: int, y: float, x: float) -> None:
    places = sample(seed)
    by, is_jump = shift(window(places), window(stepped(places, seed), y * SIDE, x * SIDE))
    assert is_jump
    assert np.abs(by - [0.0, -y * SIDE, -x * SIDE]).max() < 1.0


@pytest.mark.parametrize("count", [24, 40, 80])
def test_other_nuclei_are_no_jump(count: int) -> None:
    """The stage went to another sample."""
    for seed in range(12):
        _, is_jump = shift(window(sample(seed, count)), window(sample(100 + seed, count)))
        assert not is_jump


def test_one_cluster_on_another_is_no_jump() -> None:
    """Of a thousand shifts one always brings some nuclei onto others, more so where they lie in clusters."""
    for seed in (1, 71, 72, 103, 106):
        chance = np.random.default_rng(seed)
        frames = []
        for _ in range(2):
            homes = chance.uniform(0, SIDE, (4, 3))
            frames.append((homes[np.arange(36) % 4] + chance.normal(0, 8.0, (36, 3))) * [0.0, 1.0, 1.0])
        _, is_jump = shift(*frames)
        assert not is_jump


def test_divisions_growth_and_losses_do_not_hide_a_jump() -> None:
    places, chance = sample(3), np.random.default_rng(3)
    after = stepped(places, 3) * 1.02
    apart = chance.normal(0, 2.0, (12, 3))
    after = np.concatenate([after[:12] - apart, after[:12] + apart, after[15:]])  # twelve divide, three are lost
    by, is_jump = shift(window(places), window(after, 0.0, 40.0))
    assert is_jump
    assert np.abs(by - [0.0, 0.0, -40.0]).max() < 2.0


def test_a_lattice_that_still_lies_on_itself_has_not_jumped() -> None:
    """A shift by the distance of its nuclei looks as good, but for those that came and went."""
    lattice = grid(5)
    by, is_jump = shift(lattice, lattice + np.array([0.0, 0.0, 0.3]))
    assert np.allclose(by, 0.0)
    assert not is_jump


def test_where_another_shift_looks_as_good_nothing_is_proven() -> None:
    """A lattice, seen through a field that moved by two and a half of its distances."""
    y, x = np.meshgrid(np.arange(-4, 16) * 10.0, np.arange(10) * 10.0, indexing="ij")
    lattice = np.stack([np.zeros(y.size), y.ravel(), x.ravel()], axis=1)
    lattice = stepped(lattice, 0, 0.1)
    _, is_jump = shift(window(lattice), window(stepped(lattice, 1), y=25.0))
    assert not is_jump
    uneven = stepped(lattice, 2, 2.0)
    by, is_jump = shift(window(uneven), window(stepped(uneven, 1), y=25.0))
    assert is_jump
    assert np.abs(by - [0.0, -25.0, 0.0]).max() < 1.0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_nuclei_prove_nothing(count: int) -> None:
    places = sample(0, count)
    found = whole_shift(places, places + 30.0, np.array([0.0, 1.0, 0.0]), 10.0)
    assert (found.by.tolist(), found.is_jump) == ([0.0, 1.0, 0.0], False)


def test_three_nuclei_that_moved_alike_are_followed_and_prove_no_jump() -> None:
    places = sample(7)[:3]
    jump = np.array([0.0, 60.0, 0.0])
    by, is_jump = shift(places, places + jump)
    assert np.allclose(by, jump)
    assert not is_jump


def test_many_nuclei_are_looked_through_in_part() -> None:
    places = sample(11, 900, 800.0)
    by, is_jump = shift(places[places[:, 1] < 500], places[places[:, 1] > 300] - [0.0, 300.0, 0.0])
    assert is_jump
    assert np.abs(by - [0.0, -300.0, 0.0]).max() < 1.0
