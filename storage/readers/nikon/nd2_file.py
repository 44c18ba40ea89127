"""Nikon ND2, through nd2. Positions are acquisitions of their own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers.bounded import BrokenFileError
from storage.readers.completion import Completion, of_planes
from storage.readers.fingerprint import Extent
from storage.readers.image import LARGEST_PLANE_PIXELS, MOST_PLANES, ExtentSource, Image, acquisitions, first_line
from storage.readers.length_units import micrometres
from storage.readers.nikon import structure
from storage.readers.nikon.structure import Nd2Layout

if TYPE_CHECKING:
    import nd2
    from nd2.structures import Attributes

T = TypeVar("T")

MOST_COMPONENTS = 64  # of a channel; colour has three
_FRAME_AXES = "CYXS"  # those inside a frame


@dataclass(frozen=True)
class _Shape:
    """How frames follow each other: (axis, size) with the slowest first; and what a frame holds."""

    loops: tuple[tuple[str, int], ...]
    channels: int
    samples: int
    rows: int
    columns: int
    dtype: np.dtype

    def size(self, letter: str) -> int:
        """Return the size of a loop, 1 for one that is not there."""
        return dict(self.loops).get(letter, 1)

    @property
    def frames(self) -> int:
        """Frames that the experiment consists of."""
        return math.prod(size for _, size in self.loops)

    def frame(self, where: Mapping[str, int]) -> int:
        """Return a frame's number."""
        index = 0
        for letter, size in self.loops:
            index = index * size + where.get(letter, 0)
        return index


class Nd2Source(ExtentSource["nd2.ND2File"]):
    """Planes of one position."""

    def __init__(self, path: Path, shape: _Shape, frames: Mapping[int, tuple[int, int]], position: int) -> None:
        super().__init__(path, (path,))
        self._shape = shape
        self._frames = frames
        self._position = position

    def extents(self, t: int) -> list[list[Extent]]:
        """Return where the frame of each slice is; a frame holds the channels."""
        numbers = (self._shape.frame({"T": t, "Z": z, "P": self._position}) for z in range(self._shape.size("Z")))
        return [[Extent(str(self._path), *self._frames[number])] for number in numbers]

    def _open(self) -> nd2.ND2File:
        return _opened(self._path)

    def _read(self, handle: nd2.ND2File, t: int, c: int, z: int) -> PlaneYX:
        shape = self._shape
        channel, sample = divmod(c, shape.samples)
        frame = handle.read_frame(shape.frame({"T": t, "Z": z, "P": self._position}))
        frame = frame.reshape(shape.channels, shape.rows, shape.columns, shape.samples)
        return frame[channel, :, :, sample].copy()  # the library gives a view of a file that is closed later


def probe(path: Path) -> Completion:
    """Return whether an ND2 is whole: the map at its end is there, and every frame that the experiment consists of."""
    try:
        layout = structure.read(path)
        with _opened(path) as file:
            shape = _shape(file, layout)
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except (BrokenFileError, UnreadableInputError) as error:
        reason = str(error) if str(path) in str(error) else f"{path} is not a whole ND2: {error}."
        return Completion("incomplete", reason)
    return of_planes(path, sum(n < shape.frames for n in layout.frames), shape.frames, _time_points(shape, layout, 0))


def open_nd2(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images of an ND2, one per position.

    Raises
    ------
    UnreadableInputError
        When it is none, or is damaged.
    """
    del axes  # an ND2 names its axes
    try:
        layout = structure.read(path)
        with _opened(path) as file:
            shape = _shape(file, layout)
            said = _described(file)
            names = _position_names(file, shape.size("P"))
    except (OSError, BrokenFileError) as error:
        raise UnreadableInputError(f"{path} cannot be read as ND2 ({first_line(error)}): export it again.") from error
    found = [
        (_image(shape, layout, said, name, position), Nd2Source(path, shape, layout.frames, position))
        for position, name in enumerate(names)
    ]
    return acquisitions(path, "nd2", found, (path,))


@dataclass(frozen=True)
class _Said:
    """What the metadata says about all positions."""

    voxel_um: tuple[float | None, float | None, float | None]
    channels: tuple[str, ...]
    interval_s: float | None


def _opened(path: Path) -> nd2.ND2File:
    import nd2

    try:
        return nd2.ND2File(path)
    except OSError:
        raise
    except Exception as error:  # damaged chunks make the library raise whatever its parsing stumbles over
        raise BrokenFileError(f"its description is damaged ({first_line(error)})") from error


def _asked(path_of: Callable[[], T]) -> T:
    """Return what the library reads late, without its warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return path_of()
    except (OSError, MemoryError):
        raise
    except Exception as error:  # as in `_opened`
        raise BrokenFileError(f"its description is damaged ({first_line(error)})") from error


def _shape(file: nd2.ND2File, layout: Nd2Layout) -> _Shape:
    attributes, sizes = _asked(lambda: file.attributes), _asked(lambda: dict(file.sizes))
    odd = [letter for letter in sizes if letter not in "TPZ" + _FRAME_AXES]
    if odd:
        raise UnreadableInputError(f"{file.path} has the axes {', '.join(sizes)}: export it as OME-TIFF.")
    loops = tuple((str(letter), int(size)) for letter, size in sizes.items() if letter not in _FRAME_AXES)
    channels, components = int(attributes.channelCount or 1), int(attributes.componentCount or 0)
    rows, columns = int(attributes.heightPx or 0), int(attributes.widthPx or 0)
    bytes_per_pixel = int(attributes.bitsPerComponentInMemory or 0) // 8
    if min(rows, columns, channels, components) < 1 or bytes_per_pixel not in (1, 2, 4) or components % channels:
        raise BrokenFileError("its description is damaged (it claims a frame without pixels)")
    shape = _Shape(loops, channels, components // channels, rows, columns, _dtype(attributes, bytes_per_pixel))
    if any(size < 1 for _, size in loops) or shape.frames > min(MOST_PLANES, 1000 * len(layout.frames) + 1000):
        raise BrokenFileError(f"it claims {dict(loops)} frames and has {len(layout.frames)}")
    needed = rows * max(int(attributes.widthBytes or 0), columns * components * bytes_per_pixel)
    if rows * columns > LARGEST_PLANE_PIXELS or needed > 1 << 34:
        raise BrokenFileError(f"it claims frames of {rows} x {columns} pixels")
    if attributes.compressionType != "lossless" and (least := min(size for _, size in layout.frames.values())) < needed:
        raise BrokenFileError(f"a frame should have {needed} bytes and has {least}")
    if attributes.compressionType == "lossy":
        raise UnreadableInputError(f"{file.path} is compressed with loss, which is not read: export it as OME-TIFF.")
    return shape


def _dtype(attributes: Attributes, bytes_per_pixel: int) -> np.dtype:
    kind = "f" if attributes.pixelDataType == "float" else "u"
    if kind == "f" and bytes_per_pixel != 4:
        raise BrokenFileError("its description is damaged (it claims floating point numbers of 16 bit)")
    return np.dtype(f"<{kind}{bytes_per_pixel}")


def _refuse_countless_components(file: nd2.ND2File) -> None:
    """Look at the numbers of components before the library makes lists as long as a damaged file claims."""
    chunks = _asked(lambda: file.unstructured_metadata(include={"ImageMetadataSeqLV|0", "ImageMetadataSeq|0"}))
    left: list[Any] = [chunks]
    while left:
        for name, value in left.pop().items():
            if isinstance(value, dict):
                left.append(value)
            elif name.endswith("CompCount") and isinstance(value, int) and value > MOST_COMPONENTS:
                raise BrokenFileError(f"its description is damaged (it claims {value} components a channel)")


def _described(file: nd2.ND2File) -> _Said:
    loops = _asked(lambda: file.experiment)
    try:
        _refuse_countless_components(file)
        channels = list(_asked(lambda: file.metadata).channels or ())
    except BrokenFileError:  # the pixels do not need it, and the library fails on channels without a known dye
        channels = []
    z_um = next((micrometres(loop.parameters.stepUm, "um") for loop in loops if loop.type == "ZStackLoop"), None)
    period = next((loop.parameters.periodMs for loop in loops if loop.type == "TimeLoop"), None)
    yx_um: tuple[float | None, ...] = (None, None)
    if channels and all(channels[0].volume.axesCalibrated[:2]):
        x, y = channels[0].volume.axesCalibration[:2]
        yx_um = (micrometres(y, "um"), micrometres(x, "um"))
    names = tuple(str(channel.channel.name or "") for channel in channels)
    return _Said((z_um, yx_um[0], yx_um[1]), names, period / 1000.0 if period else None)


def _position_names(file: nd2.ND2File, count: int) -> list[str]:
    loops = _asked(lambda: file.experiment)
    points = next((loop.parameters.points for loop in loops if loop.type == "XYPosLoop"), ())
    return [str(points[i].name or f"P{i}") if i < len(points) else f"P{i}" for i in range(count)]


def _time_points(shape: _Shape, layout: Nd2Layout, position: int) -> tuple[int, ...]:
    """Those of which every frame is there; the library gives zeros for others."""
    return tuple(
        t
        for t in range(shape.size("T"))
        if all(shape.frame({"T": t, "Z": z, "P": position}) in layout.frames for z in range(shape.size("Z")))
    )


def _image(shape: _Shape, layout: Nd2Layout, said: _Said, name: str, position: int) -> Image:
    t, z = shape.size("T"), shape.size("Z")
    firsts = [shape.frame({"T": i, "P": position}) for i in range(t)]
    known = layout.times_ms if t > 1 and max(firsts) < len(layout.times_ms) else ()
    stamps = tuple(round((known[i] - known[firsts[0]]) / 1000.0, 6) for i in firsts) if known else ()
    return Image(
        shape=(t, shape.channels * shape.samples, z, shape.rows, shape.columns),
        dtype=shape.dtype,
        voxel_um=said.voxel_um,
        channel_names=said.channels,
        interval_s=said.interval_s,
        time_stamps_s=stamps,
        name=name,
        time_points=_time_points(shape, layout, position),
        samples=shape.samples,
    )
