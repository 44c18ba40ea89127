"""What the samples of a TIFF's pixels are: brightness, colours, opacity; and what is no light that anybody measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import UnsupportedInputError
from storage.readers.axes import Axes

if TYPE_CHECKING:
    import tifffile

_WHITE_IS_0, _RGB, _PALETTE, _MASK, _PRINT, _YCBCR = 0, 2, 3, 4, 5, 6  # of TIFF's PhotometricInterpretation
_OTHERS = {8: "CIE L*a*b*", 9: "CIE L*a*b*", 10: "CIE L*a*b*", 32803: "a mosaic of a camera's filters"}
_OPACITY = (1, 2)  # of TIFF's ExtraSamples


@dataclass(frozen=True)
class Colours:
    """What is to be done with the samples of a page.

    Attributes
    ----------
    shown : int
        How many of them are light, the first ones; the others are opacity.
    named : bool
        They are red, green and blue.
    white : int or None
        The value of black where 0 is white: brightness is that minus what is stored.
    remarks : tuple of str
        Ends of sentences about the file.
    """

    shown: int
    named: bool = False
    white: int | None = None
    remarks: tuple[str, ...] = ()


def of_page(page: tifffile.TiffPage, axes: Axes, what: str) -> tuple[Colours, Axes]:
    """Return what the samples of a page mean, and the axes with those alone that are light.

    Parameters
    ----------
    page : the first one of an image
    axes : those of the image
    what : str
        The file, for messages.

    Raises
    ------
    UnsupportedInputError
        When they are no brightness.
    """
    found = _of_samples(page, axes.size("S"), what)
    return found, replace(axes, shown=found.shown)


def _of_samples(page: tifffile.TiffPage, samples: int, what: str) -> Colours:
    kind = int(page.photometric)
    if kind == _PRINT or kind in _OTHERS:
        colours = "those of print (CMYK)" if kind == _PRINT else _OTHERS[kind]
        raise UnsupportedInputError(f"{what} is not read here: its colours are {colours}; save it as RGB or grey.")
    extra = [int(one) for one in page.extrasamples or ()]
    opacity = next((i for i, one in enumerate(reversed(extra)) if one not in _OPACITY), len(extra))
    shown = max(1, samples - opacity) if samples > 1 else 1
    if kind == _WHITE_IS_0:
        return _turned_round(page, shown, what)
    if kind == _PALETTE and not _is_scale(page):
        return Colours(shown, remarks=("has a table of colours that is no scale of brightness: its pixels are taken "
                                       "by their numbers, which are labels most likely",))  # fmt: skip
    return Colours(shown, named=kind in (_RGB, _YCBCR) and shown >= 3)


def _turned_round(page: tifffile.TiffPage, shown: int, what: str) -> Colours:
    dtype = np.dtype(page.dtype)
    if dtype.kind != "u":
        raise UnsupportedInputError(f"{what} is not read here: its brightness grows downwards; save it as 8 or 16 bit.")
    remark = "stores white as 0: its brightness is turned round, so that what is light is high"
    return Colours(shown, white=(1 << int(page.bitspersample)) - 1, remarks=(remark,))


def _is_scale(page: tifffile.TiffPage) -> bool:
    """Say whether a page's table of colours goes from dark to light, or from light to dark."""
    table = getattr(page, "colormap", None)
    if table is None:
        return True
    steps = np.diff(np.asarray(table, np.float64).sum(axis=0))
    return bool((steps >= 0).all() or (steps <= 0).all())
