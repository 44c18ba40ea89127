"""Resolutions at which planes of about the same size have the same shape.

The int8 runtime prepares itself for each shape that it has not seen of late, which takes as long as it then takes to
read half a megapixel. What a plane is shown as depends on the plane alone, so it costs no determinism.
"""

from __future__ import annotations

from nuset_engine.planes.resample import scaled_shape

STEP_PX = 32
COARSE_STEP_PX = 64
SIDES_PX = (128, 768)  # shorter sides would be stretched by much; planes with a longer one are read in tiles


def rounded_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Height and width of a plane at about `factor` times its resolution, each the nearest multiple of `STEP_PX`.

    An eighth is the most that a side is stretched by; shapes beyond `SIDES_PX` are as `scaled_shape` gives them.
    """
    near = scaled_shape(shape, factor)
    if not SIDES_PX[0] <= min(near) <= max(near) <= SIDES_PX[1]:
        return near
    height, width = (round(n / STEP_PX) * STEP_PX for n in near)
    return height, width


def rounded_factor(shape: tuple[int, ...], factor: float) -> float:
    """The factor nearest to this one at which the longer side of a plane is a multiple of `COARSE_STEP_PX`."""
    longer = max(shape)
    if longer * factor < SIDES_PX[0]:
        return factor
    return round(longer * factor / COARSE_STEP_PX) * COARSE_STEP_PX / longer
