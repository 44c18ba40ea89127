"""The foreground divided into labelled nuclei of some size."""

from __future__ import annotations

import numpy as np

from nuset_engine.inference.proposals import Proposals
from nuset_engine.inference.watershed import DEEPEST, divided


def separate(
    foreground: np.ndarray,
    ridge: np.ndarray,
    proposals: Proposals,
    min_area: float,
    deepest: float = DEEPEST,
    divide: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (Y, X) int32 and scores (N,) float32 of nuclei of at least `min_area` pixels; see `divided`."""
    found = divided(foreground, ridge, proposals, deepest, divide)
    large = found.areas >= max(min_area, 1)
    return found.labels(large), found.scores[large]
