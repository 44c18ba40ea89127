"""Labels and masks are told from images; images that are clipped, dim, smooth or enlarged are not taken for them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from nuset_engine.planes.drawn import drawn

SIDE = 128


def discs(count: int, radii: tuple[float, float], seed: int = 0) -> np.ndarray:
    """Labels of discs, the later ones above the former."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    labels = np.zeros((SIDE, SIDE), np.uint16)
    for number in range(1, count + 1):
        (cy, cx), radius = rng.uniform(0, SIDE, 2), rng.uniform(*radii)
        labels[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = number
    return labels


LABELS = discs(20, (5, 10))
NUCLEI = ndimage.gaussian_filter((LABELS > 0) * 800.0, 2) + 100
NOISY = np.random.default_rng(1).poisson(NUCLEI)


@pytest.mark.parametrize(
    ("plane", "is_what"),
    [
        (LABELS, "labels"),
        (LABELS.astype(np.float32), "labels"),
        (LABELS.astype(np.int64) * 1000 - 5, "labels"),
        (discs(300, (6, 9)), "labels"),  # crowded, without background
        (discs(60, (2, 3)), "labels"),
        (np.where(LABELS < 4, LABELS, 0), "labels"),
        (np.where(LABELS < 3, LABELS, 0), "mask"),
        ((LABELS > 0).astype(np.uint8) * 255, "mask"),
        (LABELS > 0, "mask"),
        ((LABELS > 0) + 1 * ndimage.binary_erosion(LABELS > 0, iterations=2), "mask"),
        ((LABELS > 0) ^ ndimage.binary_erosion(LABELS > 0), "two values"),
    ],
)
def test_labels_and_masks_are_told(plane: np.ndarray, is_what: str) -> None:
    assert drawn(plane) == is_what


@pytest.mark.parametrize(
    "plane",
    [
        NOISY.astype(np.uint16),
        (NOISY // 8).astype(np.uint8),
        NUCLEI.astype(np.uint16),  # without noise
        NUCLEI.astype(np.float32),
        (NUCLEI / 5).astype(np.uint8),
        (NUCLEI / 120).astype(np.uint8),  # in eight steps
        (NUCLEI / 200).astype(np.uint8),
        ndimage.median_filter(NOISY // 8, 9),
        ndimage.median_filter(NOISY // 100, 9),
        np.clip(NOISY - 400, 0, None),  # background taken off
        np.clip((NUCLEI - 450) * 500, 0, 255).astype(np.uint8),  # saturated
        np.clip((NOISY - 450) * 50, 0, 255).astype(np.uint8),
        np.where(NOISY > 500, NOISY, 0),
        np.random.default_rng(2).poisson(NUCLEI / 300),  # single photons
        np.random.default_rng(2).poisson(np.full(NUCLEI.shape, 0.01)) * np.uint8(2),
        np.kron(NOISY[:32, :32], np.ones((4, 4), np.uint16)),  # enlarged
        np.kron(NOISY[:16, :16] // 8, np.ones((8, 8), np.uint8)),
        np.pad(NOISY, 60),
        np.where(np.isfinite(NUCLEI), NUCLEI.round(), 0).astype(np.float32) * np.where(LABELS == 3, np.nan, 1.0),
        np.full((9, 9), 3),
        np.zeros((1, 1), np.uint8),
        NOISY[:1],
        NOISY[:, :1],
        np.zeros((0, 5), np.uint8),
    ],
)
def test_images_are_not(plane: np.ndarray) -> None:
    assert drawn(plane) in (None, "two values")


def test_of_dark_pixels_alone_a_name_decides() -> None:
    hot = np.zeros((64, 64), np.uint16)
    hot[::9, ::7] = 4095
    assert drawn(hot) == "two values"
