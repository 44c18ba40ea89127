"""A segmenter without a network, for tests of what looks at its labels: what is far above the noise, in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Pieces:
    """Labels of a slice."""

    labels: np.ndarray
    scores: np.ndarray


class ThresholdSegmenter:
    """Surer of what is larger than 40 pixels, and round."""

    def segment_stack(self, planes: Sequence[np.ndarray], **unused: Any) -> Iterator[Pieces]:
        for plane in planes:
            values = ndimage.gaussian_filter(np.asarray(plane, float), 1.5)
            middle = float(np.median(values))
            noise = 1.4826 * float(np.median(np.abs(values - middle)))
            labels, count = ndimage.label(values > middle + max(6 * noise, 0.3 * (values.max() - middle)))
            areas = np.bincount(labels.ravel(), minlength=count + 1)
            labels = np.where(areas[labels] >= 12, labels, 0)
            kept = np.unique(labels[labels > 0])
            labels = np.searchsorted(kept, labels) * (labels > 0) + (labels > 0)
            scores = np.where(areas[kept] > 40, 0.88, 0.7)
            yield Pieces(labels.astype(np.int32), scores.astype(np.float32))
