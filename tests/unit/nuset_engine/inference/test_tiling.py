"""Tiles cover a plane once, keep the pooling grid, and have room around their cores."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nuset_engine.inference.passes import Reading
from nuset_engine.inference.tiling import ELONGATION, HALO_PX, tiles
from nuset_engine.planes.normalize import CHANNELS, normalize, whole_image_statistics


@given(st.integers(1, 2500), st.integers(1, 2500), st.sampled_from([256, 512, 768]))
def test_cores_cover_the_plane_exactly_once(height: int, width: int, size: int) -> None:
    seen = np.zeros((height, width), np.uint8)
    for tile in tiles((height, width), size):
        seen[tile.core] += 1
        window = np.zeros((tile.y[1] - tile.y[0], tile.x[1] - tile.x[0]))
        assert window[tile.inner].shape == seen[tile.core].shape
        assert min(window.shape) <= size
        assert max(window.shape) <= size or max(window.shape) in (height, width)
        assert max(window.shape) <= ELONGATION * size
        assert tile.y[0] % 16 == tile.x[0] % 16 == 0
    assert (seen == 1).all()


@given(st.integers(300, 3000))
def test_cores_are_a_halo_away_from_cuts(height: int) -> None:
    for tile in tiles((height, 64), 256):
        assert tile.y[0] == 0 or tile.core_y[0] - tile.y[0] >= HALO_PX
        assert tile.y[1] == height or tile.y[1] - tile.core_y[1] >= HALO_PX


def test_a_plane_of_the_usual_size_is_read_little_more_than_once() -> None:
    windows = [tile.window for tile in tiles((1316, 1316), 768)]
    assert len(windows) == 2
    assert (
        sum(len(range(1316)[y]) * len(range(1316)[x]) for y, x in windows) < 1.13 * 1316**2
    )  # two halos wider in one direction


def test_large_planes_get_square_tiles() -> None:
    assert all(max(t.y[1] - t.y[0], t.x[1] - t.x[0]) <= 768 for t in tiles((3000, 3000), 768))


def test_edges_are_mirrored_in_the_plane_as_they_would_be_in_what_is_made_of_it() -> None:
    planes = list(np.random.default_rng(0).gamma(2, 100, (2, 40, 21)).astype(np.float32))
    reading = Reading(whole_image_statistics(planes[0]), True, 768, 0.3, 0.3)
    asked = SimpleNamespace(channels=CHANNELS, padded=lambda shape: (-(-shape[0] // 16) * 16, -(-shape[1] // 16) * 16))
    views = np.stack([normalize(plane, reading.statistics, True) for plane in planes])
    wanted = np.pad(views, ((0, 0), (0, 8), (0, 11), (0, 0)), mode="symmetric")
    assert np.array_equal(reading.inputs(planes, asked), wanted)
    assert np.array_equal(reading.inputs(planes[:1], asked), wanted[:1])
