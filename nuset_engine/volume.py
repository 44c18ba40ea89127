"""From the labels of slices to nuclei in three dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from nuset_engine.errors import EngineError
from nuset_engine.nuclei import TRUST_COLUMNS
from nuset_engine.overlap import overlap


class SliceLabels(Protocol):
    """What a segmenter says about one slice (`segment.PlaneLabels`)."""

    @property
    def labels(self) -> np.ndarray: ...

    @property
    def scores(self) -> np.ndarray: ...


@dataclass(frozen=True)
class VolumeParams:
    """How slices are joined."""

    min_overlap: float = 0.3


@dataclass(frozen=True)
class Volume:
    """Nuclei of one stack.

    Attributes
    ----------
    labels : (Z, Y, X) uint32
        1..N without holes, ordered by first slice, then by first pixel; 0 is background.
    trust : pandas.DataFrame
        Index `label`, columns `score` and `nuclei.TRUST_COLUMNS`.
    """

    labels: np.ndarray
    trust: pd.DataFrame


def reconstruct(
    slices: Iterable[SliceLabels],
    voxel_size_um: tuple[float, float, float] | None,
    params: VolumeParams | None = None,
) -> Volume:
    """Join the labels of slices to nuclei."""
    params = params or VolumeParams()
    planes: list[np.ndarray] = []
    scores: list[list[float]] = []
    for item in slices:
        fresh = item.labels.astype(np.uint32)
        names = np.zeros(int(fresh.max(initial=0)) + 1, dtype=np.uint32)
        if planes:
            o = overlap(planes[-1], fresh)
            gain = o.dense(np.where(o.over_smaller >= params.min_overlap, o.iou + o.over_smaller, 0))
            for i, j in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
                if gain[i, j] > 0:
                    names[o.labels_b[j]] = o.labels_a[i]
        for label in range(1, len(names)):
            if names[label] == 0:
                scores.append([])
                names[label] = len(scores)
            scores[names[label] - 1].append(float(item.scores[label - 1]))
        planes.append(names[fresh])
    if not planes:
        raise EngineError("A stack without slices cannot be reconstructed; give at least one slice.")
    if voxel_size_um is None and len(planes) > 1:
        raise EngineError("A z-stack needs its voxel size in micrometres; give (z, y, x).")
    trust = pd.DataFrame(
        {"score": [float(np.mean(s)) for s in scores]}, index=pd.RangeIndex(1, len(scores) + 1, name="label")
    )
    for name, dtype in TRUST_COLUMNS.items():
        trust[name] = np.zeros(len(scores), dtype=dtype)
    trust["slices_seen"] = [len(s) for s in scores]
    trust["slices_expected"] = trust["slices_seen"]
    return Volume(np.stack(planes), trust)
