"""Facts of images as people write them into the page's form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from storage.errors import WrongRequestError
from storage.given_facts import AXES_REMEDY, GivenFacts, checked_axes

FIELDS = ("axes", "voxel_um", "voxel_whatever_the_file_says", "interval_s", "channel", "as_image")


def given_facts(values: Mapping[str, Any]) -> GivenFacts:
    """What an order says of images: `FIELDS`, each empty or left out where nothing is said.

    Raises
    ------
    WrongRequestError
    """
    said = {name: str(values.get(name) or "").strip() for name in FIELDS}
    size = _numbers(said["voxel_um"], "voxel size") if said["voxel_um"] else None
    if size is not None and len(size) > 3:
        raise WrongRequestError(f"{said['voxel_um']!r} is no voxel size: write Z, Y, X in micrometres, as 2, 0.3, 0.3.")
    interval = _numbers(said["interval_s"], "interval") if said["interval_s"] else None
    if interval is not None and len(interval) != 1:
        raise WrongRequestError(f"{said['interval_s']!r} is no interval: write seconds, with a point before decimals.")
    whatever = values.get("voxel_whatever_the_file_says") is True
    channel = said["channel"]
    return GivenFacts(
        axes=_axes(said["axes"]) if said["axes"] else None,
        voxel_size_um=None if whatever else size,
        voxel_size_override_um=size if whatever else None,
        frame_interval_s=None if interval is None else interval[0],
        nuclear_channel=None if not channel else int(channel) if channel.isdecimal() and len(channel) < 9 else channel,
        as_image=True if values.get("as_image") is True else None,
    )


def _axes(text: str) -> str:
    letters = checked_axes(text)
    if letters is None:
        raise WrongRequestError(f"{text[:40]!r} is no order of axes: {AXES_REMEDY}.")
    return letters


def _numbers(text: str, what: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not all(math.isfinite(value) and value > 0 for value in values):
        raise WrongRequestError(f"{text[:40]!r} is no {what}: write positive numbers, with a point before decimals.")
    return values
