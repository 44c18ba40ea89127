"""OME-TIFFs in several files, split in any way, and described by each of them, by the first, or by a companion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cases import ome_file

Split = Callable[[int, int, int], int]
"""The number of the file of a plane (t, c, z)."""

SPLITS: dict[str, Split] = {
    "t": lambda t, c, z: t,
    "z": lambda t, c, z: z,
    "c": lambda t, c, z: c,
    "two t": lambda t, c, z: t // 2,
    "t and c": lambda t, c, z: 2 * t + c,
}
DESCRIBED = ("each", "first", "companion")
COMPANION = "embryo.companion.ome"


def ome_set(
    folder: Path, array: np.ndarray, split: Split, described: str = "each", called: str = "embryo_{}.ome.tif"
) -> list[Path]:
    """Write an array (T, C, Z, Y, X) of at most two channels; return its files, the companion last."""
    places = ome_file.in_order(array, "XYZCT")
    parts: dict[int, list[tuple[int, int, int]]] = {}
    for place in places:
        parts.setdefault(split(*place), []).append(place)
    names = {number: called.format(number) for number in sorted(parts)}
    data = "".join(
        ome_file.tiff_data(parts[number], uuid=f'<UUID FileName="{names[number]}">urn:uuid:{number}</UUID>')
        for number in names
    )
    timed = ome_file.UM, f"{ome_file.UM} {ome_file.TIMED}"
    written = []
    for number, name in names.items():
        text = ome_file.document(array, "XYZCT", data, own=f"urn:uuid:{number}").replace(*timed)
        if described == "companion" or (described == "first" and number > 0):
            told = COMPANION if described == "companion" else names[0]
            text = f'<OME UUID="urn:uuid:{number}"><BinaryOnly MetadataFile="{told}" UUID="urn:uuid:0"/></OME>'
        written.append(ome_file.write(folder / name, [array[place] for place in parts[number]], text))
    if described == "companion":
        text = ome_file.document(array, "XYZCT", data, own="urn:uuid:companion").replace(*timed)
        written.append(folder / COMPANION)
        written[-1].write_text(text, encoding="utf-8")
    return written
