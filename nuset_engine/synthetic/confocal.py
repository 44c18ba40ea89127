"""Slices of synthetic confocal stacks as training images: sections through nuclei, out-of-focus light, few photons."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import LabelsYX, PlaneF32
from nuset_engine.synthetic.optics import Optics
from nuset_engine.synthetic.render import render
from nuset_engine.synthetic.shapes import crowd

SHAPE = (6, 256, 256)
SMALLEST_SECTION = 0.06  # sections under this fraction of the median area are too faint for anyone to outline


def random_optics(rng: np.random.Generator) -> Optics:
    """A microscope between a good one on a bright stain and a poor one on a faint stain."""
    return Optics(
        sigma_xy_um=rng.uniform(0.15, 0.5),
        sigma_z_um=rng.uniform(0.4, 1.6),
        photons=float(np.exp(rng.uniform(np.log(5), np.log(150)))),
        background_photons=rng.uniform(0.5, 8),
        background_unevenness=rng.uniform(0, 0.8),
        haze=rng.uniform(0, 0.3),
        read_noise=rng.uniform(2, 25),
        texture=rng.uniform(0.1, 0.45),
        irregularity=rng.uniform(0.01, 0.07),
        seam_um=rng.uniform(0.15, 0.7),
    )


def confocal_slices(rng: np.random.Generator) -> list[tuple[PlaneF32, LabelsYX]]:
    """A random stack, slice by slice.

    Parameters
    ----------
    rng : numpy Generator
        The same state gives the same slices.

    Returns
    -------
    list of ((Y, X) float32, (Y, X) int32)
        Image in grey values and instance labels of each slice.
    """
    pixel_um = rng.uniform(0.25, 0.5)
    spacing = (rng.uniform(0.5, 2.5), pixel_um, pixel_um)
    diameter = rng.uniform(7, 12)
    volume_um3 = np.prod(SHAPE) * np.prod(spacing)
    filled = rng.uniform(0.03, 0.45)
    count = max(2, int(filled * volume_um3 / (np.pi / 6 * diameter**3)))
    shapes = crowd(rng, SHAPE, spacing, min(count, 220), diameter, rng.uniform(0.2, 0.9))
    image, labels = render(shapes, SHAPE, spacing, random_optics(rng), rng)
    areas = [np.bincount(plane.ravel())[1:] for plane in labels]
    seen = np.concatenate([a[a > 0] for a in areas]) if labels.any() else np.array([1])
    least = SMALLEST_SECTION * np.median(seen)
    slices: list[tuple[PlaneF32, LabelsYX]] = []
    for picture, plane in zip(image, labels, strict=True):
        kept = np.bincount(plane.ravel()) >= least
        slices.append((picture.astype(np.float32), np.where(kept[plane], plane, 0).astype(np.int32)))
    return slices
