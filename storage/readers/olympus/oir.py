"""Olympus and Evident OIR, with the files in which a large image goes on (``name_00001`` beside ``name.oir``).

The structure is read here: the one library for it needs a newer Python than 3.11 and gives whole images only.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers.bounded import BoundedFile, BrokenFileError
from storage.readers.completion import Completion, of_planes
from storage.readers.fingerprint import Extent
from storage.readers.image import (
    LARGEST_PLANE_PIXELS,
    MOST_PLANES,
    ExtentSource,
    Image,
    PlaneIndex,
    acquisitions,
    first_line,
)
from storage.readers.length_units import micrometres
from storage.readers.olympus import oir_structure
from storage.readers.olympus.oir_structure import OirLayout, Piece
from storage.readers.parts import absence, absent_parts, companions

_DTYPES = {1: "<u1", 2: "<u2", 4: "<f4"}
_AXES = {"T": "TIMELAPSE", "L": "LAMBDA", "Z": "ZSTACK"}


@dataclass(frozen=True)
class _Oir:
    """Planes by place (t, c, z, from 0), and the image that they make up.

    `declared` is the number of planes that the settings speak of.
    """

    planes: Mapping[PlaneIndex, Sequence[Piece]]
    image: Image
    declared: int


class _Files:
    """The files of an image, opened when needed."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._paths = files
        self._open: dict[int, BoundedFile] = {}

    def read(self, number: int, offset: int, length: int) -> bytes:
        if number not in self._open:
            self._open[number] = BoundedFile(self._paths[number])
        return self._open[number].at(offset, length, "a plane")

    def close(self) -> None:
        files, self._open = self._open, {}
        for file in files.values():
            file.close()


class OirSource(ExtentSource[_Files]):
    """Planes, each in one or several pieces."""

    def __init__(self, files: Sequence[Path], oir: _Oir) -> None:
        super().__init__(files[0], files)
        self._planes = oir.planes
        _, self._size_c, self._size_z, *rows_columns = oir.image.shape
        self._shape = tuple(rows_columns)
        self._dtype = oir.image.dtype

    def extents(self, t: int) -> list[list[Extent]]:
        """Return where the pieces of each plane are."""
        places = [(t, c, z) for c in range(self._size_c) for z in range(self._size_z)]
        return [
            [Extent(str(self._files[number]), offset, length) for number, offset, length in self._planes[place]]
            for place in places
        ]

    def _open(self) -> _Files:
        return _Files(self._files)

    def _read(self, handle: _Files, t: int, c: int, z: int) -> PlaneYX:
        data = b"".join(handle.read(*piece) for piece in self._planes[t, c, z])
        return np.frombuffer(data, self._dtype).reshape(self._shape)


def probe(path: Path) -> Completion:
    """Return whether an OIR is whole: its index, its continuations, and every plane that its settings declare."""
    try:
        oir = _read_oir(path)
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except (BrokenFileError, UnreadableInputError) as error:
        reason = str(error) if str(path) in str(error) else f"{path} is not a whole OIR: {error}."
        return Completion("incomplete", reason)
    found = of_planes(path, len(oir.planes), oir.declared, oir.image.time_points or ())
    return found if found.state == "complete" else replace(found, reason=_reason(path, found.reason))


def open_oir(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the image of an OIR.

    Raises
    ------
    UnreadableInputError
        When it is none, or is damaged.
    """
    del axes  # an OIR names its axes
    try:
        oir = _read_oir(path)
    except (BrokenFileError, OSError) as error:
        raise UnreadableInputError(f"{path} cannot be read as OIR ({first_line(error)}): export it again.") from error
    files, said = (path, *companions(path)), probe(path)
    image = replace(oir.image, lacking=(said.reason,)) if absent_parts(path) and said.state != "complete" else oir.image
    return acquisitions(path, "oir", [(image, OirSource(files, oir))], files)


def _reason(path: Path, reason: str) -> str:
    """Name the files that are absent between others, where planes lack."""
    absent = absent_parts(path)
    return f"{reason.rstrip('.')}: {absence(absent)}." if absent else reason


def _read_oir(path: Path) -> _Oir:
    layout = oir_structure.read((path, *companions(path)))
    frame = layout.frames[0]
    try:
        rows, columns = int(_text(frame, "height")), int(_text(frame, "width"))
        depth = int(_text(frame, "depth"))
    except ValueError as error:
        raise BrokenFileError(f"its frames are not described ({error})") from error
    if min(rows, columns) < 1 or rows * columns > LARGEST_PLANE_PIXELS or depth not in _DTYPES:
        raise BrokenFileError(f"it claims planes of {rows} x {columns} pixels of {depth} bytes")
    size = rows * columns * depth
    if absent_parts(path):  # of a plane that began or ended in them, a part is there
        layout.planes = {key: pieces for key, pieces in layout.planes.items() if sum(n for _, _, n in pieces) == size}
    for pieces in layout.planes.values():
        if sum(length for _, _, length in pieces) != size:
            raise UnreadableInputError(
                f"{path} holds a plane that is not {rows} x {columns} pixels (a line scan?): export it as OME-TIFF."
            )
    found = _arranged(layout, (rows, columns), np.dtype(_DTYPES[depth]))
    # There is a moment for each frame that is there, and which is whose is told by their number alone.
    return replace(found, image=replace(found.image, time_stamps_s=())) if absent_parts(path) else found


def _arranged(layout: OirLayout, rows_columns: tuple[int, int], dtype: np.dtype) -> _Oir:
    axes = {kind: _axis(layout, _AXES[kind]) for kind in "TLZ"}
    channels = _channels(layout)
    keys = list(layout.planes)
    numbers = [key[:3] for key in keys]
    first = [min(number[i] for number in numbers) for i in range(3)]
    size_t, size_l, size_z = (max(number[i] for number in numbers) - first[i] + 1 for i in range(3))
    if size_t * size_l * size_z * len(channels) > min(MOST_PLANES, 1000 * len(keys) + 1000):
        raise BrokenFileError("the names of its planes are damaged")
    order = {channel: i for i, channel in enumerate(channels)}
    planes = {
        (t - first[0], order[channel] * size_l + n - first[1], z - first[2]): tuple(pieces)
        for (t, n, z, channel), pieces in layout.planes.items()
    }
    size_c = len(channels) * size_l
    there = {"T": size_t, "L": size_l, "Z": size_z}
    wanted = [max(size, int(axes[kind].get("maxSize", 0))) for kind, size in there.items()]
    every = [(c, z) for c in range(size_c) for z in range(size_z)]
    stamps = _time_stamps(layout, size_t)
    image = Image(
        shape=(size_t, size_c, size_z, *rows_columns),
        dtype=dtype,
        voxel_um=(micrometres(abs(axes["Z"].get("step", 0.0)), "um"), *_pixel(layout)),
        channel_names=tuple(n if size_l == 1 else f"{n} {i}" for n in channels.values() for i in range(size_l)),
        interval_s=axes["T"].get("step", 0.0) / 1000.0 if size_t > 1 and axes["T"].get("step", 0.0) > 0 else None,
        time_stamps_s=stamps,
        started_at=next((_text(one, "creationDateTime") for one in layout.descriptions), "") or None,
        time_points=tuple(t for t in range(size_t) if all((t, c, z) in planes for c, z in every)),
    )
    return _Oir(planes, image, math.prod(wanted) * len(channels))


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _named(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Give the elements of a name, whatever their namespace."""
    return (one for one in element.iter() if _local(one) == name)


def _text(element: ElementTree.Element, name: str) -> str:
    return next((one.text.strip() for one in _named(element, name) if one.text), "")


def _axis(layout: OirLayout, kind: str) -> dict[str, float]:
    """Return the numbers that describe an axis; empty for one that was not used."""
    for axis in (one for document in layout.descriptions for one in _named(document, "axis")):
        said = {_local(child): (child.text or "").strip() for child in axis}
        if axis.get("enable") != "true" or said.get("axis") != kind:
            continue
        try:
            found = {name: float(said[name]) for name in ("step", "maxSize") if said.get(name)}
        except ValueError as error:
            raise BrokenFileError(f"the axis {kind} is damaged ({error})") from error
        if not all(math.isfinite(value) and abs(value) < 1e9 for value in found.values()):
            raise BrokenFileError(f"the axis {kind} is damaged")
        return found
    return {}


def _channels(layout: OirLayout) -> dict[str, str]:
    """Return the names of the channels by id: in the settings' order, then those that only planes name."""
    there = {key[3] for key in layout.planes}
    found: dict[str, tuple[str, str]] = {}
    for channel in (one for document in layout.descriptions for one in _named(document, "channel")):
        name = channel.get("id", "")
        if name in there and name not in found:
            found[name] = (channel.get("order", "0").zfill(6), _text(channel, "name"))
    named = {name: said for name, (_, said) in sorted(found.items(), key=lambda one: one[1][0])}
    return named | dict.fromkeys(sorted(there - set(named)), "")


def _pixel(layout: OirLayout) -> tuple[float | None, float | None]:
    """Return the distance of rows and of columns in micrometres."""
    for length in (one for document in layout.descriptions for one in _named(document, "length")):
        return (micrometres(_text(length, "y"), "um"), micrometres(_text(length, "x"), "um"))
    return (None, None)


def _time_stamps(layout: OirLayout, size_t: int) -> tuple[float, ...]:
    """Return the seconds of each time point, where there is a value for every frame."""
    found = []
    for value in (one for frame in layout.frames for one in _named(frame, "axisValue")):
        if _text(value, "axisType") == _AXES["T"]:
            try:
                found.append(float(_text(value, "position")) / 1000.0)
            except ValueError:
                return ()
    if size_t < 2 or not found or len(found) % size_t:
        return ()
    firsts = found[:: len(found) // size_t]
    return tuple(round(stamp - firsts[0], 6) for stamp in firsts)
