"""One file per plane: TIFFs or pictures of one plane each, whose names tell time point, slice and channel by a pattern.

All files of one acquisition are spoken of by one path, which is none of them: their common name with ``{t}``, ``{z}``
and ``{c}`` in place of the numbers, such as ``/data/embryo_t{t}_z{z}.tif``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.acquisition import Acquisition
from storage.errors import StorageError, UnreadableInputError
from storage.readers.bounded import BrokenFileError
from storage.readers.completion import Completion, of_planes
from storage.readers.file_stamp import FileStamp, file_stamp, is_at_rest
from storage.readers.fingerprint import fingerprint, of_files
from storage.readers.image import MOST_PLANES, Image, PlaneIndex, acquisitions
from storage.readers.names import PICTURE_SUFFIXES, stem, suffix
from storage.readers.pictures import picture_file
from storage.readers.series.plane_names import members, numbers
from storage.readers.tiff.chain import is_whole
from storage.readers.tiff.opening import open_tiff
from storage.spans import spoken
from tracking.steps import absent, step_of

READER, READER_OF_PICTURES = "tiff-planes", "picture-planes"


@dataclass(frozen=True)
class _Grid:
    """The files, in the order of their names, by place (t, c, z).

    Slices and channels count from the lowest number, time points from 0 or 1.
    """

    files: Mapping[PlaneIndex, Path]
    sizes: PlaneIndex
    start: int
    remarks: tuple[str, ...] = ()

    @property
    def time_points(self) -> tuple[int, ...]:
        """Those of which every plane is there that any time point has."""
        size_t, size_c, size_z = self.sizes
        every = [(c, z) for c in range(size_c) for z in range(size_z)]
        return tuple(t for t in range(size_t) if all((t, c, z) in self.files for c, z in every))


class PlanesSource:
    """Planes, each a file."""

    def __init__(self, files: Mapping[PlaneIndex, Path], shape: tuple[int, int], dtype: np.dtype) -> None:
        self._files = dict(files)
        self._by_t: dict[int, list[Path]] = {}
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
        if not self._by_t:
            for place, path in sorted(self._files.items()):
                self._by_t.setdefault(place[0], []).append(path)
        return self._by_t.get(t, [])


def probe(path: Path) -> Completion:
    """Return which time points of a series have all their planes, whole; complete when all have.

    Nothing in such a series tells how many planes will come: quiet time has to.
    """
    try:
        found = members(path)
        whole = _whole(path, found)
        grid = _grid(path, whole)
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except BrokenFileError as error:
        return Completion("incomplete", f"{path} is not a whole series of planes: {error}.")
    _, size_c, size_z = grid.sizes
    present = len({t for t, _, _ in grid.files})  # a time point of which nothing came is a gap, and not waited for
    declared = max(present * size_c * size_z, len(grid.files) + len(found) - len(whole))
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
        grid = _grid(path, _whole(path, members(path)))
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
    source = PlanesSource(grid.files, (like.size_y, like.size_x), like.dtype)
    reader = READER_OF_PICTURES if suffix(path) in PICTURE_SUFFIXES else READER
    found = acquisitions(path, reader, [(image, source)], list(grid.files.values()))
    start = grid.start if "{t}" in path.name else None
    return [replace(one, first_number=start, origins=replace(one.origins, axes="names")) for one in found]


def is_plane_whole(path: Path) -> bool:
    """Say whether the file of a plane is whole."""
    return picture_file.probe(path).state == "complete" if suffix(path) in PICTURE_SUFFIXES else is_whole(path)


def _whole(path: Path, files: Iterable[Path]) -> list[Path]:
    """Return those of a series' files that are whole; one that was is not looked into while its state is the same."""
    known, now, found = _seen_whole(path), dict[str, FileStamp](), []
    for file in files:
        try:
            stamp = file_stamp(os.stat(file))
        except OSError:
            continue
        name = file.name
        if known.get(name) == stamp or is_plane_whole(file):
            found.append(file)
            if is_at_rest(stamp):
                now[name] = stamp
    known.clear()
    known.update(now)
    return found


@lru_cache(maxsize=8)
def _seen_whole(path: Path) -> dict[str, FileStamp]:
    """The states in which files of a series were whole, by name."""
    del path
    return {}


def _grid(path: Path, files: Iterable[Path]) -> _Grid:
    told = {file: numbers(path, file) for file in files}
    if not told:
        raise BrokenFileError("it is gone, or none of its files is whole yet")
    times = [number["t"] for number in told.values()]
    start = 0 if 0 in times or "{t}" not in path.name else 1
    seen = {letter: sorted({number[letter] for number in told.values()}) for letter in "cz"}
    order = {letter: {n: i for i, n in enumerate(found)} for letter, found in seen.items()}
    placed: dict[PlaneIndex, Path] = {}
    for file, n in sorted(told.items(), key=lambda one: (len(one[0].name), one[0].name)):
        placed.setdefault((n["t"] - start, order["c"][n["c"]], order["z"][n["z"]]), file)  # of z1 and z01 the first
    sizes = (max(times) - start + 1, len(order["c"]), len(order["z"]))
    if sizes[0] * sizes[1] * sizes[2] > MOST_PLANES:
        raise BrokenFileError(f"its names claim the sizes {sizes} (T, C, Z)")
    return _Grid(placed, sizes, start, (*_twins(told, placed), *_absent_slices(seen["z"])))


def _twins(told: Iterable[Path], placed: Mapping[PlaneIndex, Path]) -> tuple[str, ...]:
    left_out = sorted(set(told) - set(placed.values()))
    many = f"{len(left_out)} files, such as {left_out[0].name}, have" if len(left_out) > 1 else ""
    one = f"{left_out[0].name} has" if left_out and not many else ""
    return (f"has two files for a plane: {many or one} the numbers of others and is left out",) if left_out else ()


def _absent_slices(numbers: list[int]) -> tuple[str, ...]:
    """Say it where slices are not there at any time point, so that those around them look like neighbours."""
    step = step_of(numbers)
    if len(numbers) * step * 100 < numbers[-1] - numbers[0]:
        return (f"has slices numbered from {numbers[0]} to {numbers[-1]}, but only {len(numbers)} of them",)
    missing = absent(numbers, step)
    if not missing:
        return ()
    return (f"has no slice number {spoken(missing)}: those around are taken for neighbours",)


def _single(path: Path) -> Acquisition:
    """Open a file of one plane."""
    found = picture_file.open_picture(path) if suffix(path) in PICTURE_SUFFIXES else open_tiff(path)
    one = found[0]
    if len(found) > 1 or (one.size_t, one.size_c, one.size_z) != (1, 1, 1):
        raise UnreadableInputError(f"{path} holds more than one plane, but its name says that it is one: {stem(path)}.")
    return one
