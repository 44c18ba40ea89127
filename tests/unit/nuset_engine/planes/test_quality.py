"""What is noted of a stack while its planes are read."""

from __future__ import annotations

import numpy as np
import pytest

from nuset_engine.planes.quality import WatchedPlanes


def noisy(level: float, shape: tuple[int, int] = (64, 64), dtype: type = np.uint16) -> np.ndarray:
    return np.random.default_rng(int(level)).normal(level, 3.0, shape).astype(dtype)


def test_blank_slices_and_the_background_are_noted() -> None:
    planes = [noisy(100), np.zeros((64, 64), np.uint16), noisy(104), np.full((64, 64), 65535, np.uint16)]
    watched = WatchedPlanes(planes)
    assert [plane is planes[z] for z, plane in enumerate(watched)] == [True] * 4, "planes pass as they are"
    assert watched.quality.blank_slices == (1, 3)
    assert watched.quality.background == pytest.approx(98.0, abs=2.0)


def test_only_what_was_read_counts_and_each_plane_once() -> None:
    watched = WatchedPlanes([noisy(100), np.zeros((8, 8))])
    assert watched.quality.background is None
    assert watched[-1] is watched[1]
    assert len(watched[0:2]) == len(watched) == 2
    assert watched.quality.blank_slices == (1,)


def test_planes_without_a_number_are_blank() -> None:
    half = noisy(50.0, dtype=np.float32)
    half[:, ::2] = np.nan
    watched = WatchedPlanes([np.full((9, 9), np.nan), half, np.empty((0, 5))])
    list(watched)
    assert watched.quality.blank_slices == (0, 2)


def test_signal_is_above_the_background() -> None:
    watched = WatchedPlanes([noisy(100)])
    list(watched)
    quality = watched.quality
    assert quality.background is not None
    assert quality.signal(np.array([300.0, 500.0, np.nan])) == pytest.approx(400.0 - quality.background)
    assert quality.signal(np.array([])) is None
