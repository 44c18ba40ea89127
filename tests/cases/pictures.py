"""PNG and JPEG, grey and in colour, and series of them."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np


def png(folder: Path, array: np.ndarray) -> Path:
    """Write a plane (1, C, 1, Y, X) of one channel or three."""
    path = folder / "embryo.png"
    pixels = np.ascontiguousarray(np.moveaxis(array[0, :, 0], 0, -1))
    path.write_bytes(imagecodecs.png_encode(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))
    return path


def png_series(folder: Path, array: np.ndarray) -> Path:
    """Write a plane (T, 1, 1, Y, X) for each time point."""
    for t, plane in enumerate(array[:, 0, 0]):
        (folder / f"embryo_t{t:03d}.png").write_bytes(imagecodecs.png_encode(np.ascontiguousarray(plane)))
    return folder


def png_planes(folder: Path, array: np.ndarray) -> Path:
    """Write a file for each plane."""
    for t, c, z in np.ndindex(array.shape[:3]):
        name = folder / f"embryo_t{t:02d}_z{z + 1}_ch{c}.png"
        name.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(array[t, c, z])))
    return folder / "embryo_t{t}_z{z}_ch{c}.png"


def jpeg(folder: Path, array: np.ndarray) -> Path:
    """Write a plane (1, C, 1, Y, X), as nearly as JPEG can."""
    path = folder / "embryo.jpg"
    pixels = np.ascontiguousarray(np.moveaxis(array[0, :, 0], 0, -1).astype(np.uint8))
    path.write_bytes(imagecodecs.jpeg_encode(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, level=100))
    return path
