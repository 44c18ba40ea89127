"""Synthetic training images: nuclei-like blobs that overlap, with the artefacts that real images have.

After the NuSeT paper (overlapping blobs, polygons, lines, blur, noise), with texture, mixed sizes and brightness,
uneven background, fibres and debris added. Overlaps are divided like a marker watershed would: every pixel belongs to
the nucleus in which it lies deepest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.arrays import LabelsYX, PlaneF32, PlaneFloat, PointsYX, PointYX


@dataclass(frozen=True)
class SyntheticParams:
    """What the synthetic images look like; ranges are (low, high) of uniform draws."""

    size_px: int = 320
    median_diameter_px: tuple[float, float] = (18.0, 34.0)
    size_spread: tuple[float, float] = (0.05, 0.35)
    covered: tuple[float, float] = (0.02, 0.6)
    clustering: tuple[float, float] = (0.0, 0.9)
    brightness_spread: tuple[float, float] = (0.05, 0.6)
    blur_px: tuple[float, float] = (0.4, 2.5)
    photons: tuple[float, float] = (8.0, 400.0)
    artefact_chance: float = 0.35


def _positions(rng: np.random.Generator, count: int, size: int, diameter: float, clustering: float) -> PointsYX:
    """(count, 2) centres: each either free or a nucleus' width away from an earlier one."""
    centres = np.empty((count, 2))
    for i in range(count):
        if i and rng.random() < clustering:
            angle, step = rng.uniform(0, 2 * np.pi), diameter * rng.uniform(0.75, 1.2)
            centres[i] = centres[rng.integers(i)] + step * np.array([np.sin(angle), np.cos(angle)])
        else:
            centres[i] = rng.uniform(0, size, 2)
    return centres


def blob_depth(rng: np.random.Generator, radius: float, shape: tuple[int, int], centre: PointYX) -> PlaneF32:
    """(Y, X) float32: 1 in the blob's middle, 0 on its outline, negative outside; an ellipse with a wavy outline."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    angle, aspect = rng.uniform(0, np.pi), np.exp(abs(rng.normal(0, 0.22)))
    dy, dx = y - centre[0], x - centre[1]
    along = (dy * np.sin(angle) + dx * np.cos(angle)) / (radius * np.sqrt(aspect))
    across = (dx * np.sin(angle) - dy * np.cos(angle)) * np.sqrt(aspect) / radius
    theta = np.arctan2(across, along)
    wave = 1 + sum(
        rng.normal(0, 0.09 / order) * np.cos(order * theta + rng.uniform(0, 2 * np.pi)) for order in range(2, 5)
    )
    depth: PlaneF32 = (1 - np.hypot(along, across) / wave).astype(np.float32)
    return depth


def _texture(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> PlaneF32:
    """(Y, X) float32 around 1: smooth random chromatin texture with grains of about `scale` pixels."""
    grains = ndi.gaussian_filter(rng.standard_normal(shape).astype(np.float32), max(scale, 0.6))
    texture: PlaneF32 = 1 + rng.uniform(0, 0.25) * grains / (grains.std() + 1e-6)
    return texture


def _nuclei(rng: np.random.Generator, params: SyntheticParams) -> tuple[PlaneF32, LabelsYX]:
    """Image of the nuclei alone (mean brightness about 1) and their labels."""
    size, diameter = params.size_px, rng.uniform(*params.median_diameter_px)
    image, labels = np.zeros((size, size), np.float32), np.zeros((size, size), np.int32)
    depth = np.zeros((size, size), np.float32)
    spread, brightness = rng.uniform(*params.size_spread), rng.uniform(*params.brightness_spread)
    count = max(1, int(rng.uniform(*params.covered) * size**2 / (np.pi * diameter**2 / 4)))
    edge = rng.uniform(2.0, 8.0)  # how steeply a nucleus' brightness rises from its outline
    for label, centre in enumerate(_positions(rng, count, size, diameter, rng.uniform(*params.clustering)), start=1):
        radius = np.clip(diameter / 2 * np.exp(rng.normal(0, spread)), 3, 4 * diameter)
        reach = int(radius * 2) + 2
        window = tuple(slice(max(0, int(c) - reach), max(0, min(size, int(c) + reach))) for c in centre)
        shape = image[window].shape
        if 0 in shape or depth[tuple(np.clip(centre, 0, size - 1).astype(int))] > 0.4:
            continue  # outside, or hidden by a nucleus that is there already
        local = blob_depth(rng, radius, shape, centre - [w.start for w in window])
        inside = local > 0
        texture = _texture(rng, shape, radius / rng.uniform(4, 10))
        image[window] += np.clip(local * edge, 0, 1) * texture * np.exp(rng.normal(0, brightness))
        mine = inside & (local > depth[window])
        labels[window][mine] = label
        depth[window][mine] = local[mine]
    return image, labels


def add_artefacts(rng: np.random.Generator, image: PlaneFloat) -> None:
    """Draw polygons, lines, fibres, debris or a glow that are no nuclei into `image` (Y, X), in place."""
    size_y, size_x = image.shape
    y, x = np.ogrid[:size_y, :size_x]
    for _ in range(rng.integers(1, 4)):
        kind, level = rng.integers(5), rng.uniform(0.2, 1.5)
        cy, cx, angle = rng.uniform(0, size_y), rng.uniform(0, size_x), rng.uniform(0, np.pi)
        along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        across = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        if kind == 0:  # straight line
            image += level * np.exp(-0.5 * (across / rng.uniform(0.6, 2)) ** 2)
        elif kind == 1:  # curved fibre of limited length
            bend = across - rng.uniform(-40, 40) * np.sin(along / rng.uniform(20, 80))
            ends = np.abs(along) < rng.uniform(20, size_x / 2)
            image += level * ends * np.exp(-0.5 * (bend / rng.uniform(1, 3.5)) ** 2)
        elif kind == 2:  # large flat polygon
            sides = np.abs(along) + rng.uniform(0.2, 1) * np.abs(across)
            image += 0.4 * level * (sides < rng.uniform(20, 80))
        elif kind == 3:  # debris: sharp specks far smaller than nuclei
            for _ in range(rng.integers(3, 30)):
                py, px = rng.integers(size_y), rng.integers(size_x)
                image[py : py + rng.integers(1, 4), px : px + rng.integers(1, 4)] += level * rng.uniform(0.5, 2)
        else:  # out-of-focus glow
            image += level * np.exp(-0.5 * (along**2 + across**2) / rng.uniform(20, 90) ** 2)


def add_noise(rng: np.random.Generator, image: PlaneF32, photons: float, read: float) -> PlaneF32:
    """Shot noise of `photons` per unit of brightness and Gaussian read noise of `read` units: (Y, X) float32."""
    shot = rng.poisson(np.clip(image, 0, None) * photons) / photons
    return (shot + rng.normal(0, read, image.shape)).astype(np.float32)


def synthetic_image(rng: np.random.Generator, params: SyntheticParams | None = None) -> tuple[PlaneF32, LabelsYX]:
    """One synthetic image with its truth.

    Parameters
    ----------
    rng : numpy Generator
        The same state gives the same image.
    params : SyntheticParams, optional

    Returns
    -------
    image : (Y, X) float32, background near 0, nuclei near 1 and brighter
    labels : (Y, X) int32, touching nuclei without a gap
    """
    p = params or SyntheticParams()
    image, labels = _nuclei(rng, p)
    blur = rng.uniform(*p.blur_px)
    image = ndi.gaussian_filter(image, blur)
    if rng.random() < 0.5:  # glow of what lies out of focus
        image += rng.uniform(0.05, 0.4) * ndi.gaussian_filter(image, rng.uniform(6, 20))
    if rng.random() < p.artefact_chance:
        add_artefacts(rng, image)
    image += rng.uniform(0, 0.3)
    if rng.random() < 0.5:  # uneven background
        slope = rng.normal(0, 0.25, 2) / p.size_px
        y, x = np.ogrid[: p.size_px, : p.size_px]
        image += np.clip(0.15 + slope[0] * (y - p.size_px / 2) + slope[1] * (x - p.size_px / 2), 0, None)
    photons = np.exp(rng.uniform(*np.log(p.photons)))
    return add_noise(rng, image, photons, rng.uniform(0, 0.08)), labels
