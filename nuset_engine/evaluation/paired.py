"""Whether one of two segmentations of the same images finds more, or only seems to: a paired bootstrap over images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nuset_engine.evaluation.scores import threshold_name

Values = NDArray[np.float64]  # any axes
LEAST_IMAGES = 5
"""Of fewer, resampling tells nothing: with four, one in eight differences of pure chance has the same sign in all."""

_SHARE, _REPEATS = 0.95, 4000


@dataclass(frozen=True)
class PairedDifference:
    """By how much a new average precision is above the present one, over all nuclei of the same images.

    Attributes
    ----------
    difference : float
    low, high : float
        Between these lie 95 % of the differences over as many images drawn from these, with repetition.
    images : int
    """

    difference: float
    low: float
    high: float
    images: int

    @property
    def is_told(self) -> bool:
        """There are enough images to say anything."""
        return self.images >= LEAST_IMAGES

    @property
    def is_significant(self) -> bool:
        """The difference has one sign in nearly all draws."""
        return self.is_told and not self.low <= 0 <= self.high

    @property
    def words(self) -> str:
        """What it is worth, as the end of a sentence."""
        if not self.is_told:
            few = f"{self.images} image{'' if self.images == 1 else 's'}"
            return f"{few} cannot tell whether the difference of {self.difference:+.3f} is more than chance"
        drawn = f"{self.low:+.3f} to {self.high:+.3f} in 95 % of draws from these {self.images} images"
        if self.is_significant:
            return f"the difference of {self.difference:+.3f} is significant ({drawn})"
        return f"the difference of {self.difference:+.3f} may be chance ({drawn})"


def paired_difference(
    new: pd.DataFrame, present: pd.DataFrame, threshold: float = 0.5, seed: int = 0
) -> PairedDifference:
    """Compare the average precision at an IoU of two evaluations of the same images (`Evaluation.images`).

    Whole images are drawn, for the nuclei of one image resemble each other: Efron and Tibshirani 1993, "An
    Introduction to the Bootstrap", chapter 13, the percentile interval.
    """
    hits = threshold_name("tp", threshold)
    names = new.index.intersection(present.index)
    counts = np.stack(
        [one.loc[names, [hits, "true_nuclei", "predicted_nuclei"]].to_numpy(float) for one in (new, present)]
    )
    images = len(names)
    drawn = np.random.default_rng(seed).integers(0, max(images, 1), (_REPEATS, images))
    low, high = np.quantile(_gain(counts[:, drawn].sum(axis=2)), [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
    return PairedDifference(float(_gain(counts.sum(axis=1))), float(low), float(high), images)


def _gain(counts: Values) -> Values:
    """Difference of the average precisions of two summed counts (2, ..., hits true predicted)."""
    hits, both = counts[..., 0], counts[..., 1] + counts[..., 2]
    found = np.divide(hits, both - hits, out=np.ones_like(hits), where=both > 0)
    gain: Values = found[0] - found[1]
    return gain
