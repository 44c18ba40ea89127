"""Nuclei drawn from points: one that was missed, from its image; several out of one, by a watershed between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nuset_engine.arrays import LabelsZYX, MaskZYX, StackZYX, VectorZYX
from nuset_engine.measure import PlaneSequence
from nuset_engine.voxels import VoxelSize

BLUR = 0.06  # of the usual diameter
REACH = 0.8  # of the usual diameter: farther from its seed no nucleus goes
LEAST_BALL = 0.03  # of a ball of the usual diameter: less is no outline
LEAST_PART = 0.25  # of what lies nearest to a seed: where a watershed leaves it less, there is no neck to divide along
VoxelIndex = tuple[int, int, int]


def divide(mask: MaskZYX, seeds: Sequence[VoxelIndex], spacing: VoxelSize) -> LabelsZYX:
    """Divide a nucleus between seeds: the watershed of the distance to its own border, flooded from them.

    Where the nucleus has no neck between them, that would leave one of them nearly nothing; then every voxel goes to
    the seed that it is nearest to.

    Parameters
    ----------
    mask : (Z, Y, X) bool
    seeds : sequence of (z, y, x)
        Different voxels of the mask.
    spacing : (z, y, x)
        Of the voxels, in any unit of length.

    Returns
    -------
    (Z, Y, X) int32
        1 for what belongs to the first seed, and so on; 0 outside.
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    padded = np.pad(mask, 1)
    height = ndimage.distance_transform_edt(padded, sampling=spacing)
    markers = np.zeros(padded.shape, np.int32)
    for number, (z, y, x) in enumerate(seeds, start=1):
        markers[z + 1, y + 1, x + 1] = number
    parts: LabelsZYX = watershed(-height, markers, mask=padded)[1:-1, 1:-1, 1:-1]
    near = _nearest(mask, seeds, spacing)
    sizes, shares = (np.bincount(one.ravel(), minlength=len(seeds) + 1)[1:] for one in (parts, near))
    return near if (sizes < LEAST_PART * shares).any() else parts


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

    pixel = np.array(spacing)
    offset = [np.arange(n) - at for n, at in zip(image.shape, seed, strict=True)]
    z, y, x = (axis * p for axis, p in zip(offset, pixel, strict=True))
    distance = np.sqrt(z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2)
    smooth = ndimage.gaussian_filter(image.astype(np.float32), _sigma(diameter, pixel, image.shape))
    outside = smooth[free & (distance > 0.5 * diameter)]
    inside = smooth[free & (distance <= 0.2 * diameter)]
    background = float(np.percentile(outside, 25)) if outside.size else float(smooth.min())
    peak = float(max(np.median(inside), smooth[seed]))
    bright = (smooth > (peak + background) / 2) & free & (distance <= REACH * diameter)
    bright[seed] = True
    pieces, _ = ndimage.label(bright)
    found: MaskZYX = pieces == pieces[seed]
    found = np.stack([ndimage.binary_fill_holes(plane) for plane in found]) & free
    flat = image.shape[0] == 1
    ball = np.pi / 4 * diameter**2 / pixel[1:].prod() if flat else np.pi / 6 * diameter**3 / pixel.prod()
    return found if np.count_nonzero(found) >= LEAST_BALL * ball and peak > background else None


def _sigma(diameter: float, pixel: VectorZYX, shape: tuple[int, ...]) -> VectorZYX:
    sigma: VectorZYX = BLUR * diameter / pixel
    if shape[0] == 1:
        sigma[0] = 0.0
    return sigma
