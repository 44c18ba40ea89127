"""Small movies in which corrections meet each other: crowded, flat, of one time point, with empty and failed ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cases.corrected import CorrectedMovie
from cases.stored import acquisition
from storage.acquisition import Acquisition
from storage.schema.rows import AcquisitionRow

Spot = tuple[float, float, float]
"""Middle (y, x) and radius, in pixels."""


@dataclass(frozen=True)
class Scene:
    """What there is to be seen.

    Attributes
    ----------
    shape : (Z, Y, X)
    spots : callable
        Of a time point the nuclei that are found, in order of their labels.
    missed : tuple of Spot
        What else stands out in every image.
    failed : tuple of int
        Time points that cannot be processed.
    """

    shape: tuple[int, int, int]
    frames: int
    spots: Callable[[int], list[Spot]]
    missed: tuple[Spot, ...] = ()
    failed: tuple[int, ...] = ()
    voxel: bool = True


def _crowd(t: int) -> list[Spot]:
    """Touching ones in a square; the last one divides, and the first leaves."""
    spots = [(6.0 + 8 * i, 6.0 + 8 * j + (t % 2), 4.2) for i in range(2) for j in range(2)]
    last = [(24.0, 12.0, 4.5)] if t < 3 else [(24.0, 9.0, 3.2), (24.0, 16.0, 3.2)]
    return [*spots[(t > 3) :], *last]


def _pairs(t: int) -> list[Spot]:
    """Some that touch each other; at t = 2 there are none."""
    return [] if t == 2 else [(7.0, 6.0 + t, 4.0), (7.0, 14.0 + t, 4.0), (20.0, 10.0, 5.0), (20.0, 22.0, 2.0)]


def _hardly(t: int) -> list[Spot]:
    """None at all, and once a single one."""
    return [(8.0, 8.0, 4.0)] if t == 1 else []


SCENES = {
    "crowded": Scene((3, 30, 24), 6, _crowd, ((24.0, 20.0, 3.0),)),
    "flat": Scene((1, 28, 30), 5, _pairs, ((14.0, 24.0, 3.0),)),
    "one time point": Scene((3, 28, 30), 1, _pairs, ((14.0, 24.0, 3.0),)),
    "with a failed one": Scene((2, 28, 30), 5, lambda t: _pairs(t + 3), failed=(1, 3), voxel=False),
    "hardly any": Scene((3, 20, 20), 3, _hardly, ((14.0, 14.0, 3.0),)),
}


@dataclass
class OddMovie(CorrectedMovie):
    """A movie of a scene."""

    scene: Scene = SCENES["crowded"]

    def __post_init__(self) -> None:
        self.frames, self.failing = self.scene.frames, self.scene.failed

    def process(self) -> AcquisitionRow:
        """Put it through, from what is queued to complete."""
        return self._process()

    def found(self, t: int) -> np.ndarray:
        """The nuclei (Z, Y, X) that are found there, plain."""
        labels = np.zeros(self.scene.shape, np.uint32)
        for number, spot in enumerate(self.scene.spots(t), start=1):
            labels[self.disc(spot) & (labels == 0)] = number
        return labels

    def disc(self, spot: Spot) -> np.ndarray:
        """A flat ball (Z, Y, X)."""
        y, x, radius = spot
        _, ys, xs = np.indices(self.scene.shape)
        inside: np.ndarray = (ys - y) ** 2 + (xs - x) ** 2 <= radius**2
        return inside

    def image(self) -> Acquisition:
        """What the microscope gives."""
        planes = []
        for t in range(self.frames):
            seen = self.found(t) > 0
            for spot in self.scene.missed:
                seen |= self.disc(spot)
            noise = np.random.default_rng(t).integers(0, 20, self.scene.shape)
            planes.append((100 + 800 * seen + noise).astype(np.uint16)[None])
        return acquisition(np.stack(planes), voxel=self.scene.voxel)
