"""Synthetic rare events: slices of crowded interphase nuclei among which a few divide, with labels of these alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import IntsN, LabelsYX, PlaneF32, PlaneYX, PointsZYX, Rotation33, RotationsN33, VectorZYX
from nuset_engine.synthetic.confocal import SMALLEST_SECTION, random_optics
from nuset_engine.synthetic.render import render
from nuset_engine.synthetic.shapes import NucleusShapes, crowd

SHAPE = (3, 256, 256)
INTERPHASE, PROMETAPHASE, METAPHASE, ANAPHASE, TELOPHASE, BRIGHT, DYING, DAUGHTERS = range(8)
IN_PLANE = 0.85  # share of the spindles that lie nearly in the plane, as in adherent cells
LIKELY = 0.09  # share of nuclei in mitosis; one in eleven, many more than in tissue, so that there is enough to learn


@dataclass(frozen=True)
class MitoticSlice:
    """One slice with its truth.

    Attributes
    ----------
    image : (Y, X) float32
    events : (Y, X) int32
        Mitotic figures alone; the two halves of an anaphase are one.
    faint : (Y, X) int32
        Sections of mitotic figures that are too small for a label.
    nuclei : (Y, X) int32
        All nuclei, the mitotic ones included.
    diameter_px : float
        Typical diameter of an interphase nucleus.
    """

    image: PlaneF32
    events: LabelsYX
    faint: LabelsYX
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
    """Bring some nuclei into mitosis, and make some others easy to mistake for it.

    Returns
    -------
    shapes : NucleusShapes
        The chosen ones as prometaphase (ragged and bright), metaphase (a plate, now and then seen along its axis),
        anaphase (two plates side by side) or telophase (two daughters that are still condensed). Of the others, in
        interphase, some are bright, some are dying (shrunken, very bright, often in pieces), some are two small
        daughters of a division that is over.
    event_of : (M + 1,) int32
        For each label that `render` gives, the number of the mitotic event that it belongs to; 0 for none.
    """
    n = len(shapes)
    chosen = (rng.random(n) < likely) | (shapes.condensation > 0)
    stage = np.where(chosen, rng.choice([PROMETAPHASE, METAPHASE, ANAPHASE, TELOPHASE], n), INTERPHASE)
    lookalike = rng.choice([INTERPHASE, BRIGHT, DYING, DAUGHTERS], n, p=[0.82, 0.08, 0.05, 0.05])
    stage = np.where(chosen, stage, lookalike)
    numbers = np.where(chosen, np.cumsum(chosen), 0).astype(np.int32)
    parts = [_figure(rng, shapes, i, int(stage[i])) for i in range(n)]
    owner = np.repeat(np.arange(n), [len(p.centres) for p in parts])
    rotations = [np.repeat(p.rotation[None], len(p.centres), axis=0) for p in parts]
    figures = NucleusShapes(
        np.concatenate([p.centres for p in parts]).reshape(-1, 3),
        np.concatenate([p.semi_axes for p in parts]).reshape(-1, 3),
        np.concatenate(rotations).reshape(-1, 3, 3),
        np.concatenate([np.full(len(p.centres), p.brightness) for p in parts]),
        np.concatenate([np.full(len(p.centres), p.condensation) for p in parts]),
        (shapes.seeds[owner] + np.concatenate([np.arange(len(p.centres)) for p in parts])) % 2**31,
    )
    return figures, np.concatenate([[0], numbers[owner]]).astype(np.int32)


@dataclass(frozen=True)
class _Figure:
    """What one nucleus becomes: centres (P, 3) and semi-axes (P, 3) of its parts, and what they have in common."""

    centres: PointsZYX
    semi_axes: PointsZYX
    rotation: Rotation33
    brightness: float
    condensation: float


def _figure(rng: np.random.Generator, shapes: NucleusShapes, index: int, stage: int) -> _Figure:
    """The parts of a nucleus in its stage."""
    centre, axes, turn = shapes.centres_um[index], shapes.semi_axes_um[index], shapes.rotations[index]
    bright, radius = float(shapes.brightness[index]), float(np.cbrt(axes.prod()))
    condensed = float(rng.uniform(0.7, 1.0))
    glow = max(bright, 0.8) * float(rng.uniform(1.4, 2.6))
    if stage == PROMETAPHASE:
        return _Figure(centre[None], 0.85 * axes[None], turn, glow, condensed)
    if stage in (METAPHASE, ANAPHASE, TELOPHASE):
        spindle = spindles(rng, 1)[0] if rng.random() < IN_PLANE else turn
        plate = radius * np.array([rng.uniform(0.28, 0.42), rng.uniform(0.8, 1.1), rng.uniform(0.7, 1.0)])
        if stage == METAPHASE:
            return _Figure(centre[None], plate[None], spindle, glow, condensed)
        if stage == ANAPHASE:
            apart, plate = rng.uniform(0.4, 0.95), plate * (0.9, 0.8, 0.8)
        else:
            apart, plate = rng.uniform(0.95, 1.4), plate * (1.25, 0.72, 0.72)
            glow, condensed = 0.85 * glow, condensed - 0.25
        return _Figure(_pair(centre, spindle[:, 0] * radius * apart), np.tile(plate, (2, 1)), spindle, glow, condensed)
    if stage == BRIGHT:
        return _Figure(centre[None], axes[None], turn, glow, 0.0)
    if stage == DYING:
        count = int(rng.integers(1, 5))
        size = radius * rng.uniform(0.35, 0.6) / np.cbrt(count) * np.exp(rng.normal(0, 0.2, (count, 1)))
        places = centre + rng.normal(0, 0.3 * radius, (count, 3)) * (count > 1)
        return _Figure(places, np.repeat(size, 3, axis=1), turn, glow * float(rng.uniform(1, 1.6)), 0.3)
    if stage == DAUGHTERS:
        apart = spindles(rng, 1)[0][:, 0] * radius * rng.uniform(0.75, 1.2)
        return _Figure(
            _pair(centre, apart), np.tile(0.74 * axes, (2, 1)), turn, bright * float(rng.uniform(1, 1.3)), 0.0
        )
    return _Figure(centre[None], axes[None], turn, bright, 0.0)


def _pair(centre: VectorZYX, apart: VectorZYX) -> PointsZYX:
    return np.stack([centre - apart, centre + apart])


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
    events = np.where(large[events], events, 0)
    faint = np.where(events > 0, 0, event_of[plane])
    return MitoticSlice(picture.astype(np.float32), events, faint, nuclei, diameter_px)
