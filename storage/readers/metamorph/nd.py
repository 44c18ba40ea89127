"""The ``.nd`` file of MetaMorph: an experiment as a list of settings, its planes in a file for each wavelength,
position and time point beside it, whose name has the numbers of these.

Files are found by their numbers, whatever a wavelength is called in their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.acquisition import Acquisition
from storage.errors import StorageError, UnreadableInputError
from storage.readers.bounded import BoundedFile, BrokenFileError
from storage.readers.completion import Completion, of_planes
from storage.readers.fingerprint import fingerprint, of_files
from storage.readers.image import HandleSource, Image, Voxel, acquisitions
from storage.readers.metamorph import settings, stk
from storage.readers.metamorph.settings import Experiment, FilePlace
from storage.readers.metamorph.stk import StkLayout
from storage.readers.tiff.chain import is_whole
from storage.readers.tiff.opening import open_tiff
from storage.readers.whole_files import WholeFiles


def is_member_whole(path: Path) -> bool:
    """Say whether one file of an experiment is whole; looked into again only when it changed."""
    try:
        status = path.stat()
        return _is_whole(path, status.st_size, status.st_mtime_ns)
    except OSError:  # of this moment: it is not remembered
        return False


@lru_cache(maxsize=100_000)
def _is_whole(path: Path, size: int, mtime_ns: int) -> bool:
    del size, mtime_ns  # by these it is told from the file before
    try:
        stack = stk.read(path)
    except (BrokenFileError, StorageError):
        return path.suffix.lower() != ".stk" and is_whole(path)
    return stack.there == stack.planes


@dataclass(frozen=True)
class _There:
    """The whole files by place, and how many there are in all."""

    files: Mapping[FilePlace, Path]
    present: int

    def time_points(self, said: Experiment, position: int) -> tuple[int, ...]:
        """Those of which every file is there that is read."""
        return tuple(t for t in range(said.sizes[0]) if all((t, c, position) in self.files for c in said.kept))


def _there(path: Path, said: Experiment) -> _There:
    found = dict(settings.placed(path, said))
    whole = set(_whole(path).among(list(found.values())))
    return _There({place: file for place, file in found.items() if file in whole}, len(found))


@lru_cache(maxsize=8)
def _whole(path: Path) -> WholeFiles:
    del path  # each experiment has its own
    return WholeFiles(is_member_whole)


class _Member:
    """A file of an experiment, open; it has the slices of one wavelength, position and time point."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack: StkLayout | None = None
        self._plain: Acquisition | None = None
        try:
            self._stack = stk.read(path)
        except BrokenFileError:  # a TIFF of others
            (self._plain,) = open_tiff(path)
            self.shape = (self._plain.size_z, self._plain.size_y, self._plain.size_x)
            self.dtype = self._plain.dtype
            self.voxel_um: Voxel = self._plain.voxel_size_um or (None, None, None)
            self.begun_s: float | None = None
            return
        stack = self._stack
        self.shape, self.dtype = (stack.planes, stack.height, stack.width), stack.dtype.newbyteorder("=")
        self.voxel_um, self.begun_s = (stack.z_um, stack.y_um, stack.x_um), stack.begun_s

    def plane(self, z: int) -> PlaneYX:
        """Return a slice."""
        if self._stack is None:
            assert self._plain is not None  # one of the two
            return self._plain.plane(0, 0, z)
        with BoundedFile(self.path) as file:
            return stk.plane(file, self._stack, z)

    def close(self) -> None:
        """Close what is open."""
        if self._plain is not None:
            self._plain.close()


class NdSource(HandleSource[_Member]):
    """The planes of one position, of which one file is open at a time."""

    def __init__(self, path: Path, files: Mapping[tuple[int, int], Path], shape: tuple[int, int, int]) -> None:
        super().__init__(path, (path,))
        self._of = dict(files)
        self._size_c = 1 + max(c for _, c in files)
        self._shape = shape

    def files_of(self, t: int) -> list[Path]:
        """Return the files of a time point."""
        return [self._of[t, c] for c in range(self._size_c) if (t, c) in self._of]

    def fingerprint(self, t: int) -> str:
        """Return the fingerprint of the time point's files."""
        return of_files(self.files_of(t))

    def former_fingerprint(self, t: int) -> str:
        """Return the text that versions before would have made of these files."""
        return fingerprint(self.files_of(t))

    def _open(self) -> _Member:
        return _Member(min(self._of.values()))

    def _read(self, handle: _Member, t: int, c: int, z: int) -> PlaneYX:
        member = handle
        if handle.path != self._of[t, c]:
            self.close()
            member = self._held(_Member(self._of[t, c]))
        if member.shape != self._shape:
            raise ValueError(f"{member.path.name} has the size {member.shape} instead of {self._shape}")
        return member.plane(z)


def probe(path: Path) -> Completion:
    """Return whether an experiment is whole: every file that its settings speak of is there, with all its planes."""
    try:
        said = settings.read(path)
        there = _there(path, said)
    except OSError as error:
        return Completion("incomplete", f"{path} cannot be read ({error.strerror or error}).")
    except BrokenFileError as error:
        return Completion("incomplete", f"{path} is not a whole experiment of MetaMorph: {error}.")
    declared = said.sizes[0] * said.sizes[1] * said.sizes[2]
    ready = [set(there.time_points(said, p)) for p in range(said.sizes[2])]
    return of_planes(path, len(there.files), declared, tuple(sorted(set.intersection(*ready))))


def open_nd(path: Path, axes: str | None = None) -> list[Acquisition]:
    """Return the images of an experiment, one for each position of which something is there.

    Raises
    ------
    UnreadableInputError
        When its settings cannot be read, or none of its files is there.
    """
    del axes  # the settings name them
    try:
        said = settings.read(path)
        there = _there(path, said)
        found = [one for p in range(said.sizes[2]) if (one := _position(path, said, there, p)) is not None]
    except UnreadableInputError:
        raise
    except (BrokenFileError, OSError) as error:
        raise UnreadableInputError(f"{path} cannot be read as an experiment of MetaMorph ({error}).") from error
    if not found:
        raise UnreadableInputError(f"{path} has no time point with all its files beside it: copy or export it again.")
    files = (path, *there.files.values())
    opened = acquisitions(path, "metamorph", [(image, source) for image, source, _ in found], files)
    return [
        replace(one, origins=replace(one.origins, frame_interval="measured" if one.frame_interval_s else "none"))
        for one in opened
    ]


def _position(path: Path, said: Experiment, there: _There, p: int) -> tuple[Image, NdSource, int] | None:
    points = there.time_points(said, p)
    if not points:
        return None
    first = _Member(there.files[points[0], said.kept[0], p])
    z_um, y_um, x_um = first.voxel_um
    if first.shape[0] != said.depth:
        raise UnreadableInputError(
            f"{path} speaks of {said.depth} slices, and {first.path.name} has {first.shape[0]}: export it again."
        )
    left_out = ", ".join(said.waves[c] or str(c + 1) for c in range(said.sizes[1]) if c not in said.kept)
    image = Image(
        shape=(said.sizes[0], len(said.kept), said.depth, *first.shape[1:]),
        dtype=np.dtype(first.dtype),
        voxel_um=(said.z_um or (z_um if said.depth > 1 else None), y_um, x_um),
        channel_names=tuple(said.waves[c] for c in said.kept),
        interval_s=_interval(said, there, p, points),
        started_at=said.started_at,
        name=said.positions[p] or f"position {p + 1}",
        time_points=points,
        number=p if said.sizes[2] > 1 else None,
        remarks=(f"has single planes of {left_out}, which are left out beside the stacks",) if left_out else (),
    )
    files = {(t, n): there.files[t, c, p] for t in points for n, c in enumerate(said.kept)}
    first.close()
    return image, NdSource(path, files, first.shape), p


def _interval(said: Experiment, there: _There, p: int, points: tuple[int, ...]) -> float | None:
    """Return the mean time between time points, from when the first and the last were taken."""
    if len(points) < 2:
        return None
    begun = [_Member(there.files[t, said.kept[0], p]).begun_s for t in (points[0], points[-1])]
    if begun[0] is None or begun[1] is None or begun[1] <= begun[0]:
        return None
    return round((begun[1] - begun[0]) / (points[-1] - points[0]), 3)
