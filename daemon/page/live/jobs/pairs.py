"""Looking at images and labels before they are trained on: which belong together, and a picture of one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from daemon.errors import DaemonError
from nuset_engine.arrays import Pixels
from nuset_engine.evaluation.worst_images import outlines
from nuset_engine.planes.colour import grey
from nuset_engine.training.pairs import read_image, read_pairs

_MOST_PIXELS = 64 * 10**6
_EDGE_PX = 900
_COLOUR = (0, 224, 255)


def pairs(images: Path, labels: Path) -> dict[str, Any]:
    """The names of images with labels.

    Raises
    ------
    EngineError
        With what is missing.
    """
    found = read_pairs(images, labels)
    return {"names": [name for name, _, _ in found]}


def pair_picture(images: Path, labels: Path, name: str) -> bytes:
    """One image beside the same with its nuclei outlined and filled, as PNG.

    Raises
    ------
    DaemonError, EngineError
        When there is no such pair, or it cannot be shown.
    """
    from PIL import Image

    chosen = [(image, truth) for known, image, truth in read_pairs(images, labels) if known == name]
    if not chosen:
        raise DaemonError(f"There is no image {name[:80]!r} with labels there.")
    image, truth = (_read(path) for path in chosen[0])
    plane = grey(image)
    if plane.shape != truth.shape or truth.ndim != 2:
        raise DaemonError(
            f"{name[:80]}: the image is {image.shape} and its labels are {truth.shape}: both must be planes of a size."
        )
    step = max(1, -(-max(plane.shape) // _EDGE_PX))
    plane, truth = plane[::step, ::step].astype(np.float32), truth[::step, ::step]
    times = max(1, _EDGE_PX // 2 // max(plane.shape))
    low, high = np.percentile(np.nan_to_num(plane), (1.0, 99.8))
    shown = (255 * np.clip((np.nan_to_num(plane) - low) / max(float(high - low), 1e-6), 0, 1)).astype(np.uint8)
    left = np.repeat(shown.repeat(times, 0).repeat(times, 1)[..., None], 3, axis=2)
    large = truth.repeat(times, 0).repeat(times, 1)
    right = left.copy()
    inside = large > 0
    right[inside] = (0.75 * right[inside] + 0.25 * _hues(large[inside])).astype(np.uint8)
    right[outlines(large)] = _COLOUR
    gap = np.full((left.shape[0], 8, 3), 23, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.hstack([left, gap, right])).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _hues(labels: Pixels) -> Pixels:
    """(N, 3): a colour for each label (N,), neighbouring numbers far apart."""
    turn = (labels.astype(np.float64) * 0.61803398875) % 1
    return np.stack([127 + 127 * np.cos(2 * np.pi * (turn + shift)) for shift in (0.0, 1 / 3, 2 / 3)], axis=-1)


def _read(path: Path) -> Pixels:
    """An image file, unless it is so large that this process would feel it."""
    if path.suffix.lower() == ".png":
        from PIL import Image

        with Image.open(path) as file:
            count = file.width * file.height
    else:
        import tifffile

        with tifffile.TiffFile(path) as tiff:
            count = int(np.prod(tiff.series[0].shape))
    if count > _MOST_PIXELS:
        raise DaemonError(f"{path.name} has {count / 1e6:.0f} million pixels: too many to be shown here.")
    return read_image(path)
