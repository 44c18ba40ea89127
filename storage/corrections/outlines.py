"""Outlines that a person draws on one slice, as the voxels of a nucleus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import MaskYX
from nuset_engine.corrections.region import NucleusRegion
from nuset_engine.voxels import VoxelSize
from storage.errors import WrongRequestError

Shape = tuple[int, int, int]
LEAST_PX = 4
"""Of what is drawn; less is a click."""


@dataclass(frozen=True)
class DrawnOutline:
    """A closed line on a slice.

    Attributes
    ----------
    z : int
    corners : tuple of (y, x)
        In pixels of the image; at least three.
    """

    z: int
    corners: tuple[tuple[float, float], ...]

    def filled(self, shape: Shape) -> MaskYX:
        """What it goes around (Y, X) in a stack of this shape.

        Raises
        ------
        WrongRequestError
            When it goes around nothing, or lies on no slice.
        """
        from skimage.draw import polygon2mask

        if not 0 <= self.z < shape[0]:
            raise WrongRequestError(f"There is no slice {self.z}: there are {shape[0]}.")
        found: MaskYX = polygon2mask(shape[1:], np.array(self.corners).reshape(-1, 2))
        if np.count_nonzero(found) < LEAST_PX:
            raise WrongRequestError("The outline goes around hardly any pixel: draw around the nucleus.")
        return found


def new_nucleus(outline: DrawnOutline, shape: Shape, spacing: VoxelSize) -> NucleusRegion:
    """A nucleus of which one slice was drawn: in the others it shrinks as a ball does whose widest slice that is."""
    from scipy import ndimage

    flat = outline.filled(shape)
    radius = float(np.sqrt(np.count_nonzero(flat) * spacing[1] * spacing[2] / np.pi))
    inside = ndimage.distance_transform_edt(np.pad(flat, 1), sampling=spacing[1:])[1:-1, 1:-1]
    reach = int(radius / spacing[0])
    low, high = max(0, outline.z - reach), min(shape[0], outline.z + reach + 1)
    away = (np.arange(low, high) - outline.z) * spacing[0]
    rims = radius - np.sqrt(np.maximum(radius**2 - away**2, 0.0))  # this much of the outline's width is off
    deepest = float(inside.max())
    sections = [flat & (inside > min(rim, deepest * rim / radius)) for rim in rims]
    found = NucleusRegion.of_mask(np.stack(sections), (low, 0, 0))
    assert found is not None  # the drawn slice is in it
    return found


def redrawn(outline: DrawnOutline, region: NucleusRegion, shape: Shape) -> NucleusRegion:
    """A nucleus of which one slice was drawn anew: the others stay."""
    flat = outline.filled(shape)
    z, y, x = region.box
    low, high = min(z.start, outline.z), max(z.stop, outline.z + 1)
    mask = np.zeros((high - low, *shape[1:]), bool)
    mask[z.start - low : z.stop - low, y, x] = region.mask
    mask[outline.z - low] = flat
    found = NucleusRegion.of_mask(mask, (low, 0, 0))
    assert found is not None  # the drawn slice is in it
    return found
