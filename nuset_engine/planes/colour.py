"""Colour images as one plane, for the network sees brightness alone.

On tissue stained with haematoxylin and eosin the plain brightness served better than the red channel and than the
haematoxylin that colour deconvolution finds (Ruifrok and Johnston 2001): purple backgrounds upset both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nuset_engine.arrays import ImageYX, PlaneF32, PlaneYX


def grey(image: ImageYX) -> PlaneYX:
    """Colour images (Y, X, 3 or 4) as their brightness (Y, X) float32, others as they are."""
    if image.ndim != 3 or image.shape[-1] not in (3, 4):
        return image
    brightness: PlaneF32 = image[..., :3].mean(axis=-1, dtype=np.float32)
    return brightness


class GreyPlanes(Sequence[PlaneF32]):
    """The slices of a stack in several colours as planes of brightness, made when asked for.

    Parameters
    ----------
    colours : sequence of sequences of (Y, X)
        The slices in each colour.
    """

    def __init__(self, colours: Sequence[Sequence[PlaneYX]]) -> None:
        self._colours = colours

    def __len__(self) -> int:
        """Number of slices."""
        return len(self._colours[0])

    def __getitem__(self, z: int) -> PlaneF32:  # type: ignore[override]
        """Slice `z` (Y, X) float32."""
        colours = np.stack([np.asarray(colour[z]) for colour in self._colours])
        brightness: PlaneF32 = colours.mean(axis=0, dtype=np.float32)
        return brightness
