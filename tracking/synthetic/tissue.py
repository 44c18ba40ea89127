"""Living synthetic nuclei: they push and hold each other in clusters, wander, grow, divide and die."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.spatial import cKDTree

from nuset_engine.arrays import FlagsN, FloatsN, IntsN, MaskOrRowsN, PointsZYX, RotationsN33, RowsN, VectorZYX
from nuset_engine.synthetic.shapes import NucleusShapes, radius_towards, random_rotations

INTERPHASE = -1
"""Value of `mitosis`, `dying` and `recovering` outside these phases; inside, they count frames from 0."""

REACH = 1.3
"""Farthest distance at which nuclei pull each other, as a share of the distance at which two ellipsoids touch."""

BIRTH_RADIUS = 0.63
RECOVERED_RADIUS = 0.79
"""Radius of a daughter at birth and when its chromatin has opened, over its mother's: 0.79 is half of her volume."""


@dataclass
class Tissue:
    """All nuclei of one moment, one row each, in the sample's own frame (drift and stage moves come later)."""

    position: PointsZYX
    """(N, 3) float64 centres z, y, x in micrometres."""
    velocity: PointsZYX
    """(N, 3) own motion in micrometres per frame, persistent."""
    radius: FloatsN
    """(N,) of the sphere of the same volume in interphase."""
    stretch: PointsZYX
    """(N, 3) semi-axes over the radius in interphase; their product is 1."""
    rotation: RotationsN33
    """(N, 3, 3) columns are the axes; column 0 becomes the axis of division."""
    brightness: FloatsN
    seed: IntsN
    track_id: IntsN
    cluster: IntsN
    mitosis: IntsN
    """(N,) frames since chromosomes began to condense."""
    dying: IntsN
    """(N,) frames since the nucleus began to die."""
    recovering: IntsN
    """(N,) frames since the nucleus was born in a division."""

    def __len__(self) -> int:
        """Number of nuclei."""
        return len(self.position)

    def keep(self, rows: MaskOrRowsN) -> None:
        """Keep the rows of a mask or an index."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[rows])

    def append(self, other: Tissue) -> None:
        """Add the rows of another tissue behind these."""
        for field in fields(self):
            setattr(self, field.name, np.concatenate([getattr(self, field.name), getattr(other, field.name)]))

    def quiet(self) -> FlagsN:
        """(N,) bool: in interphase, neither dividing, dying nor just born."""
        quiet: FlagsN = (self.mitosis == INTERPHASE) & (self.dying == INTERPHASE) & (self.recovering == INTERPHASE)
        return quiet


@dataclass(frozen=True)
class PhaseDurations:
    """How many frames the phases take."""

    mitosis: int
    dying: int
    recovery: int


def grow(rng: np.random.Generator, centres: PointsZYX, cluster: IntsN, radius_um: float, spread: float) -> Tissue:
    """New nuclei in interphase.

    Parameters
    ----------
    rng : numpy.random.Generator
    centres : (N, 3) float64
    cluster : (N,) int64
    radius_um, spread : float
        Median radius and its relative spread.

    Returns
    -------
    Tissue
        Track ids 1..N.
    """
    n = len(centres)
    stretch = np.exp(rng.normal(0.0, 0.12, size=(n, 3)))
    idle = np.full(n, INTERPHASE)
    return Tissue(
        position=centres.copy(),
        velocity=np.zeros((n, 3)),
        radius=radius_um * np.exp(spread * np.clip(rng.normal(size=n), -2, 2)),
        stretch=stretch / np.cbrt(stretch.prod(axis=1, keepdims=True)),
        rotation=random_rotations(rng, n),
        brightness=np.exp(rng.normal(0.0, 0.18, size=n)),
        seed=rng.integers(0, 2**31, size=n),
        track_id=np.arange(1, n + 1),
        cluster=cluster.copy(),
        mitosis=idle,
        dying=idle.copy(),
        recovering=idle.copy(),
    )


def shapes_of(tissue: Tissue, pace: PhaseDurations, offset_um: VectorZYX) -> NucleusShapes:
    """What the nuclei look like in the phase that each is in.

    A nucleus in mitosis shrinks, brightens and flattens into a plate across its axis of division; its daughters begin
    as two small bright plates and swell; a dying nucleus shrinks to a bright ball.

    Parameters
    ----------
    tissue : Tissue
    pace : PhaseDurations
    offset_um : (3,) float64
        Position of the sample under the microscope.

    Returns
    -------
    NucleusShapes
    """
    mitotic = _progress(tissue.mitosis, pace.mitosis)
    dying = _progress(tissue.dying, pace.dying)
    young = np.where(tissue.recovering == INTERPHASE, 0.0, 1 - tissue.recovering / pace.recovery)
    shrink = (1 - 0.14 * mitotic) * (1 - 0.38 * dying) * (1 - (1 - BIRTH_RADIUS / RECOVERED_RADIUS) * young)
    plate = np.stack([1 - 0.42 * mitotic - 0.28 * young, 1 + 0.22 * mitotic, 1 + 0.1 * young], axis=1)
    stretch = tissue.stretch ** (1 - np.maximum(mitotic, dying))[:, None] * plate
    return NucleusShapes(
        centres_um=tissue.position + offset_um,
        semi_axes_um=(tissue.radius * shrink)[:, None] * stretch,
        rotations=tissue.rotation.copy(),
        brightness=tissue.brightness * (1 + 0.75 * mitotic + 0.6 * young + 0.7 * dying),
        condensation=np.clip(mitotic + 0.7 * young + dying, 0, 1),
        seeds=tissue.seed.copy(),
    )


def settle(
    tissue: Tissue,
    pace: PhaseDurations,
    homes: PointsZYX,
    shell_um: FloatsN,
    walls: tuple[VectorZYX, VectorZYX],
    closeness: float,
    steps: int,
) -> None:
    """Let nuclei push each other apart and hold each other together, in place.

    Parameters
    ----------
    tissue : Tissue
    pace : PhaseDurations
    homes : (C, 3) float64
        Centres of the clusters.
    shell_um : (C,) float64
        Radius of the shell on which a cluster's nuclei lie, 0 for a filled cluster.
    walls : pair of (3,) float64
        Box that holds every nucleus; where a nucleus is larger than the box, its centre goes to the middle.
    closeness : float
        Distance at which neither push nor pull acts, as a share of the distance at which two ellipsoids touch.
    steps : int
    """
    shapes = _cells(tissue, pace)
    reach = np.sqrt(((shapes.rotations * shapes.semi_axes_um[:, None, :]) ** 2).sum(axis=2))
    low, high = walls
    middle = (low + high) / 2
    floor, ceiling = np.minimum(low + reach, middle), np.maximum(high - reach, middle)
    widest = shapes.semi_axes_um.max() if len(tissue) else 0.0
    for _ in range(steps):
        force = _contacts(tissue.position, shapes, 2 * widest * REACH, closeness)
        arm = tissue.position - homes[tissue.cluster]
        distance = np.maximum(np.linalg.norm(arm, axis=1, keepdims=True), 1e-6)
        force -= 0.012 * arm / distance * (distance - shell_um[tissue.cluster, None])
        tissue.position = np.clip(tissue.position + force, floor, ceiling)


def _cells(tissue: Tissue, pace: PhaseDurations) -> NucleusShapes:
    """The room that each nucleus's cell keeps: all of it while chromatin is condensed; a dividing cell is round."""
    dying, mitotic = _progress(tissue.dying, pace.dying), _progress(tissue.mitosis, pace.mitosis)
    axes = (tissue.radius * (1 - 0.38 * dying))[:, None] * tissue.stretch ** (1 - np.maximum(mitotic, dying))[:, None]
    return replace(shapes_of(tissue, pace, np.zeros(3)), semi_axes_um=axes)


def wander(tissue: Tissue, rng: np.random.Generator, motility_um: float, persistence: float, spin: float) -> None:
    """Move each nucleus on its own way and turn it a little, in place; dividing and dying nuclei hardly move."""
    calm = np.where((tissue.mitosis == INTERPHASE) & (tissue.dying == INTERPHASE), 1.0, 0.3)[:, None]
    kick = motility_um / np.sqrt(3) * rng.normal(size=tissue.position.shape)
    tissue.velocity = persistence * tissue.velocity + np.sqrt(1 - persistence**2) * kick
    tissue.position = tissue.position + calm * tissue.velocity
    tissue.rotation = turns(spin * rng.normal(size=(len(tissue), 3)) * calm) @ tissue.rotation


def turns(vectors: PointsZYX) -> RotationsN33:
    """Rotation matrices (N, 3, 3) about vectors (N, 3), by their lengths in radians (Rodrigues' formula)."""
    angle = np.linalg.norm(vectors, axis=1)
    z, y, x = (vectors / np.maximum(angle, 1e-12)[:, None]).T
    zero = np.zeros_like(z)
    cross = np.moveaxis(np.array([[zero, -x, y], [x, zero, -z], [-y, z, zero]]), -1, 0)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    rotations: RotationsN33 = np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)
    return rotations


def age(tissue: Tissue, pace: PhaseDurations, growth: float) -> RowsN:
    """Advance every phase by a frame, in place, and remove the dead.

    Parameters
    ----------
    tissue : Tissue
    pace : PhaseDurations
    growth : float
        Relative growth of the radius in interphase per frame.

    Returns
    -------
    (M,) int64
        Rows of the nuclei whose mitosis is over: they divide now.
    """
    tissue.radius = np.where(tissue.quiet(), tissue.radius * (1 + growth), tissue.radius)
    for phase in (tissue.mitosis, tissue.dying, tissue.recovering):
        phase[phase != INTERPHASE] += 1
    tissue.recovering[tissue.recovering >= pace.recovery] = INTERPHASE
    tissue.keep(tissue.dying < pace.dying)
    return np.flatnonzero(tissue.mitosis >= pace.mitosis)


def divide(tissue: Tissue, row: int, first_id: int, rng: np.random.Generator) -> None:
    """Replace one nucleus by two daughters with track ids `first_id` and `first_id` + 1, in place."""
    mother = Tissue(**{field.name: getattr(tissue, field.name)[row : row + 1] for field in fields(tissue)})
    axis = mother.rotation[0, :, 0]
    for k, side in enumerate((-1.0, 1.0)):
        daughter = Tissue(**{field.name: getattr(mother, field.name).copy() for field in fields(mother)})
        share = rng.normal(1.0, 0.03)
        daughter.position = mother.position + side * 0.62 * mother.radius * axis
        daughter.radius = mother.radius * RECOVERED_RADIUS * share
        daughter.seed = rng.integers(0, 2**31, size=1)
        daughter.track_id = np.array([first_id + k])
        daughter.mitosis = np.array([INTERPHASE])
        daughter.recovering = np.array([0])
        tissue.append(daughter)
    tissue.keep(np.arange(len(tissue)) != row)


def begin_mitosis(tissue: Tissue, row: int, rng: np.random.Generator) -> None:
    """Start mitosis of one nucleus, in place, with its axis near the plane of the slices, as in a thin layer."""
    axis = rng.normal(size=3) * [0.35, 1.0, 1.0]
    axis /= np.linalg.norm(axis)
    side = np.cross(axis, [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    tissue.rotation[row] = np.stack([axis, side, np.cross(axis, side)], axis=1)
    tissue.mitosis[row] = 0


def _progress(phase: IntsN, duration: int) -> FloatsN:
    """0 outside a phase, up to 1 in its last frame."""
    return np.clip((phase + 1) / duration, 0.0, 1.0)


def _contacts(position: PointsZYX, shapes: NucleusShapes, reach_um: float, closeness: float) -> PointsZYX:
    """Displacement (N, 3) of each nucleus by its neighbours: pushed out of overlap, gently pulled into contact."""
    force = np.zeros_like(position)
    pairs = (
        cKDTree(position).query_pairs(reach_um, output_type="ndarray") if len(position) > 1 else np.empty((0, 2), int)
    )
    if not len(pairs):
        return force
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    i, j = pairs.T
    arm = position[j] - position[i]
    distance = np.maximum(np.linalg.norm(arm, axis=1), 1e-6)
    arm /= distance[:, None]
    contact = radius_towards(shapes, i, arm) + radius_towards(shapes, j, -arm)
    excess = distance - closeness * contact
    pull = np.where(excess < 0, 0.25 * excess, np.where(distance < REACH * contact, 0.03 * excess, 0.0))
    np.add.at(force, i, pull[:, None] * arm)
    np.add.at(force, j, -pull[:, None] * arm)
    return force
