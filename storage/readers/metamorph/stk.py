"""STK: one page of a TIFF, behind which the other planes lie, and MetaMorph's own tags about all of them.

The tags are those that the authors of MetaMorph describe: UIC1 has the calibration, UIC2 a distance and a time for each
plane, UIC3 its wavelength.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nuset_engine.arrays import CountsNM, PlaneYX
from storage.acquisition import Acquisition
from storage.description import Origin
from storage.errors import UnreadableInputError, UnsupportedInputError
from storage.readers.bounded import BoundedFile, BrokenFileError
from storage.readers.completion import Completion, of_planes
from storage.readers.fingerprint import Extent
from storage.readers.image import LARGEST_PLANE_PIXELS, MOST_PLANES, ExtentSource, Image, acquisitions
from storage.readers.length_units import micrometres

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _STRIPS, _SAMPLES, _STRIP_BYTES = 256, 257, 258, 259, 273, 277, 279
_UIC1, _UIC2, _UIC3 = 33628, 33629, 33630
_X_CALIBRATION, _Y_CALIBRATION, _UNITS = 4, 5, 6  # in UIC1
_CODES = {1: "B", 3: "H", 4: "I"}
_MOST_VALUES = 1 << 20  # of a tag: strips, planes

Tags = Mapping[int, tuple[int, int, bytes]]


@dataclass(frozen=True)
class StkLayout:
    """What an STK says.

    Attributes
    ----------
    planes, height, width : int
    dtype : numpy dtype, with the file's order of bytes
    offset, plane_bytes : int
        Where the first plane is, and how far it is to the next.
    axis : str
        ``Z`` or ``T``, which the planes are along.
    known : Origin
        Where that is from.
    z_um, y_um, x_um : float or None
    times_s : tuple of float
        Of each plane, from the first on, where they are time points.
    begun_s : float
        When the first plane was taken, in seconds since a day that all stacks share.
    there : int
        Planes whose bytes are in the file.
    """

    planes: int
    height: int
    width: int
    dtype: np.dtype
    offset: int
    plane_bytes: int
    axis: str
    known: Origin
    z_um: float | None
    y_um: float | None
    x_um: float | None
    times_s: tuple[float, ...]
    begun_s: float
    there: int


def read(path: Path) -> StkLayout:
    """Read what an STK says of itself.

    Raises
    ------
    BrokenFileError
        When it is none, or its first plane is not there.
    UnsupportedInputError
        When its planes are compressed.
    OSError
    """
    with BoundedFile(path) as file:
        order, version, first = file.unpack("<2sHI", 0, "its header")
        if order != b"II" or version != 42:
            raise BrokenFileError("it does not begin as one")
        tags = _tags(file, first)
        if _UIC2 not in tags:
            raise BrokenFileError("it has no tags of MetaMorph's")
        width, height = (_numbers(file, tags, tag)[0] for tag in (_WIDTH, _HEIGHT))
        bits, samples = (_numbers(file, tags, tag, (default,))[0] for tag, default in ((_BITS, 1), (_SAMPLES, 1)))
        if _numbers(file, tags, _COMPRESSION, (1,))[0] != 1 or bits not in (8, 16, 32) or samples != 1:
            raise UnsupportedInputError(
                f"{path} has compressed planes, or such of {samples} samples of {bits} bits, which are not read here: "
                "save it in MetaMorph without compression, in grey values of 8 or 16 bits."
            )
        offset, plane_bytes = _first_plane(file, tags, width * height * bits // 8)
        planes = tags[_UIC2][1]
        if not 0 < planes <= min(MOST_PLANES, _MOST_VALUES) or not 0 < width * height <= LARGEST_PLANE_PIXELS:
            raise BrokenFileError(f"it claims {planes} planes of {width} x {height} pixels")
        there = min(planes, (file.size - offset) // plane_bytes)
        if there < 1:
            raise BrokenFileError("it breaks off inside its first plane")
        rows = np.frombuffer(file.metadata(_place(tags[_UIC2]), 24 * planes, "its list of planes"), "<u4")
        return _arranged(file, tags, rows.reshape(planes, 6), there, (offset, plane_bytes, height, width, bits))


def _arranged(
    file: BoundedFile, tags: Tags, rows: CountsNM, there: int, place: tuple[int, int, int, int, int]
) -> StkLayout:
    """Say along which axis the planes are, from what is written of each."""
    offset, plane_bytes, height, width, bits = place
    calibration = _calibration(file, tags)
    distance = rows[:, 0] / np.maximum(rows[:, 1], 1)
    times = rows[:, 2].astype(float) * 86400 + rows[:, 3] / 1000
    axis: str = "Z"
    known: Origin = "metadata"
    if len(rows) > 1 and not (distance > 0).any():
        moves = bool((np.diff(times) > 0).all())
        axis, known = ("T", "metadata") if moves else ("Z", "guessed")
    steps = distance[distance > 0]
    unit = calibration.get(_UNITS, "")
    return StkLayout(
        planes=len(rows),
        height=height,
        width=width,
        dtype=np.dtype({8: "u1", 16: "<u2", 32: "<u4"}[bits]),
        offset=offset,
        plane_bytes=plane_bytes,
        axis=axis,
        known=known,
        z_um=micrometres(float(np.median(steps)), unit) if len(steps) and axis == "Z" else None,
        y_um=micrometres(calibration.get(_Y_CALIBRATION), unit),
        x_um=micrometres(calibration.get(_X_CALIBRATION), unit),
        times_s=tuple(round(float(t), 3) for t in times - times[0]) if axis == "T" else (),
        begun_s=float(times[0]),
        there=there,
    )


class StkSource(ExtentSource[BoundedFile]):
    """The planes of a stack, one behind the other."""

    def __init__(self, path: Path, stack: StkLayout) -> None:
        super().__init__(path, (path,))
        self._stack = stack

    def extents(self, t: int) -> list[list[Extent]]:
        """Return where the planes of a time point are."""
        stack = self._stack
        numbers = [t] if stack.axis == "T" else range(stack.there)
        size = stack.height * stack.width * stack.dtype.itemsize
        return [[Extent(str(self._path), stack.offset + n * stack.plane_bytes, size)] for n in numbers]

    def _open(self) -> BoundedFile:
        return BoundedFile(self._path)

    def _read(self, handle: BoundedFile, t: int, c: int, z: int) -> PlaneYX:
        return plane(handle, self._stack, t if self._stack.axis == "T" else z)


def plane(file: BoundedFile, stack: StkLayout, number: int) -> PlaneYX:
    """Return one plane (Y, X) of a stack."""
    size = stack.height * stack.width * stack.dtype.itemsize
    data = file.at(stack.offset + number * stack.plane_bytes, size, f"plane {number}")
    return np.frombuffer(data, stack.dtype).reshape(stack.height, stack.width)


def probe(path: Path) -> Completion:
    """Return whether an STK is whole: every plane that it lists is there."""
    try:
        stack = read(path)
    except UnsupportedInputError as error:  # there is nothing to wait for
        return Completion("complete", str(error))
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except BrokenFileError as error:
        return Completion("incomplete", f"{path} is not a whole STK: {error}.")
    points = tuple(range(stack.there)) if stack.axis == "T" else (0,) if stack.there == stack.planes else ()
    return of_planes(path, stack.there, stack.planes, points)


def open_stk(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the acquisition that an STK is.

    Parameters
    ----------
    path : Path
    axes : str or None
        Letters that a person gives: with T or with Z, its planes are time points or slices.

    Raises
    ------
    UnreadableInputError
        When it is none, is damaged, or the letters are not those of one axis of planes.
    """
    try:
        stack = read(path)
    except (BrokenFileError, OSError) as error:
        raise UnreadableInputError(f"{path} cannot be read as an STK ({error}): export it again.") from error
    if axes is not None:
        stack = _as_told(path, stack, axes)
    size_t, size_z = (stack.planes, 1) if stack.axis == "T" else (1, stack.planes)
    image = Image(
        shape=(size_t, 1, size_z, stack.height, stack.width),
        dtype=stack.dtype,
        voxel_um=(stack.z_um, stack.y_um, stack.x_um),
        time_stamps_s=stack.times_s,
        time_points=tuple(range(stack.there)) if stack.axis == "T" else None,
    )
    found = acquisitions(path, "stk", [(image, StkSource(path, stack))], (path,))
    return [replace(one, origins=replace(one.origins, axes=stack.known)) for one in found]


def _as_told(path: Path, stack: StkLayout, axes: str) -> StkLayout:
    letters = axes.upper().replace("Y", "").replace("X", "")
    if letters not in ("T", "Z"):
        raise UnreadableInputError(
            f"{path} has one dimension of {stack.planes} planes, but the axes {axes!r} were given: give T or Z for it."
        )
    return replace(stack, axis=letters, known="configured", times_s=stack.times_s if letters == "T" else ())


def _tags(file: BoundedFile, offset: int) -> Tags:
    (count,) = file.unpack("<H", offset, "its index")
    table = file.at(offset + 2, 12 * count, "its index")
    return {tag: (kind, number, value) for tag, kind, number, value in struct.iter_unpack("<HHI4s", table)}


def _place(entry: tuple[int, int, bytes]) -> int:
    return int.from_bytes(entry[2], "little")


def _numbers(file: BoundedFile, tags: Tags, tag: int, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
    if tag not in tags:
        if default is None:
            raise BrokenFileError(f"its tag {tag} is missing")
        return default
    kind, count, value = tags[tag]
    if kind not in _CODES or not 0 < count <= _MOST_VALUES:
        raise BrokenFileError(f"its tag {tag} is none")
    code = f"<{count}{_CODES[kind]}"
    size = struct.calcsize(code)
    data = value[:size] if size <= 4 else file.metadata(_place(tags[tag]), size, f"its tag {tag}")
    return struct.unpack(code, data)


def _first_plane(file: BoundedFile, tags: Tags, size: int) -> tuple[int, int]:
    """Return where the first plane is, and its bytes with what lies between it and the second."""
    offsets, lengths = _numbers(file, tags, _STRIPS), _numbers(file, tags, _STRIP_BYTES)
    if len(offsets) != len(lengths):
        raise BrokenFileError("its strips are not listed whole")
    end = offsets[0]
    for offset, length in zip(offsets, lengths, strict=True):
        if offset != end:
            raise BrokenFileError("the strips of its first plane do not lie one behind the other")
        end += length
    if size < 1 or end - offsets[0] < size:
        raise BrokenFileError("the strips of its first plane are too short for it")
    return offsets[0], end - offsets[0]


def _calibration(file: BoundedFile, tags: Tags) -> dict[int, float | str]:
    """Return the size of a pixel and its unit, as far as they are there and can be read."""
    found: dict[int, float | str] = {}
    kind, count, _ = tags.get(_UIC1, (0, 0, b""))
    if kind != 4 or count > 10_000:
        return found
    pairs = struct.iter_unpack("<II", file.metadata(_place(tags[_UIC1]), 8 * count, "its calibration"))
    for number, place in pairs:
        if number in (_X_CALIBRATION, _Y_CALIBRATION):
            above, below = file.unpack("<II", place, "its calibration")
            found[number] = above / below if below else 0.0
        elif number == _UNITS:
            (length,) = file.unpack("<I", place, "its unit")
            found[number] = file.at(place + 4, min(length, 64), "its unit").rstrip(b"\0").decode("latin-1").strip()
    return found
