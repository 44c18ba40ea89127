"""One file per plane: TIFFs or pictures of one plane each, whose names tell time point, slice and channel by a pattern.

All files of one acquisition are spoken of by one path, which is none of them: their common name with ``{t}``, ``{z}``
and ``{c}`` in place of the numbers, such as ``/data/embryo_t{t}_z{z}.tif``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.acquisition import Acquisition
from storage.errors import StorageError, UnreadableInputError
from storage.readers.bounded import BrokenFileError
from storage.readers.completion import Completion, of_planes
from storage.readers.fingerprint import fingerprint, of_files
from storage.readers.image import Image, acquisitions
from storage.readers.names import PICTURE_SUFFIXES, stem, suffix
from storage.readers.pictures import picture_file
from storage.readers.series.grid import Grid, GrowingGrid
from storage.readers.series.plane_names import members, numbers
from storage.readers.tiff.chain import is_whole
from storage.readers.tiff.opening import open_tiff
from storage.readers.whole_files import WholeFiles

READER, READER_OF_PICTURES = "tiff-planes", "picture-planes"


class PlanesSource:
    """Planes, each a file."""

    def __init__(self, grid: Grid, shape: tuple[int, int], dtype: np.dtype) -> None:
        self._files = grid.files
        self._sizes = grid.sizes
        self._shape = shape
        self._dtype = dtype

    def plane(self, t: int, c: int, z: int) -> PlaneYX:
        """Return the (Y, X) plane at time point t, channel c, slice z."""
        path = self._files[t, c, z]
        with _single(path) as plane:
            found = plane.plane(0, 0, 0)
        if found.shape != self._shape or found.dtype != self._dtype:
            raise StorageError(
                f"{path} has {found.shape} pixels of {found.dtype}, the others of its series {self._shape} of "
                f"{self._dtype}: export it again, or move it out of the series."
            )
        return found

    def fingerprint(self, t: int) -> str:
        """Return the fingerprint of the time point's files."""
        return of_files(self.files_of(t))

    def former_fingerprint(self, t: int) -> str:
        """Return what versions before said of the time point's files."""
        return fingerprint(self.files_of(t))

    def close(self) -> None:
        """Nothing stays open."""

    def files_of(self, t: int) -> list[Path]:
        """Return the files that the planes of a time point are."""
        _, size_c, size_z = self._sizes
        places = ((t, c, z) for c in range(size_c) for z in range(size_z))
        return [self._files[place] for place in places if place in self._files]


def probe(path: Path) -> Completion:
    """Return which time points of a series have all their planes, whole; complete when all have.

    Nothing in such a series tells how many planes will come: quiet time has to.
    """
    try:
        grid, broken = _series(path).look()
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except BrokenFileError as error:
        return Completion("incomplete", f"{path} is not a whole series of planes: {error}.")
    _, size_c, size_z = grid.sizes
    present = len(grid.counts)  # a time point of which nothing came is a gap, and not waited for
    declared = max(present * size_c * size_z, len(grid.files) + broken)
    return of_planes(path, len(grid.files), declared, grid.time_points)


def open_planes(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the acquisition that a series of planes makes up, with the time points that are whole.

    Raises
    ------
    UnreadableInputError
        When its files are no planes, or none of its time points is whole.
    """
    del axes  # each file is one plane
    try:
        grid, _ = _series(path).look()
    except (OSError, BrokenFileError) as error:
        raise UnreadableInputError(f"{path} cannot be read as a series of planes ({error}).") from error
    if not grid.time_points:
        raise UnreadableInputError(f"{path} has no time point with all its planes: copy or export it again.")
    with _single(grid.files[grid.time_points[0], 0, 0]) as like:
        z_um, y_um, x_um = like.voxel_size_um or (None, None, None)
        image = Image(
            shape=(*grid.sizes, like.size_y, like.size_x),
            dtype=like.dtype,
            # A single plane's own z is a stand-in, see `image.voxel_size`.
            voxel_um=(z_um if z_um != y_um else None, y_um, x_um),
            time_points=grid.time_points,
            remarks=grid.remarks,
        )
    source = PlanesSource(grid, (like.size_y, like.size_x), like.dtype)
    reader = READER_OF_PICTURES if suffix(path) in PICTURE_SUFFIXES else READER
    found = acquisitions(path, reader, [(image, source)], list(grid.files.values()))
    start = grid.start if "{t}" in path.name else None
    return [replace(one, first_number=start, origins=replace(one.origins, axes="names")) for one in found]


def is_plane_whole(path: Path) -> bool:
    """Say whether the file of a plane is whole."""
    return picture_file.probe(path).state == "complete" if suffix(path) in PICTURE_SUFFIXES else is_whole(path)


class _Series:
    """What is known of a series' files, however often it is looked at while it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = WholeFiles(is_plane_whole)
        self._places = GrowingGrid(partial(numbers, path), "{t}" in path.name)

    def look(self) -> tuple[Grid, int]:
        """Return the planes that are whole, and how many files are not."""
        found = members(self._path)
        whole = self._whole.among(found)
        return self._places.of(whole), len(found) - len(whole)


_series = lru_cache(maxsize=8)(_Series)


def _single(path: Path) -> Acquisition:
    """Open a file of one plane."""
    found = picture_file.open_picture(path) if suffix(path) in PICTURE_SUFFIXES else open_tiff(path)
    one = found[0]
    if len(found) > 1 or (one.size_t, one.size_c, one.size_z) != (1, 1, 1):
        raise UnreadableInputError(f"{path} holds more than one plane, but its name says that it is one: {stem(path)}.")
    return one
