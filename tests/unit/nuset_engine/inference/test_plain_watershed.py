"""Nuclei of any foreground are those that the plain way gives, pixel by pixel: one watershed of the whole plane."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from cases.separating import separate
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from nuset_engine.inference.proposals import Proposals
from nuset_engine.inference.watershed import CORE, TOGETHER_PX, _all_seeds, _layout, core_seeds
from nuset_engine.outlines.pieces import pieces_in

SEEDS = st.integers(0, 2**32 - 1)


def scene(seed: int) -> tuple[np.ndarray, np.ndarray, Proposals]:
    """A foreground (Y, X), a rough distance map (Y, X), and proposals anywhere; some planes are one pixel wide."""
    rng = np.random.default_rng(seed)
    shape = np.where(rng.random(2) < 0.1, 1, rng.integers(1, 50, 2))
    smooth = ndi.gaussian_filter(rng.random(shape), rng.choice([0.1, 1, 2]))
    foreground = smooth >= np.quantile(smooth, rng.choice([0, 0.3, 0.6]))
    ridge = np.clip(ndi.distance_transform_edt(np.pad(foreground, 1))[1:-1, 1:-1] / 6, 0, 1)
    ridge = (ridge + rng.uniform(0, 0.3, ridge.shape)).astype(np.float32)
    if rng.random() < 0.3:
        foreground, ridge = np.asfortranarray(foreground), np.asfortranarray(ridge)
    count = rng.integers(0, 12)
    middle, half = rng.random((count, 2)) * shape, rng.uniform(1, 8, (count, 2))
    boxes = np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)
    return foreground, ridge, Proposals(boxes, -np.sort(-rng.random(count, np.float32)))


def plain(
    foreground: np.ndarray, ridge: np.ndarray, proposals: Proposals, deepest: float, divide: bool
) -> tuple[np.ndarray, list[float]]:
    """Labels (Y, X) with gaps, and the score of each."""
    pieces, count = ndi.label(foreground, np.ones((3, 3)))
    seeds, found = _all_seeds(foreground, ridge, proposals)
    at = [tuple(seed) for seed in seeds.tolist()]
    if not divide:
        home = [pieces[seed] for seed in at]
        return pieces, [
            max([s for s, h in zip(found, home, strict=True) if h == n], default=0) for n in range(1, count + 1)
        ]
    seeded = {pieces[seed] for seed in at}
    at += [tuple(np.argwhere(pieces == n)[0].tolist()) for n in range(1, count + 1) if n not in seeded]
    peaks = [float(ridge[seed]) if n < len(found) else 1.0 for n, seed in enumerate(at)]
    markers = np.zeros(foreground.shape, int)
    for n, seed in enumerate(at, start=1):
        markers[seed] = n
    labels = watershed(-ridge, markers, mask=foreground, connectivity=2)
    passes: dict[tuple[int, int], float] = {}
    for y, x in product(*map(range, labels.shape)):
        for next_one in ((y + 1, x), (y, x + 1)):
            if next_one[0] < labels.shape[0] and next_one[1] < labels.shape[1]:
                pair = sorted((int(labels[y, x]), int(labels[next_one])))
                if 0 < pair[0] < pair[1]:
                    key = (pair[0], pair[1])
                    passes[key] = max(passes.get(key, 0), float(min(ridge[y, x], ridge[next_one])))
    same = list(range(len(at) + 1))
    for (low, high), height in passes.items():
        if height >= np.float32(deepest) * np.float32(min(peaks[low - 1], peaks[high - 1])):
            one, other = sorted((same[low], same[high]))
            same = [one if n == other else n for n in same]
    return np.array(same)[labels], [*found.tolist(), *[0.0] * (len(at) - len(found))]


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([0.3, 0.7, 0.95, 1.1]), st.booleans(), st.sampled_from([1, 100, TOGETHER_PX]))
def test_nuclei_are_those_of_the_plain_way(seed: int, deepest: float, divide: bool, together: int) -> None:
    foreground, ridge, proposals = scene(seed)
    least = seed % 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nuset_engine.inference.watershed.TOGETHER_PX", together)
        labels, scores = separate(foreground, ridge, proposals, least, deepest, divide)
    wanted, own = plain(foreground, ridge, proposals, deepest, divide)
    kept = [n for n in range(1, len(own) + 1) if (wanted == n).sum() >= max(least, 1)]
    assert np.array_equal(labels, sum(((wanted == n) * k for k, n in enumerate(kept, start=1)), 0 * wanted))
    assert scores.tolist() == pytest.approx([own[n - 1] for n in kept])


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_each_core_without_a_seed_gets_one_at_its_highest_place(seed: int) -> None:
    foreground, ridge, _ = scene(seed)
    taken = np.argwhere(foreground)[seed % 40 :: 40]
    cores, count = ndi.label(foreground & (ridge > CORE))
    free = set(range(1, count + 1)) - {cores[y, x] for y, x in taken}
    wanted = [np.unravel_index(np.where(cores == n, ridge, -1).argmax(), ridge.shape) for n in sorted(free)]
    assert core_seeds(ridge, foreground, taken).tolist() == [[int(y), int(x)] for y, x in wanted]


def test_a_few_pieces_at_a_time_and_no_more_than_the_plane() -> None:
    mask = np.zeros((900, 900), bool)
    for y, x in product(range(0, 900, 60), repeat=2):
        mask[y : y + 40, x : x + 40] = True
    first, shapes = _layout(pieces_in(mask), mask.shape)
    assert len(set(first.tolist())) == len(first)
    assert len(shapes) > 5
    assert max(h * w for h, w in shapes) < 2 * TOGETHER_PX
    assert sum(h * w for h, w in shapes) < 0.6 * mask.size
