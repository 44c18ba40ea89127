"""What a person says of nuclei and links, in time points as they are written and micrometres: plain values."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nuset_engine.arrays import Mask
from storage.corrections.outlines import DrawnOutline
from storage.errors import WrongRequestError

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


def well_formed(word: PersonsWord) -> PersonsWord:
    """Return what a person says in plain numbers, whoever counted them: those of arrays and tables are others.

    Raises
    ------
    WrongRequestError
        When numbers are no whole ones, places no places, or what was drawn is no mask.
    """
    return replace(
        word,
        source_t=whole(word.source_t, "a time point"),
        labels=_wholes(word.labels),
        to=_wholes(word.to),
        source_to_t=None if word.source_to_t is None else whole(word.source_to_t, "a time point"),
        points=tuple(_place(point) for point in word.points),
        mask=None if word.mask is None else _mask(word.mask),
    )


def whole(value: object, what: str) -> int:
    """Return a whole number as Python's own.

    Raises
    ------
    WrongRequestError
        When it is none.
    """
    try:
        return operator.index(value)  # type: ignore[arg-type]  # what cannot be is caught
    except TypeError:
        raise WrongRequestError(f"{str(value)[:40]!r} is not the number of {what}: give a whole number.") from None


def several(given: Iterable[Any], what: str) -> tuple[Any, ...]:
    """Return what a list holds.

    Raises
    ------
    WrongRequestError
        When it is no list.
    """
    try:
        return tuple(given)
    except TypeError:
        raise WrongRequestError(f"{str(given)[:40]} is no list: give the {what} as [one, another].") from None


def _wholes(values: Iterable[object]) -> tuple[int, ...]:
    return tuple(whole(value, "a nucleus") for value in values)


def _place(point: Any) -> PlaceUm:  # noqa: ANN401 - whatever a person gives
    try:
        z, y, x = (float(at) for at in point)
    except (TypeError, ValueError):
        raise WrongRequestError(f"{str(point)[:40]!r} is no place: give z, y and x in micrometres.") from None
    return z, y, x


def _mask(drawn: Any) -> Mask:  # noqa: ANN401 - whatever a person gives
    mask = np.asarray(drawn)
    if mask.dtype.kind not in "biuf" or (mask.dtype.kind == "f" and np.isnan(mask).any()):
        raise WrongRequestError(f"The mask holds other things than numbers ({mask.dtype}): give 0, and 1 within.")
    return mask
