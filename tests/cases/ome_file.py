"""OME-TIFFs whose description is written by hand, so that it can say anything about the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tifffile

ORDERS = ("XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC")
UM = 'PhysicalSizeX="0.25" PhysicalSizeY="0.5" PhysicalSizeZ="2.0"'
TIMED = 'TimeIncrement="60.0"'


def document(
    array: np.ndarray,
    order: str,
    inside: str = "",
    sizes: Mapping[str, int] | None = None,
    own: str = "",
    unit: str = "",
    encoding: str = "UTF-8",
) -> str:
    """Return OME-XML for an array (T, C, Z, Y, X); `sizes` are told wrongly, `inside` stands within Pixels."""
    told = dict(zip("TCZYX", array.shape, strict=True)) | dict(sizes or {})
    said = " ".join(f'Size{letter}="{size}"' for letter, size in told.items())
    units = " ".join(f'PhysicalSize{axis}Unit="{unit}"' for axis in "XYZ") if unit else ""
    return (
        f'<?xml version="1.0" encoding="{encoding}"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
        f'{f" UUID={chr(34)}{own}{chr(34)}" if own else ""}><Image ID="Image:0" Name="one"><Pixels ID="Pixels:0" '
        f'DimensionOrder="{order}" Type="{array.dtype.name}" {said} {UM} {units}>{inside}</Pixels></Image></OME>'
    )


def in_order(array: np.ndarray, order: str) -> list[tuple[int, int, int]]:
    """Return the places (t, c, z) of an array's planes in OME's dimension order, fastest first."""
    sizes = dict(zip("TCZ", array.shape[:3], strict=True))
    slow = [letter for letter in reversed(order) if letter in "TCZ"]
    found = []
    for place in np.ndindex(*(sizes[letter] for letter in slow)):
        where = dict(zip(slow, place, strict=True))
        found.append((where["T"], where["C"], where["Z"]))
    return found


def tiff_data(places: Sequence[tuple[int, int, int]], shift: int = 0, uuid: str = "") -> str:
    """Return a TiffData for each place: the pages follow each other, from `shift` on."""
    return "".join(
        f'<TiffData FirstT="{t}" FirstC="{c}" FirstZ="{z}" IFD="{i + shift}" PlaneCount="1">{uuid}</TiffData>'
        for i, (t, c, z) in enumerate(places)
    )


def write(path: Path, planes: Sequence[np.ndarray], text: str | bytes, thumbnail: bool = False) -> Path:
    """Write a page for each plane; the first says the text. A smaller copy stands first where wished."""
    with tifffile.TiffWriter(path) as writer:
        said: str | bytes | None = text
        if thumbnail:
            writer.write(np.zeros((4, 5), np.uint16), subfiletype=1, description=said, contiguous=False, metadata=None)
            said = None
        for plane in planes:
            writer.write(plane, description=said, contiguous=False, metadata=None)
            said = None
    return path
