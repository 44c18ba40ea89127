"""Facts of images that a person gives: where files do not say them, or say them wrongly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from nuset_engine.voxels import VoxelSize
from storage.errors import StorageError

GivenSize = tuple[float, ...]
"""What people give as voxel size: z, y, x; for planes also y, x, or one number for both."""

AXES_REMEDY = "write letters of TCZYX, such as TZC or TYX"


@dataclass(frozen=True)
class GivenFacts:
    """What a person says of images; None where nothing is said.

    Attributes
    ----------
    axes : str or None
        Letters for the dimensions of TIFFs, slowest first, such as ``TYX``, or of those over its planes, such as ``T``.
    voxel_size_um : 1 to 3 numbers, or None
        Used where the file gives none.
    voxel_size_override_um : 1 to 3 numbers, or None
        Used whatever the file gives.
    frame_interval_s : float or None
        Seconds from one time point to the next, whatever the file gives.
    nuclear_channel : int, str or None
        By index or name.
    as_image : bool or None
        True: what looks like labels or a mask is an image all the same.
    """

    axes: str | None = None
    voxel_size_um: GivenSize | None = None
    voxel_size_override_um: GivenSize | None = None
    frame_interval_s: float | None = None
    nuclear_channel: int | str | None = None
    as_image: bool | None = None

    def __bool__(self) -> bool:
        """True where anything is said."""
        return any(getattr(self, one.name) is not None for one in fields(self))

    def over(self, others: GivenFacts) -> GivenFacts:
        """Return these facts, and for what they leave out, the others."""
        pairs = {one.name: (getattr(self, one.name), getattr(others, one.name)) for one in fields(self)}
        return GivenFacts(**{name: theirs if mine is None else mine for name, (mine, theirs) in pairs.items()})

    def stored(self) -> dict[str, Any]:
        """Return what is said as plain values."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def restored(cls, stored: Mapping[str, Any] | None) -> GivenFacts:
        """Return the facts that were stored; what this version does not know is left out."""
        known = {one.name for one in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in (stored or {}).items() if name in known}
        values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**values)


def checked_axes(text: str) -> str | None:
    """Return letters of T, C, Z, Y and X, each once, Y and X both or neither, in upper case; None for other texts."""
    letters = text.upper()
    unclear = set(letters) - set("TCZYX") or len(set(letters)) < len(letters) or ("Y" in letters) != ("X" in letters)
    return None if unclear or not letters else letters


def fitted(given: Sequence[float], size_z: int, known_z_um: float | None = None) -> VoxelSize:
    """Return the voxel size (z, y, x) that a person means for an image of `size_z` slices.

    One number is height and width of a pixel, two are height, then width. The z of a plane then repeats its height:
    nothing is measured along it. That of a stack is `known_z_um`.

    Raises
    ------
    StorageError
        When it is no size, or one without the distance of slices that a stack needs.
    """
    values = [float(v) for v in given]
    wrong = not 1 <= len(values) <= 3 or not all(math.isfinite(v) and v > 0 for v in values)
    z_um = values[-2:][0] if size_z == 1 and not wrong else known_z_um
    if wrong or (len(values) < 3 and z_um is None):
        raise StorageError(
            f"Voxel size {tuple(given)!r} is not three positive numbers (Z,Y,X in micrometres); "
            "for single planes, one or two (Y,X) will do."
        )
    if len(values) == 3:
        return (values[0], values[1], values[2])
    assert z_um is not None
    return (z_um, values[0], values[-1])
