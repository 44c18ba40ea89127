"""Shapes of synthetic nuclei: slightly irregular ellipsoids in micrometres, and the space that each one fills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FloatsN, GridF32, IntsN, Points3F32, PointsZYX, RotationsN33, VectorZYX
from nuset_engine.errors import EngineError

DENT_RATE = 0.35
"""Share of nuclei with a dent, as kidney-shaped nuclei have."""


@dataclass(frozen=True)
class NucleusShapes:
    """N nuclei of one moment, as arrays with one row per nucleus.

    Attributes
    ----------
    centres_um : (N, 3) float64
        Centres z, y, x; voxel (0, 0, 0) of a stack has its centre at the origin.
    semi_axes_um : (N, 3) float64
        Semi-axes of the ellipsoid.
    rotations : (N, 3, 3) float64
        Rotation matrices; column k is the direction (z, y, x) of semi-axis k.
    brightness : (N,) float64
        Stain of each nucleus relative to an ordinary one (1.0).
    condensation : (N,) float64
        0: interphase, textured with dark nucleoli; 1: condensed chromosomes, even and with a ragged outline.
    seeds : (N,) int64
        Decide the irregularity and the texture of each nucleus, which it keeps while it moves and turns.
    """

    centres_um: PointsZYX
    semi_axes_um: PointsZYX
    rotations: RotationsN33
    brightness: FloatsN
    condensation: FloatsN
    seeds: IntsN

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together, and axes that enclose nothing."""
        n = len(self.centres_um)
        expected = {
            "centres_um": (n, 3),
            "semi_axes_um": (n, 3),
            "rotations": (n, 3, 3),
            "brightness": (n,),
            "condensation": (n,),
            "seeds": (n,),
        }
        faults = [
            f"{name} has shape {np.shape(getattr(self, name))} instead of {shape}"
            for name, shape in expected.items()
            if np.shape(getattr(self, name)) != shape
        ]
        if not faults and n and not (np.asarray(self.semi_axes_um) > 0).all():
            faults.append("semi_axes_um has values that are not above zero")
        if faults:
            raise EngineError("Shapes of synthetic nuclei are wrong: " + "; ".join(faults) + ".")

    def __len__(self) -> int:
        """Number of nuclei."""
        return len(self.centres_um)


def random_rotations(rng: np.random.Generator, count: int) -> RotationsN33:
    """Uniformly distributed rotation matrices.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : int

    Returns
    -------
    (count, 3, 3) float64
    """
    w, x, y, z = np.moveaxis(_unit(rng.normal(size=(count, 4))), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def radius_towards(shapes: NucleusShapes, index: IntsN, directions: PointsZYX) -> FloatsN:
    """Distance from the centre to the surface of each ellipsoid, along a direction.

    Parameters
    ----------
    shapes : NucleusShapes
    index : (M,) int
        The nucleus of each row.
    directions : (M, 3) float64
        Unit vectors z, y, x.

    Returns
    -------
    (M,) float64
        Micrometres; for a point p on an ellipsoid with axes a: |R^T p / a| = 1.
    """
    local = np.einsum("mji,mj->mi", shapes.rotations[index], directions)
    radius: FloatsN = 1.0 / np.maximum(np.linalg.norm(local / shapes.semi_axes_um[index], axis=1), 1e-9)
    return radius


@dataclass(frozen=True)
class Outline:
    """The irregularity of one nucleus: how far its surface lies from the ellipsoid, by direction."""

    lobes: PointsZYX
    """(L, 3) unit vectors in the nucleus's own axes."""
    heights: FloatsN
    """(L,) relative height of the bump (or hollow) around each lobe and opposite to it."""
    dent: VectorZYX
    """(3,) unit vector towards the dent."""
    dent_depth: float
    """Relative depth of the dent, 0 for none."""

    @classmethod
    def random(cls, rng: np.random.Generator, irregularity: float, dent_rate: float = DENT_RATE) -> Outline:
        """Draw an outline; `irregularity` is the typical relative height of its bumps."""
        lobes = _unit(rng.normal(size=(5, 3)))
        heights = rng.normal(0.0, irregularity, size=5)
        dent = _unit(rng.normal(size=3))
        dented, depth = rng.random() < dent_rate, rng.uniform(1.5, 4.0) * irregularity
        return cls(lobes, heights, dent, float(depth) if dented else 0.0)

    @property
    def farthest(self) -> float:
        """The largest relative radius that the bumps can add up to."""
        return 1.0 + float(np.abs(self.heights).sum())

    def relative_radius(self, u: Points3F32, r: GridF32) -> GridF32:
        """Surface distance over the ellipsoid's, towards each point.

        Parameters
        ----------
        u : (3, ...) float32
            Points in the nucleus's own axes, each divided by its semi-axis.
        r : (...) float32
            Their lengths.

        Returns
        -------
        (...) float32
            Around 1; Legendre polynomial P3 about each lobe, and a smooth hollow at the dent.
        """
        inverse = 1.0 / np.maximum(r, np.float32(1e-3))
        radius = np.ones_like(r)
        for lobe, height in zip(self.lobes.astype(np.float32), self.heights.astype(np.float32), strict=True):
            c = np.tensordot(lobe, u, axes=1) * inverse
            radius += height * (np.float32(2.5) * c * c - np.float32(1.5)) * c
        if self.dent_depth:
            c = np.tensordot(self.dent.astype(np.float32), u, axes=1) * inverse
            radius -= np.float32(self.dent_depth) * np.exp((c - 1) * np.float32(6.0))
        return np.maximum(radius, np.float32(0.5))


def crowd(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    voxel_size_um: tuple[float, float, float],
    count: int,
    diameter_um: float = 10.0,
    clustering: float = 0.6,
) -> NucleusShapes:
    """Nuclei scattered over a stack without regard to time, many of them in contact.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        Z, Y, X of the stack in voxels.
    voxel_size_um : tuple of float
        z, y, x.
    count : int
        Nuclei to place; fewer come back where no room is left.
    diameter_um : float
        Typical diameter.
    clustering : float
        Share of nuclei that are placed in contact with an earlier one (0..1).

    Returns
    -------
    NucleusShapes
    """
    radii = diameter_um / 2 * np.exp(rng.normal(0.0, 0.13, size=count))
    centres = _place(rng, np.asarray(shape) * np.asarray(voxel_size_um), radii, clustering)
    n = len(centres)
    stretch = np.exp(rng.normal(0.0, 0.16, size=(n, 3)))
    stretch /= np.cbrt(stretch.prod(axis=1, keepdims=True))
    condensed = rng.random(n) < 0.04
    return NucleusShapes(
        centres_um=centres,
        semi_axes_um=radii[:n, None] * stretch * np.where(condensed[:, None], [0.45, 1.0, 0.9], 1.0),
        rotations=random_rotations(rng, n),
        brightness=np.exp(rng.normal(0.0, 0.28, size=n)) * np.where(condensed, 1.7, 1.0),
        condensation=condensed.astype(float),
        seeds=rng.integers(0, 2**31, size=n),
    )


def _place(rng: np.random.Generator, field_um: VectorZYX, radii: FloatsN, clustering: float) -> PointsZYX:
    """Centres (M, 3), M <= N, no two closer than 0.85 of the sum of their radii, drawn until one finds no room."""
    centres = np.empty((0, 3))
    for radius in radii:
        for _ in range(40):
            if len(centres) and rng.random() < clustering:
                partner = rng.integers(len(centres))
                distance = (radius + radii[partner]) * rng.uniform(0.86, 1.0)
                candidate = centres[partner] + distance * _unit(rng.normal(size=3))
            else:
                candidate = rng.uniform(0.0, 1.0, size=3) * field_um
            if (candidate < 0).any() or (candidate > field_um).any():
                continue
            gaps = np.linalg.norm(centres - candidate, axis=1) - 0.85 * (radii[: len(centres)] + radius)
            if (gaps >= 0).all():
                centres = np.vstack([centres, candidate])
                break
        else:
            return centres
    return centres


def _unit(vectors: PointsZYX) -> PointsZYX:
    """Vectors (..., 3) scaled to length 1."""
    unit: PointsZYX = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return unit
