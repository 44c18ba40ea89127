"""Synthetic rare events: slices of crowded interphase nuclei among which a few divide, with labels of these alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import IntsN, LabelsYX, PlaneF32, PlaneYX, RotationsN33
from nuset_engine.synthetic.confocal import SMALLEST_SECTION, random_optics
from nuset_engine.synthetic.render import render
from nuset_engine.synthetic.shapes import NucleusShapes, crowd

SHAPE = (3, 256, 256)
LIKELY = 0.09  # share of nuclei in mitosis; one in eleven, many more than in tissue, so that there is enough to learn


@dataclass(frozen=True)
class MitoticSlice:
    """One slice with its truth.

    Attributes
    ----------
    image : (Y, X) float32
    events : (Y, X) int32
        Mitotic figures alone; the two halves of an anaphase are one.
    nuclei : (Y, X) int32
        All nuclei, the mitotic ones included.
    diameter_px : float
        Typical diameter of an interphase nucleus.
    """

    image: PlaneF32
    events: LabelsYX
    nuclei: LabelsYX
    diameter_px: float


def mitotic_slices(rng: np.random.Generator, likely: float = LIKELY) -> list[MitoticSlice]:
    """A random stack, slice by slice; the same state of `rng` gives the same slices.

    Parameters
    ----------
    rng : numpy.random.Generator
    likely : float
        Chance of each nucleus to be in mitosis.
    """
    pixel_um = rng.uniform(0.25, 0.5)
    spacing = (rng.uniform(2.5, 5.0), pixel_um, pixel_um)
    diameter = rng.uniform(8, 12)
    volume_um3 = float(np.prod(SHAPE) * np.prod(spacing))
    count = max(4, int(rng.uniform(0.08, 0.4) * volume_um3 / (np.pi / 6 * diameter**3)))
    shapes = crowd(rng, SHAPE, spacing, min(count, 160), diameter, rng.uniform(0.2, 0.8))
    shapes, event_of = divide_some(rng, shapes, likely)
    image, labels = render(shapes, SHAPE, spacing, random_optics(rng), rng)
    return [_slice(picture, plane, event_of, diameter / pixel_um) for picture, plane in zip(image, labels, strict=True)]


def divide_some(rng: np.random.Generator, shapes: NucleusShapes, likely: float) -> tuple[NucleusShapes, IntsN]:
    """Bring some nuclei into mitosis.

    Returns
    -------
    shapes : NucleusShapes
        The chosen ones as prometaphase (ragged and bright), metaphase (a plate) or anaphase (two plates side by side),
        all others in interphase.
    event_of : (M + 1,) int32
        For each label that `render` gives, the number of the mitotic event that it belongs to; 0 for none.
    """
    n = len(shapes)
    chosen = (rng.random(n) < likely) | (shapes.condensation > 0)
    stage = np.where(chosen, rng.integers(0, 3, n), -1)
    centres, axes = shapes.centres_um.copy(), shapes.semi_axes_um.copy()
    brightness, condensation = shapes.brightness.copy(), np.zeros(n)
    radius = np.cbrt(axes.prod(axis=1))
    condensation[chosen] = rng.uniform(0.7, 1.0, chosen.sum())
    brightness[chosen] = np.maximum(brightness[chosen], 0.8) * rng.uniform(1.4, 2.6, chosen.sum())
    axes[stage == 0] *= 0.85
    rotations = shapes.rotations.copy()
    plates = stage >= 1
    rotations[plates] = spindles(rng, int(plates.sum()))
    axes[plates] = radius[plates, None] * np.stack(
        [
            rng.uniform(0.28, 0.42, plates.sum()),
            rng.uniform(0.8, 1.1, plates.sum()),
            rng.uniform(0.7, 1.0, plates.sum()),
        ],
        axis=1,
    )
    pairs = np.flatnonzero(stage == 2)
    apart = rotations[pairs, :, 0] * (radius[pairs] * rng.uniform(0.4, 0.95, len(pairs)))[:, None]
    axes[pairs] *= (0.9, 0.8, 0.8)
    centres[pairs] -= apart
    twice = np.concatenate([np.arange(n), pairs])
    centres = np.concatenate([centres, centres[pairs] + 2 * apart])
    numbers = np.zeros(n, np.int32)
    numbers[chosen] = np.arange(1, chosen.sum() + 1)
    seeds = np.concatenate([shapes.seeds, (shapes.seeds[pairs] + 1) % 2**31])
    figures = NucleusShapes(centres, axes[twice], rotations[twice], brightness[twice], condensation[twice], seeds)
    return figures, np.concatenate([[0], numbers[twice]]).astype(np.int32)


def spindles(rng: np.random.Generator, count: int) -> RotationsN33:
    """Rotations (N, 3, 3) whose first axis, that of the spindle, lies nearly in the plane, as in adherent cells."""
    tilt, turn = rng.normal(0, 0.35, count), rng.uniform(0, 2 * np.pi, count)
    first = np.stack([np.sin(tilt), np.cos(tilt) * np.sin(turn), np.cos(tilt) * np.cos(turn)], axis=1)
    second = np.stack([np.zeros(count), np.cos(turn), -np.sin(turn)], axis=1)
    return np.stack([first, second, np.cross(first, second)], axis=2)


def _slice(picture: PlaneYX, plane: LabelsYX, event_of: IntsN, diameter_px: float) -> MitoticSlice:
    """A slice without the sections that are too small for anyone to name."""
    least = SMALLEST_SECTION * np.pi / 4 * diameter_px**2
    kept = np.bincount(plane.ravel(), minlength=len(event_of)) >= least
    nuclei = np.where(kept[plane], plane, 0).astype(np.int32)
    events = event_of[nuclei]
    large = np.bincount(events.ravel(), minlength=int(event_of.max()) + 1) >= 2 * least
    return MitoticSlice(picture.astype(np.float32), np.where(large[events], events, 0), nuclei, diameter_px)
