"""Synthetic confocal stacks with known truth: nuclei in micrometres in, image and label image out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nuset_engine.arrays import LabelsZYX, Points3F32, Rotation33, ScoresN, StackF32, StackF64, StackU16, VectorZYX
from nuset_engine.errors import EngineError
from nuset_engine.synthetic.optics import MissedSlice, Optics, expose
from nuset_engine.synthetic.shapes import NucleusShapes, Outline

TEXTURE_EDGE = 64
TEXTURE_VOXEL_UM = 0.22
"""The chromatin pattern repeats after 14 um, which is more than a nucleus."""


def render(
    shapes: NucleusShapes,
    shape: tuple[int, int, int],
    voxel_size_um: tuple[float, float, float],
    optics: Optics | None = None,
    rng: np.random.Generator | int = 0,
    *,
    time_point: int = 0,
    missed: Sequence[MissedSlice] = (),
) -> tuple[StackU16, LabelsZYX]:
    """Render nuclei as a confocal microscope would show them.

    Parameters
    ----------
    shapes : NucleusShapes
        The nuclei, N of them.
    shape : tuple of int
        Z, Y, X of the stack in voxels; (1, Y, X) for a single plane.
    voxel_size_um : tuple of float
        z, y, x.
    optics : Optics, optional
        The microscope and the stain.
    rng : numpy.random.Generator or int
        Noise and background; the same seed gives the same bytes.
    time_point : int
        Number of frames of bleaching.
    missed : sequence of MissedSlice
        Slices that come out black or shifted; the labels are not touched by it.

    Returns
    -------
    image : (Z, Y, X) uint16
    labels : (Z, Y, X) uint16
        0 background; nucleus i of `shapes` has label i + 1. A voxel inside several nuclei belongs to the one in which
        it is deepest, so touching nuclei touch and none overlap.

    Raises
    ------
    EngineError
        If the shape is not three positive numbers, the voxel size is not positive, or there are more than 65535 nuclei.
    """
    _check(shapes, shape, voxel_size_um)
    optics = optics or Optics()
    canvas = _Canvas.blank(shape)
    for index in range(len(shapes)):
        _paint(canvas, shapes, index, voxel_size_um, optics)
    stain = canvas.stain * np.clip(0.5 + canvas.depth / np.float32(voxel_size_um[2]), 0, 1)
    if optics.seam_um > 0:
        # Both nuclei end half a seam before the surface on which they are equally deep.
        stain *= np.clip((canvas.depth - canvas.second) / np.float32(optics.seam_um), 0.25, 1)
    labels = np.where(canvas.depth > 0, canvas.owner, 0).astype(np.uint16)
    return expose(stain, voxel_size_um, optics, np.random.default_rng(rng), time_point, missed), labels


@dataclass
class _Canvas:
    """The stack while nuclei are painted: per voxel the deepest nucleus, its depth, the next depth, its stain."""

    owner: LabelsZYX
    depth: StackF32
    second: StackF32
    stain: StackF32

    @classmethod
    def blank(cls, shape: tuple[int, int, int]) -> _Canvas:
        """A canvas (Z, Y, X) without nuclei."""
        far = np.full(shape, -1e3, dtype=np.float32)
        return cls(np.zeros(shape, dtype=np.int32), far, far.copy(), np.zeros(shape, dtype=np.float32))


def _check(shapes: NucleusShapes, shape: tuple[int, int, int], voxel_size_um: tuple[float, float, float]) -> None:
    """Refuse what cannot be rendered."""
    if len(shape) != 3 or min(shape) < 1:
        raise EngineError(f"Cannot render a stack of shape {shape}: give Z, Y, X as three numbers of at least 1.")
    if len(voxel_size_um) != 3 or min(voxel_size_um) <= 0:
        raise EngineError(f"Voxel size {voxel_size_um} is not three lengths above zero: give z, y, x in micrometres.")
    if len(shapes) > 65535:
        raise EngineError(f"{len(shapes)} nuclei do not fit into uint16 labels: render at most 65535 into one stack.")


def _paint(
    canvas: _Canvas,
    shapes: NucleusShapes,
    index: int,
    voxel_size_um: tuple[float, float, float],
    optics: Optics,
) -> None:
    """Paint one nucleus where it is deeper than those before it."""
    centre, axes, rotation = shapes.centres_um[index], shapes.semi_axes_um[index], shapes.rotations[index]
    rng = np.random.default_rng([int(shapes.seeds[index]), 1])
    condensation = float(shapes.condensation[index])
    outline = Outline.random(rng, optics.irregularity * (1 + 0.8 * condensation))
    box = _bounding_box(centre, axes, rotation, outline.farthest, canvas.owner.shape, voxel_size_um)
    if box is None:
        return
    u = _own_coordinates(box, centre, axes, rotation, voxel_size_um)
    r = np.sqrt((u * u).sum(axis=0))
    size_um = np.float32(np.cbrt(axes.prod()))
    depth = (outline.relative_radius(u, r) - r) * size_um

    # Slices of the canvas are views: every assignment below writes into the stack.
    owner, deepest, second, stain = (a[box] for a in (canvas.owner, canvas.depth, canvas.second, canvas.stain))
    wins = depth > deepest
    np.maximum(second, np.where(wins, deepest, depth), out=second)
    owner[wins] = index + 1
    deepest[wins] = depth[wins]
    visible = wins & (depth > -voxel_size_um[2])
    points = u[:, visible] * (axes[:, None] / size_um).astype(np.float32)
    stain[visible] = shapes.brightness[index] * _chromatin(points, size_um, rng, optics.texture, condensation)


def _bounding_box(
    centre: VectorZYX,
    axes: VectorZYX,
    rotation: Rotation33,
    stretch: float,
    shape: tuple[int, ...],
    voxel_size_um: tuple[float, float, float],
) -> tuple[slice, slice, slice] | None:
    """The stack's part within `stretch` times an ellipsoid, or None. Its half extent along k is |(R diag(a))_k|."""
    reach = np.linalg.norm(rotation * axes, axis=1) * stretch + np.asarray(voxel_size_um)
    low = np.maximum(np.ceil((centre - reach) / voxel_size_um).astype(int), 0)
    high = np.minimum(np.floor((centre + reach) / voxel_size_um).astype(int) + 1, shape)
    if (low >= high).any():
        return None
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x


def _own_coordinates(
    box: tuple[slice, slice, slice],
    centre: VectorZYX,
    axes: VectorZYX,
    rotation: Rotation33,
    voxel_size_um: tuple[float, float, float],
) -> Points3F32:
    """Voxel positions along the nucleus's own axes, each over its semi-axis: (3, z, y, x) float32."""
    grid = [
        (np.arange(s.start, s.stop) * size - c).astype(np.float32)
        for s, size, c in zip(box, voxel_size_um, centre, strict=True)
    ]
    to_own = (rotation / axes).astype(np.float32)
    return np.stack(
        [
            grid[0][:, None, None] * to_own[0, k] + grid[1][:, None] * to_own[1, k] + grid[2] * to_own[2, k]
            for k in range(3)
        ]
    )


def _chromatin(
    points: Points3F32, size_um: np.float32, rng: np.random.Generator, contrast: float, condensation: float
) -> ScoresN:
    """Stain at points of one nucleus.

    Parameters
    ----------
    points : (3, P) float32
        Along the nucleus's own axes, in units of its radius, so that the pattern grows with the nucleus.
    size_um : float
        Its radius.
    rng : numpy.random.Generator
        The nucleus's own; places the pattern and the nucleoli.
    contrast, condensation : float

    Returns
    -------
    (P,) float32
        Around 1 in interphase.
    """
    start = rng.integers(0, TEXTURE_EDGE, size=3)
    cells = (points * np.float32(size_um / TEXTURE_VOXEL_UM)).astype(np.int32) + start[:, None].astype(np.int32)
    z, y, x = cells & (TEXTURE_EDGE - 1)
    stain = 1.0 + np.float32(contrast * (1 - 0.6 * condensation)) * _texture()[z, y, x]
    for _ in range(rng.integers(1, 4)):
        spot = (rng.normal(size=3) * 0.3).astype(np.float32)[:, None]
        width, depth = rng.uniform(0.12, 0.22), rng.uniform(0.25, 0.55) * (1 - condensation)
        distance2 = ((points - spot) ** 2).sum(axis=0)
        stain *= 1 - np.float32(depth) * np.exp(-distance2 / np.float32(2 * width**2))
    bounded: ScoresN = np.maximum(stain, np.float32(0.1))
    return bounded


@lru_cache(maxsize=1)
def _texture() -> StackF32:
    """A periodic cube of band-passed noise, mean 0 and deviation 1, with bright specks as heterochromatin has."""
    noise = np.random.default_rng(20).normal(size=(TEXTURE_EDGE,) * 3)
    k = np.fft.fftfreq(TEXTURE_EDGE, d=TEXTURE_VOXEL_UM)
    frequency2 = k[:, None, None] ** 2 + k[None, :, None] ** 2 + k[None, None, :] ** 2
    spectrum = np.fft.fftn(noise)

    def scale(size_um: float) -> StackF64:
        band = np.exp(-frequency2 * (2 * np.pi * size_um) ** 2 / 2) * np.sqrt(frequency2)
        field = np.fft.ifftn(spectrum * band).real
        level: StackF64 = field / field.std()
        return level

    coarse, fine = scale(1.1), scale(0.4)
    field = 0.7 * coarse + 0.5 * fine + 0.8 * np.maximum(fine - 1.3, 0)
    texture: StackF32 = ((field - field.mean()) / field.std()).astype(np.float32)
    return texture
