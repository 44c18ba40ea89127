"""What a person says of nuclei and links, in time points as they are written and micrometres: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from nuset_engine.arrays import Mask
from storage.corrections.outlines import DrawnOutline

PlaceUm = tuple[float, float, float]
"""(z, y, x) in micrometres; in voxels where their size is not known."""


@dataclass(frozen=True)
class PersonsWord:
    """What a person says.

    Attributes
    ----------
    kind : str
        One of `storage.database.corrections.events.KINDS`.
    source_t : int
        The time point as people write it.
    labels : tuple of int
        Nuclei of that time point.
    to : tuple of int
        Nuclei of the later one: where a link goes, or two daughters.
    source_to_t : int or None
        That later one; None: the next one.
    points : tuple of (z, y, x)
        Places.
    mask : (Z, Y, X) array or None
        What was drawn is not 0.
    outline : DrawnOutline or None
        What was drawn on one slice, in place of a mask.
    """

    kind: str
    source_t: int
    labels: tuple[int, ...] = ()
    to: tuple[int, ...] = ()
    source_to_t: int | None = None
    points: tuple[PlaceUm, ...] = ()
    mask: Mask | None = None
    outline: DrawnOutline | None = None


COUNTS = {
    "merge": (None, 0),
    "split": (1, 0),
    "delete": (1, 0),
    "add": (0, 0),
    "redraw": (1, 0),
    "confirm": (1, 0),
    "link": (1, 1),
    "unlink": (1, 1),
    "divide": (1, 2),
    "undivide": (1, 0),
    "end": (1, 0),
}
"""How many nuclei of the time point and of the later one each kind names; None: two or more."""
