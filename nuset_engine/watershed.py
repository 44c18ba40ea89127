"""Instance labels from foreground, distance map and proposals: a watershed seeded by the proposals."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from nuset_engine.proposals import Proposals

EIGHT = np.ones((3, 3), bool)


def seed_positions(proposals: Proposals, ridge: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """(N, 2) int pixel of each proposal's seed, or -1 where its middle holds no foreground.

    The seed is the highest point of the distance map in the middle third of the box, so that it lies inside nuclei that
    are bent or off their box' centre.
    """
    seeds = np.full((len(proposals), 2), -1, np.int64)
    limits = np.array(ridge.shape)
    middle = proposals.centres
    reach = np.maximum((proposals.boxes[:, 2:] - proposals.boxes[:, :2]) / 6, 1)
    low = np.clip(np.floor(middle - reach), 0, limits - 1).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, 1, limits).astype(int)
    for index, ((y0, x0), (y1, x1)) in enumerate(zip(low, high, strict=True)):
        window = np.where(foreground[y0:y1, x0:x1], ridge[y0:y1, x0:x1], -1)
        best = int(window.argmax())
        if window.flat[best] >= 0:
            seeds[index] = y0 + best // window.shape[1], x0 + best % window.shape[1]
    return seeds


def fill_small_holes(foreground: np.ndarray, max_area: float) -> np.ndarray:
    """Foreground with background islands of at most `max_area` pixels filled."""
    holes, count = ndi.label(~foreground)
    if count < 2:
        return foreground
    areas = np.bincount(holes.ravel())
    small = areas <= max_area
    small[0] = False
    return foreground | small[holes]


def separate(
    foreground: np.ndarray, ridge: np.ndarray, proposals: Proposals, min_area: float
) -> tuple[np.ndarray, np.ndarray]:
    """Divide the foreground into nuclei.

    Parameters
    ----------
    foreground : (Y, X) bool
    ridge : (Y, X) float32
        Predicted distance to the nucleus' own border, the landscape of the watershed.
    proposals : Proposals
        One per nucleus, best first.
    min_area : float
        Smaller nuclei are removed, in pixels.

    Returns
    -------
    labels : (Y, X) int32
        1..N. A piece of foreground without any proposal is one nucleus.
    scores : (N,) float32
        Score of the proposal that seeded the nucleus; 0 where there was none.
    """
    pieces, count = ndi.label(foreground, EIGHT)
    if count == 0:
        return np.zeros(foreground.shape, np.int32), np.zeros(0, np.float32)
    seeds = seed_positions(proposals, ridge, foreground)
    placed = np.flatnonzero(seeds[:, 0] >= 0)
    # A later (worse) proposal on the very pixel of an earlier one is the same nucleus.
    _, first = np.unique(seeds[placed] @ np.array([foreground.shape[1], 1]), return_index=True)
    placed = placed[np.sort(first)]
    home = pieces[seeds[placed, 0], seeds[placed, 1]]
    seeds_in = np.bincount(home, minlength=count + 1)
    markers = np.zeros(foreground.shape, np.int32)
    markers[seeds[placed, 0], seeds[placed, 1]] = np.arange(1, len(placed) + 1)
    crowded = (seeds_in > 1)[pieces] & foreground
    labels = watershed(-ridge, markers, mask=crowded, connectivity=2) if crowded.any() else np.zeros_like(markers)
    # Pieces with one seed or none need no watershed.
    single = np.zeros(count + 1, np.int32)
    lone = seeds_in[home] == 1
    single[home[lone]] = np.flatnonzero(lone) + 1
    orphans = np.flatnonzero(seeds_in == 0)[1 if seeds_in[0] == 0 else 0 :]
    single[orphans] = len(placed) + 1 + np.arange(len(orphans))
    labels = np.where(crowded, labels, single[pieces]).astype(np.int32)
    scores = np.concatenate([proposals.scores[placed], np.zeros(len(orphans), np.float32)])
    return drop_small(labels, scores, min_area)


def drop_small(labels: np.ndarray, scores: np.ndarray, min_area: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores without nuclei under `min_area` pixels, numbered 1..N again."""
    areas = np.bincount(labels.ravel(), minlength=len(scores) + 1)
    keep = areas >= max(min_area, 1)
    keep[0] = False
    renumber = np.zeros(len(keep), np.int32)
    renumber[keep] = np.arange(1, keep.sum() + 1)
    return renumber[labels], scores[keep[1 : len(scores) + 1]]
