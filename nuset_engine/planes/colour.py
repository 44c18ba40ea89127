"""Colour images as one plane, for the network sees brightness alone.

On tissue stained with haematoxylin and eosin the plain brightness served better than the red channel and than the
haematoxylin that colour deconvolution finds (Ruifrok and Johnston 2001): purple backgrounds upset both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def grey(image: np.ndarray) -> np.ndarray:
    """Colour images (Y, X, 3 or 4) as their brightness (Y, X) float32, others as they are."""
    if image.ndim != 3 or image.shape[-1] not in (3, 4):
        return image
    return image[..., :3].mean(axis=-1, dtype=np.float32)


class GreyPlanes(Sequence[np.ndarray]):
    """The slices of a stack in several colours as planes of brightness, made when asked for.

    Parameters
    ----------
    colours : sequence of sequences of (Y, X)
        The slices in each colour.
    """

    def __init__(self, colours: Sequence[Sequence[np.ndarray]]) -> None:
        self._colours = colours

    def __len__(self) -> int:
        """Number of slices."""
        return len(self._colours[0])

    def __getitem__(self, z: int) -> np.ndarray:  # type: ignore[override]
        """Slice `z` (Y, X) float32."""
        return np.stack([np.asarray(colour[z]) for colour in self._colours]).mean(axis=0, dtype=np.float32)
