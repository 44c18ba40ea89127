"""Imaris ``.ims``, through h5py: ``/DataSet/ResolutionLevel 0/TimePoint t/Channel c/Data`` holds the slices.

Blocks at the ends of axes are padded, so the sizes are those of the attributes, which HDF5 keeps as single letters.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.acquisition import Acquisition
from storage.errors import UnreadableInputError
from storage.readers.bounded import BrokenFileError
from storage.readers.completion import Completion, of_planes
from storage.readers.fingerprint import Extent
from storage.readers.image import (
    LARGEST_PLANE_PIXELS,
    MOST_PLANES,
    ExtentSource,
    Image,
    Voxel,
    acquisitions,
    first_line,
)
from storage.readers.length_units import micrometres

_FULL = "DataSet/ResolutionLevel 0"
_ABOUT = "DataSetInfo"
_LARGEST_BLOCK = 1 << 28  # bytes that are decoded together: a damaged header claims any size
_CACHE = 64 << 20  # bytes: a block spans several slices, and is decoded once for all of them
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class _Imaris:
    """An open file."""

    def __init__(self, path: Path) -> None:
        import h5py

        with path.open("rb") as file:
            if file.read(len(_SIGNATURE)) != _SIGNATURE:
                raise BrokenFileError("it does not begin as HDF5")
        # A lock would keep the program that writes it from going on; a file that is being written says so below.
        self._file = h5py.File(path, "r", locking=False, rdcc_nbytes=_CACHE)

    def at(self, path: str) -> Any:  # noqa: ANN401  # h5py has no types
        """Return a group or an array that is really in this file."""
        import h5py

        found: Any = self._file
        for name in path.split("/"):
            link = found.get(name, getlink=True) if isinstance(found, h5py.Group) else None
            if link is None:
                raise BrokenFileError(f"{path} is missing")
            if not isinstance(link, h5py.HardLink):
                raise BrokenFileError(f"{path} lies elsewhere")
            found = found[name]
        return found

    def data(self, t: int, c: int) -> Any:  # noqa: ANN401
        """Return the array of a time point and channel, (Z, Y, X), whose blocks are of a sane size."""
        import h5py

        array = self.at(f"{_FULL}/TimePoint {t}/Channel {c}/Data")
        if not isinstance(array, h5py.Dataset) or array.ndim != 3:
            raise BrokenFileError(f"the array of time point {t}, channel {c} is none")
        if array.is_virtual or array.external:
            raise BrokenFileError(f"the array of time point {t}, channel {c} lies elsewhere")
        block = array.chunks or (1, *array.shape[1:])
        if int(np.prod(block, dtype=float)) * array.dtype.itemsize > _LARGEST_BLOCK and array.chunks:
            raise BrokenFileError(f"it claims blocks of {block} pixels")
        return array

    def text(self, group: str, name: str) -> str:
        """Return an attribute, nothing where it is not there."""
        try:
            value = self.at(group).attrs.get(name)
        except BrokenFileError:
            return ""
        if isinstance(value, np.ndarray) and value.dtype.kind == "S":
            value = b"".join(value.ravel()[:4096].tolist())
        said = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value or "")
        return said.strip("\0 ")

    def close(self) -> None:
        """Close it."""
        self._file.close()


class ImsSource(ExtentSource[_Imaris]):
    """Planes of the full resolution."""

    def __init__(self, path: Path, shape: tuple[int, int, int, int, int]) -> None:
        super().__init__(path, (path,))
        self._shape = shape

    def extents(self, t: int) -> list[list[Extent]]:
        """Return where the blocks of each channel are, in the order of the image."""
        with _reading(self._path) as file:
            return [_blocks(self._path, file.data(t, c)) for c in range(self._shape[1])]

    def _open(self) -> _Imaris:
        return _Imaris(self._path)

    def _read(self, handle: _Imaris, t: int, c: int, z: int) -> PlaneYX:
        array = handle.data(t, c)
        _, _, size_z, size_y, size_x = self._shape
        if any(had < asked for had, asked in zip(array.shape, (size_z, size_y, size_x), strict=True)):
            raise ValueError(f"it has the size {array.shape}")
        plane: PlaneYX = array[z, :size_y, :size_x]
        return plane


def probe(path: Path) -> Completion:
    """Return whether an Imaris file is whole: it was closed, and every time point has the array of every channel."""
    try:
        with _reading(path) as file:
            shape = _shape(file)
            there = _time_points(file, shape)
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except BrokenFileError as error:
        return Completion("incomplete", f"{path} is not a whole Imaris file: {error}.")
    planes = shape[1] * shape[2]
    return of_planes(path, len(there) * planes, shape[0] * planes, there)


def open_ims(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the image of an Imaris file.

    Raises
    ------
    UnreadableInputError
        When it is none, or is damaged.
    """
    del axes  # it names its axes
    try:
        with _reading(path) as file:
            shape = _shape(file)
            there = _time_points(file, shape)
            if not there:
                raise BrokenFileError("no time point of it is there")
            stamps, started = _times(file, shape[0])
            image = Image(
                shape=shape,
                dtype=np.dtype(file.data(there[0], 0).dtype),
                voxel_um=_voxel(file, shape),
                channel_names=tuple(file.text(f"{_ABOUT}/Channel {c}", "Name") for c in range(shape[1])),
                time_stamps_s=stamps,
                started_at=started,
                time_points=there,
            )
    except (BrokenFileError, OSError) as error:
        raise UnreadableInputError(f"{path} cannot be read as an Imaris file ({first_line(error)}).") from error
    return acquisitions(path, "ims", [(image, ImsSource(path, shape))], (path,))


@contextmanager
def _reading(path: Path) -> Iterator[_Imaris]:
    """Open a file for a look; whatever the library stumbles over in it is a broken file."""
    file = None
    try:
        file = _Imaris(path)
        yield file
    except (BrokenFileError, FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception as error:  # damaged bytes make HDF5 raise of all kinds
        if isinstance(error, OSError) and error.errno:
            raise
        raise BrokenFileError(f"HDF5 says: {first_line(error)}") from error
    finally:
        if file is not None:
            file.close()


def _shape(file: _Imaris) -> tuple[int, int, int, int, int]:
    """Return the sizes T, C, Z, Y, X."""

    def number(name: str) -> int:
        text = file.text(f"{_ABOUT}/Image", name)
        if not text.isdecimal() or len(text) > 12:
            raise BrokenFileError(f"its size along {name} is not said")
        return int(text)

    z, y, x = (number(name) for name in "ZYX")
    t = _counted(file.at(_FULL), "TimePoint")
    c = _counted(file.at(f"{_FULL}/TimePoint 0"), "Channel")
    if not 0 < t * c * z <= MOST_PLANES or not 0 < y * x <= LARGEST_PLANE_PIXELS:
        raise BrokenFileError(f"it claims the sizes {(t, c, z, y, x)} (T, C, Z, Y, X)")
    return (t, c, z, y, x)


def _counted(group: Mapping[str, Any], what: str) -> int:
    """Return how many members of a kind a group has: one more than the largest number."""
    numbers = [name.rpartition(" ")[2] for name in group if name.startswith(f"{what} ")]
    return max((int(text) for text in numbers if text.isdecimal() and len(text) < 9), default=-1) + 1


def _time_points(file: _Imaris, shape: tuple[int, int, int, int, int]) -> tuple[int, ...]:
    def is_there(t: int) -> bool:
        try:
            sizes = [file.data(t, c).shape for c in range(shape[1])]
        except BrokenFileError as error:
            if "missing" in str(error):
                return False
            raise
        return all(had >= asked for size in sizes for had, asked in zip(size, shape[2:], strict=True))

    return tuple(t for t in range(shape[0]) if is_there(t))


def _voxel(file: _Imaris, shape: tuple[int, int, int, int, int]) -> Voxel:
    unit = file.text(f"{_ABOUT}/Image", "Unit") or "um"

    def length(axis: int, size: int) -> float | None:
        low, high = (file.text(f"{_ABOUT}/Image", f"Ext{end}{axis}") for end in ("Min", "Max"))
        try:
            return micrometres(abs(float(high) - float(low)) / size, unit)
        except ValueError:
            return None

    z_um = length(2, shape[2]) if shape[2] > 1 else None  # of a plane, it is made up
    return (z_um, length(1, shape[3]), length(0, shape[4]))


def _times(file: _Imaris, count: int) -> tuple[tuple[float, ...], str | None]:
    """Return seconds from the first time point to each, and when that was, as far as the file says."""
    texts = [file.text(f"{_ABOUT}/TimeInfo", f"TimePoint{t + 1}") for t in range(count)]
    try:
        times = [datetime.fromisoformat(text) for text in texts]
    except ValueError:
        return (), None
    stamps = tuple(round((time - times[0]).total_seconds(), 6) for time in times)
    moves = all(b > a for a, b in itertools.pairwise(stamps))
    return stamps if moves else (), times[0].isoformat()


def _blocks(path: Path, array: Any) -> list[Extent]:  # noqa: ANN401
    """Return where the blocks of an array are."""
    if array.chunks is None:
        start = array.id.get_offset()
        return [] if start is None else [Extent(str(path), int(start), int(array.id.get_storage_size()))]
    found: list[tuple[tuple[int, ...], Extent]] = []
    array.id.chunk_iter(lambda said: found.append((said.chunk_offset, Extent(str(path), said.byte_offset, said.size))))
    return [extent for _, extent in sorted(found, key=lambda one: one[0])]
