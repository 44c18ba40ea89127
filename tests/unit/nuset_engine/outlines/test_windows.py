"""Windows about some nuclei: what is done in them alone is what is done on the whole plane."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage as ndi

from nuset_engine.outlines.moving import ROOM_PX, moved
from nuset_engine.outlines.windows import windows_about

THRESHOLD = 0.4


def random_nuclei(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels (Y, X), with dropped pieces of foreground between them, and a probability (Y, X)."""
    noise = ndi.gaussian_filter(rng.random(rng.integers(20, 130, 2)), 3).astype(np.float32)
    probability = np.clip(THRESHOLD + (noise - np.quantile(noise, 0.8)) * 12, 0, 1).astype(np.float32)
    labels, count = ndi.label(probability > THRESHOLD)
    kept = np.arange(count + 1) * (rng.random(count + 1) < 0.8)
    return np.unique(kept[labels], return_inverse=True)[1].reshape(labels.shape).astype(np.int32), probability


@given(st.integers(0, 2**32 - 1))
def test_windows_hold_each_nucleus_with_its_room_and_share_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, _ = random_nuclei(rng)
    some = rng.random(labels.max() + 1) < rng.choice([0.1, 0.5, 1.0])
    some[0] = False
    some[rng.integers(len(some))] = False
    if rng.random() < 0.5:  # one of them is nowhere
        some[1:] |= (gone := np.arange(1, len(some)) == rng.integers(1, max(len(some), 2)))
        labels = labels * ~np.append(False, gone)[labels]
    seen = np.zeros(labels.shape, int)
    near = np.zeros(labels.shape, int)
    for number, window in enumerate(windows_about(labels, some, 3), 1):
        assert some[labels[window]].any()
        seen[window] += 1
        near[window] = number
    assert seen.max(initial=0) <= 1
    for number in np.intersect1d(np.flatnonzero(some), labels):
        around = near[ndi.binary_dilation(labels == number, np.ones((3, 3)), iterations=3)]
        assert around.min() == around.max() > 0


@given(st.integers(0, 2**32 - 1))
def test_outlines_moved_in_windows_are_those_moved_on_the_plane(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, probability = random_nuclei(rng)
    way = rng.uniform(-4, 4, labels.max() + 1) * (rng.random(labels.max() + 1) < rng.choice([0.1, 0.5, 1.0]))
    way[0] = 0
    if not way.any():
        return
    windows = windows_about(labels, way != 0, ROOM_PX)
    for one, other in zip(
        moved(labels, probability, way, THRESHOLD, windows), moved(labels, probability, way, THRESHOLD), strict=True
    ):
        assert np.array_equal(one, other)
