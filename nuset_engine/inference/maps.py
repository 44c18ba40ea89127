"""What a network found on a plane, before and after nuclei are made of it; both at network resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import LabelsYX, PlaneF32, ScoresN
from nuset_engine.inference.proposals import Proposals

UNDECIDED = (0.25, 0.75)  # foreground probabilities between these lie on an outline


@dataclass(frozen=True)
class PlaneMaps:
    """What the network found on a plane.

    Attributes
    ----------
    foreground, ridge : (Y, X) float32
    proposals : Proposals
        After non-maximum suppression.
    """

    foreground: PlaneF32
    ridge: PlaneF32
    proposals: Proposals


@dataclass(frozen=True)
class Separated:
    """Nuclei.

    Attributes
    ----------
    labels : (Y, X) int32
    scores : (N,) float32
    probability : (Y, X) float32
        Of the foreground, with small holes filled.
    """

    labels: LabelsYX
    scores: ScoresN
    probability: PlaneF32


def edge_softness(foregrounds: Sequence[PlaneF32]) -> float:
    """How slowly foreground probabilities (Y, X) fall at the outlines of nuclei.

    Returns
    -------
    float
        Width of the band of undecided pixels: their number over that of the pairs of neighbours which the outline
        parts. 0 where there is no outline.
    """
    undecided = parted = 0
    for foreground in foregrounds:
        undecided += int(np.count_nonzero((foreground > UNDECIDED[0]) & (foreground < UNDECIDED[1])))
        inside = foreground > 0.5
        for axis in (0, 1):
            parted += int(np.count_nonzero(np.diff(inside, axis=axis)))
    return undecided / parted if parted else 0.0
