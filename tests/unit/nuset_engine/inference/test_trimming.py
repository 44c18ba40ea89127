"""Objects that do not stand out of their surroundings as nuclei do."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.inference.maps import Separated
from nuset_engine.inference.trimming import trimmed
from nuset_engine.planes.normalize import IntensityStatistics

STATISTICS = IntensityStatistics(mean=1000, std=200, background=0, noise=5, contrast=1000)
ROWS, COLUMNS = np.indices((96, 96))
AWAY = np.hypot(ROWS - 48, COLUMNS - 48)
NUCLEUS, GAP = AWAY < 10, AWAY < 20


def outlined(inside: np.ndarray) -> Separated:
    """One object, beside another one that is bright."""
    labels = inside.astype(np.int32)
    labels[2:20, 2:20] = 2
    return Separated(labels, np.array([0.9, 0.8], np.float32), np.where(labels > 0, np.float32(0.9), np.float32(0)))


def image(nucleus: float, gap: float, around: float) -> np.ndarray:
    """(Y, X) float32: a nucleus in a gap of haze, and the bright object."""
    shown = np.where(NUCLEUS, nucleus, np.where(GAP, gap, around)) + np.random.default_rng(0).normal(0, 5, AWAY.shape)
    shown[2:20, 2:20] = 1000
    return ndi.gaussian_filter(shown, 0.7).astype(np.float32)


def test_the_outline_of_a_gap_in_haze_is_cut_down_to_the_nucleus_in_it() -> None:
    found = trimmed(outlined(GAP), image(300, 40, 60), STATISTICS, 0.1)
    assert len(found.scores) == 2
    assert ((found.labels == 1) ^ NUCLEUS).sum() < 0.15 * NUCLEUS.sum()
    assert (found.probability[GAP & (found.labels == 0)] == 0).all()


def test_a_gap_with_nothing_in_it_is_no_nucleus() -> None:
    found = trimmed(outlined(GAP), image(40, 40, 60), STATISTICS, 0.1)
    assert found.scores.tolist() == [np.float32(0.8)]
    assert not found.labels[48, 48]
    assert found.labels[10, 10] == 1


def test_nuclei_keep_their_outlines_however_textured_or_dim() -> None:
    spots = np.where((ROWS // 4 + COLUMNS // 4) % 3 == 0, 900, 300).astype(np.float32)
    for shown in (image(60, 10, 10), image(1000, 50, 50), np.where(NUCLEUS, spots, image(0, 10, 10))):
        before = outlined(NUCLEUS)
        found = trimmed(before, shown, STATISTICS, 0.1)
        assert np.array_equal(found.labels, before.labels)
        assert np.array_equal(found.probability, before.probability)
