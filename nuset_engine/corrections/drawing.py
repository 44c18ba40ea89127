"""Nuclei drawn from points: one that was missed, from its image; several out of one, by a watershed between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nuset_engine.arrays import LabelsZYX, MaskZYX, Pixels, StackF32, StackZYX, VectorZYX
from nuset_engine.measure import PlaneSequence
from nuset_engine.voxels import VoxelSize

if TYPE_CHECKING:
    from nuset_engine.inference.landscape import Landscape

BLUR = 0.06  # of the usual diameter
REACH = 0.8  # of the usual diameter: farther from its seed no nucleus goes
LEAST_BALL = 0.03  # of a ball of the usual diameter: less is no outline
LEAST_PART = 0.25  # of what lies nearest to a seed: where a watershed leaves it less, there is no neck to divide along
CLEARLY = 2.0  # of the usual spread of the surroundings: a seed that is brighter by less stands out of nothing
SEEN = 0.25  # of the usual diameter: a seed that lies so far beside what the network sees still means it
VoxelIndex = tuple[int, int, int]


def divide(
    mask: MaskZYX, seeds: Sequence[VoxelIndex], spacing: VoxelSize, ridge: StackF32 | None = None
) -> tuple[LabelsZYX, bool]:
    """Divide a nucleus between seeds: the watershed of the distance to its own border, flooded from them.

    The distance is the one that the network predicts, where that is given; else, or where it leaves one of them nearly
    nothing, the one that its outline shows. Where that has no neck between them either, every voxel goes to the seed
    that it is nearest to. What has a single plane has its border in it: nothing is known of above and below.

    Parameters
    ----------
    mask : (Z, Y, X) bool
    seeds : sequence of (z, y, x)
        Different voxels of the mask.
    spacing : (z, y, x)
        Of the voxels, in any unit of length.
    ridge : (Z, Y, X) float32, optional
        The distance that the network predicts.

    Returns
    -------
    parts : (Z, Y, X) int32
        1 for what belongs to the first seed, and so on; 0 outside.
    by_network : bool
        Whether `ridge` divided it.
    """
    near = _nearest(mask, seeds, spacing)
    if ridge is not None:
        parts = _flooded(np.pad(mask, 1), seeds, np.pad(ridge, 1))
        if _are_fair(parts, near, len(seeds)):
            return parts, True
    padded = np.pad(mask, 1)
    parts = _flooded(padded, seeds, np.pad(depth(mask, spacing), 1))
    return (parts if _are_fair(parts, near, len(seeds)) else near), False


def depth(mask: MaskZYX, spacing: VoxelSize) -> Pixels:
    """Distance of every voxel of a nucleus to its border; of one that has a single plane to the border in that."""
    from scipy import ndimage

    flat = len(mask) == 1
    around = np.pad(mask, ((0 if flat else 1,) * 2, (1, 1), (1, 1)))
    found: Pixels = ndimage.distance_transform_edt(around, sampling=spacing)
    return found[:, 1:-1, 1:-1] if flat else found[1:-1, 1:-1, 1:-1]


def _flooded(padded: MaskZYX, seeds: Sequence[VoxelIndex], height: Pixels) -> LabelsZYX:
    from skimage.segmentation import watershed

    markers = np.zeros(padded.shape, np.int32)
    for number, (z, y, x) in enumerate(seeds, start=1):
        markers[z + 1, y + 1, x + 1] = number
    parts: LabelsZYX = watershed(-height, markers, mask=padded)[1:-1, 1:-1, 1:-1]
    return parts


def _are_fair(parts: LabelsZYX, near: LabelsZYX, count: int) -> bool:
    """Say whether each seed has a fair part of what lies nearest to it."""
    sizes, shares = (np.bincount(one.ravel(), minlength=count + 1)[1:] for one in (parts, near))
    return not (sizes < LEAST_PART * shares).any()


def _nearest(mask: MaskZYX, seeds: Sequence[VoxelIndex], spacing: VoxelSize) -> LabelsZYX:
    """Number the voxels of a mask by the seed that is nearest."""
    where = np.argwhere(mask)
    apart = [np.linalg.norm((where - np.array(seed)) * np.array(spacing), axis=1) for seed in seeds]
    found = np.zeros(mask.shape, np.int32)
    found[mask] = np.argmin(apart, axis=0) + 1
    return found


def nearest_voxel(mask: MaskZYX, point: VoxelIndex, spacing: VoxelSize) -> tuple[VoxelIndex, float]:
    """Return the voxel of a mask that is nearest to a point, and how far it is."""
    where = np.argwhere(mask)
    distance = np.linalg.norm((where - np.array(point)) * np.array(spacing), axis=1)
    best = int(np.argmin(distance))
    z, y, x = (int(at) for at in where[best])
    return (z, y, x), float(distance[best])


def around(shape: tuple[int, ...], seed: VoxelIndex, diameter: float, spacing: VoxelSize) -> tuple[slice, slice, slice]:
    """Return the box in which a nucleus around a seed has room, with some background."""
    reach = np.ceil(1.25 * diameter / np.array(spacing)).astype(int)
    z, y, x = (slice(max(0, at - r), min(n, at + r + 1)) for at, r, n in zip(seed, reach.tolist(), shape, strict=True))
    return z, y, x


def crop(planes: PlaneSequence, box: tuple[slice, slice, slice]) -> StackZYX:
    """Return a part of a stack whose planes are read one by one."""
    return np.stack([np.asarray(planes[z])[box[1:]] for z in range(box[0].start, box[0].stop)])


def draw(image: StackZYX, free: MaskZYX, seed: VoxelIndex, diameter: float, spacing: VoxelSize) -> MaskZYX | None:
    """Draw the nucleus around a seed: what is brighter than between it and its surroundings, and hangs together.

    Parameters
    ----------
    image : (Z, Y, X)
        Grey values around it.
    free : (Z, Y, X) bool
        Where no other nucleus is.
    seed : (z, y, x)
        A free voxel.
    diameter : float
        Usual diameter of nuclei, in the unit of `spacing`.

    Returns
    -------
    (Z, Y, X) bool, or None where nothing stands out.
    """
    from scipy import ndimage

    distance = _distances(image.shape, seed, spacing)
    smooth = _smoothed(image, diameter, spacing)
    outside, inside = _surroundings_and_core(smooth, free, distance, diameter)
    background = float(np.percentile(outside, 25)) if outside.size else float(smooth.min())
    peak = float(max(np.median(inside), smooth[seed]))
    bright = (smooth > (peak + background) / 2) & free & (distance <= REACH * diameter)
    bright[seed] = True
    pieces, _ = ndimage.label(bright)
    found: MaskZYX = pieces == pieces[seed]
    found = np.stack([ndimage.binary_fill_holes(plane) for plane in found]) & free
    ball = _ball(image.shape, diameter, spacing)
    return found if np.count_nonzero(found) >= LEAST_BALL * ball and peak > background else None


def stands_out(image: StackZYX, free: MaskZYX, seed: VoxelIndex, diameter: float, spacing: VoxelSize) -> bool:
    """Say whether it is clearly brighter around a seed than around that: no noise alone is. As for `draw`."""
    smooth = _smoothed(image, diameter, spacing)
    outside, inside = _surroundings_and_core(smooth, free, _distances(image.shape, seed, spacing), diameter)
    if not outside.size:
        return True  # nothing to compare it with
    usual = float(np.median(outside))
    spread = 1.4826 * float(np.median(np.abs(outside - usual)))
    return float(np.median(inside)) > usual + CLEARLY * spread


def _smoothed(image: StackZYX, diameter: float, spacing: VoxelSize) -> StackF32:
    from scipy import ndimage

    found: StackF32 = ndimage.gaussian_filter(
        image.astype(np.float32), _sigma(diameter, np.array(spacing), image.shape)
    )
    return found


def _surroundings_and_core(
    smooth: StackF32, free: MaskZYX, distance: StackF32, diameter: float
) -> tuple[Pixels, Pixels]:
    """The values around a nucleus that a seed would have, and those in the middle of it."""
    return smooth[free & (distance > 0.5 * diameter)], smooth[free & (distance <= 0.2 * diameter)]


def draw_seen(seen: Landscape, free: MaskZYX, seed: VoxelIndex, diameter: float, spacing: VoxelSize) -> MaskZYX | None:
    """Draw the nucleus around a seed that the network sees: its foreground, divided from other nuclei that it sees.

    Parameters
    ----------
    seen : Landscape
        Around it.
    free : (Z, Y, X) bool
        Where no other nucleus is.

    Returns
    -------
    (Z, Y, X) bool, or None where the network sees nothing.
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    from nuset_engine.inference.watershed import CORE

    inside = (seen.foreground > seen.threshold) & free & (_distances(free.shape, seed, spacing) <= REACH * diameter)
    if not inside.any():
        return None
    start, apart = nearest_voxel(inside, seed, spacing)
    if apart > SEEN * diameter:
        return None
    markers, _ = ndimage.label((seen.ridge > CORE) & inside)
    own = markers[start]
    markers = np.where(markers == own, 0, markers + 1) if own else np.where(markers, markers + 1, 0)
    markers[start] = 1
    found: MaskZYX = watershed(-seen.ridge, markers, mask=inside) == 1
    return found if np.count_nonzero(found) >= LEAST_BALL * _ball(free.shape, diameter, spacing) else None


def _distances(shape: tuple[int, ...], seed: VoxelIndex, spacing: VoxelSize) -> StackF32:
    """Distance of every voxel to a seed."""
    z, y, x = ((np.arange(n) - at) * p for n, at, p in zip(shape, seed, spacing, strict=True))
    squares: StackF32 = (z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2).astype(np.float32)
    found: StackF32 = np.sqrt(squares)
    return found


def _ball(shape: tuple[int, ...], diameter: float, spacing: VoxelSize) -> float:
    """Voxels of a ball of the usual diameter; of a disc in a single plane."""
    pixel = np.array(spacing)
    flat = shape[0] == 1
    return float(np.pi / 4 * diameter**2 / pixel[1:].prod() if flat else np.pi / 6 * diameter**3 / pixel.prod())


def _sigma(diameter: float, pixel: VectorZYX, shape: tuple[int, ...]) -> VectorZYX:
    sigma: VectorZYX = BLUR * diameter / pixel
    if shape[0] == 1:
        sigma[0] = 0.0
    return sigma
