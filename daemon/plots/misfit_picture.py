"""A picture of a correction that does not fit: outlines of what was meant and of what is there, plane by plane."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from nuset_engine.arrays import LabelsYX, MaskYX, PictureYX3, PlaneYX
from nuset_engine.evaluation.worst_images import WorstImages

Panel = tuple[PlaneYX, MaskYX, LabelsYX]
"""Image, where that was what was meant, and the labels that are there."""
_GAP_PX = 6


def misfit_picture(panels: Sequence[Panel]) -> bytes:
    """Return a PNG with panels beside each other: cyan is what was meant, orange what is there."""
    from PIL import Image

    drawn = [_drawn(*panel) for panel in panels]
    height = max(one.shape[0] for one in drawn)
    whole = np.full((height, sum(one.shape[1] + _GAP_PX for one in drawn) - _GAP_PX, 3), 255, np.uint8)
    x = 0
    for one in drawn:
        whole[: one.shape[0], x : x + one.shape[1]] = one
        x += one.shape[1] + _GAP_PX
    file = io.BytesIO()
    Image.fromarray(whole).save(file, format="PNG")
    return file.getvalue()


def _drawn(image: PlaneYX, meant: MaskYX, present: LabelsYX) -> PictureYX3:
    from PIL import Image

    sheet = WorstImages(1)
    sheet.offer("", image, meant.astype(np.int32), present, 0.0)
    ((_, _, png),) = sheet.pictures()
    picture: PictureYX3 = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    return picture
