"""What a network found on a plane, before and after nuclei are made of it; both at network resolution."""

from __future__ import annotations

from dataclasses import dataclass

from nuset_engine.arrays import LabelsYX, PlaneF32, ScoresN
from nuset_engine.inference.proposals import Proposals


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
