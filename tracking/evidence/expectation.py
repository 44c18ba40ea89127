"""What every cost of a step is measured against, and where nuclei are expected."""

from __future__ import annotations

from dataclasses import dataclass

from nuset_engine.arrays import FloatsN, PointsZYX
from tracking.evidence.beliefs import Belief
from tracking.params import TrackingParams


@dataclass(frozen=True)
class CostModel:
    """What costs are measured against: number of axes with any extent, distance between neighbours, beliefs."""

    dimensions: int
    scale: float
    belief: Belief
    params: TrackingParams


@dataclass(frozen=True)
class Expectation:
    """Where sources are expected, without and with their own motion, and how well that is known.

    Attributes
    ----------
    flow : (n, 3) float64
        Last place plus the motion of the neighbours.
    place : (n, 3) float64
        The same plus the part of its own motion that a nucleus repeats.
    spread : (n,) float64
        Standard deviation per axis.
    unit_spread : float
        Spread of an ordinary nucleus in unit time.
    """

    flow: PointsZYX
    place: PointsZYX
    spread: FloatsN
    unit_spread: float
