"""Colour images as one plane, for the network sees brightness alone.

On tissue stained with haematoxylin and eosin the plain brightness served better than the red channel and than the
haematoxylin that colour deconvolution finds (Ruifrok and Johnston 2001): purple backgrounds upset both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nuset_engine.arrays import ImageYX, PlaneF32, PlaneYX
from nuset_engine.planes.lazy import LazyPlanes


def grey(image: ImageYX) -> PlaneYX:
    """Colour images (Y, X, 3 or 4) as their brightness (Y, X) float32, others as they are."""
    if image.ndim != 3 or image.shape[-1] not in (3, 4):
        return image
    brightness: PlaneF32 = image[..., :3].mean(axis=-1, dtype=np.float32)
    return brightness


def grey_planes(colours: Sequence[Sequence[PlaneYX]]) -> LazyPlanes:
    """Return the slices of a stack in several colours, each (Y, X), as brightness (Y, X) float32."""

    def brightness(z: int) -> PlaneF32:
        mixed: PlaneF32 = np.stack([np.asarray(colour[z]) for colour in colours]).mean(axis=0, dtype=np.float32)
        return mixed

    return LazyPlanes(brightness, len(colours[0]))
