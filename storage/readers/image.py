"""From what a reader found in a file to acquisitions: sane limits, names, voxel size, and planes that open late."""

from __future__ import annotations

import itertools
import weakref
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from nuset_engine.arrays import PlaneYX
from nuset_engine.voxels import VoxelSize
from storage.acquisition import Acquisition, PlaneSource
from storage.description import Origin, Origins, VoxelSource
from storage.errors import StorageError, UnreadableInputError
from storage.readers.bounded import BrokenFileError
from storage.readers.fingerprint import VERSION, Extent, FreshFiles, fingerprint, of_content
from storage.readers.names import stem

# No microscope makes larger planes, or more of them, but damaged headers claim them, and reading would fill the memory.
LARGEST_PLANE_PIXELS = 1 << 31
MOST_PLANES = 10_000_000

PlaneIndex = tuple[int, int, int]
"""Time point, channel and slice."""
Voxel = tuple[float | None, float | None, float | None]


class Closable(Protocol):
    """What a library gives for an open file."""

    def close(self) -> None:
        """Close it."""
        ...


Handle = TypeVar("Handle", bound=Closable)


class HandleSource(ABC, Generic[Handle]):
    """Planes of one image in a file that is opened when first asked, and left behind when pickled."""

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self._path = path
        self._files = tuple(files)
        self._handle: Handle | None = None
        self._closing: weakref.finalize[..., Any] | None = None
        self._former: str | None = None

    @abstractmethod
    def _open(self) -> Handle:
        """Open the file."""

    @abstractmethod
    def _read(self, handle: Handle, t: int, c: int, z: int) -> PlaneYX:
        """Read a (Y, X) plane."""

    def plane(self, t: int, c: int, z: int) -> PlaneYX:
        """Return the (Y, X) plane at time point t, channel c, slice z."""
        try:
            plane = np.asarray(self._read(self._opened(), t, c, z))
            if plane.ndim != 2:
                raise ValueError(f"it has the shape {plane.shape}")
        except MemoryError:
            raise
        except Exception as error:  # whatever damaged bytes make a library or a codec raise
            raise StorageError(
                f"Plane t={t} c={c} z={z} of {self._path} cannot be read ({first_line(error)}): "
                "the file is damaged or was replaced."
            ) from error
        return np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("="))

    @abstractmethod
    def fingerprint(self, t: int) -> str:
        """Return the fingerprint of the planes of time point t, as they lie at the path now."""

    def former_fingerprint(self, t: int) -> str | None:
        """Return what versions before said: one text for all time points of a file."""
        del t
        if self._former is None:
            self._former = fingerprint(self._files)
        return self._former

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        closing, self._handle, self._closing = self._closing, None, None
        if closing is not None:
            closing()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind when pickled."""
        return {**self.__dict__, "_handle": None, "_closing": None}

    def _opened(self) -> Handle:
        if self._handle is None:
            return self._held(self._open())
        return self._handle

    def _held(self, handle: Handle) -> Handle:
        """Keep a file open until it is closed, or nobody has the source any more, or the program ends."""
        self._handle, self._closing = handle, weakref.finalize(self, handle.close)
        return handle


class ExtentSource(HandleSource[Handle]):
    """Planes of which it is known where their bytes are."""

    @abstractmethod
    def extents(self, t: int) -> list[list[Extent]]:
        """Return where the bytes of each plane of a time point are."""

    def fingerprint(self, t: int) -> str:
        """Return the fingerprint of the planes of time point t, as they lie at the path now."""
        try:
            with FreshFiles() as files:
                return of_content(self.extents(t), files)
        except BrokenFileError:
            return f"{VERSION}broken"  # it is not what was opened any more


@dataclass(frozen=True)
class Image:
    """What a file says about one of its images.

    Attributes
    ----------
    shape : (T, C, Z, Y, X)
    dtype : numpy dtype of the planes
    voxel_um : (z, y, x) in micrometres, None for what the file does not say
    channel_names : tuple of str
        May be shorter than C, or hold empty texts.
    interval_s, time_stamps_s, started_at
        As in `Acquisition`; without an interval, it follows from the time stamps.
    name : str
        Of the scene, position or series; used where a file holds several.
    time_points : tuple of int, or None for all
    number : int or None
        Behind ``#``, where some images of a file are left out and the others keep theirs; else they are counted.
    remarks : tuple of str
        The ends of sentences about the file that people must know.
    stage_um : (y, x) or None
        Where the stage stood.
    stages_um : mapping of t to (y, x)
        The same of each time point, where the file says it.
    lacking : tuple of str
        As in `Description`.
    """

    shape: tuple[int, int, int, int, int]
    dtype: np.dtype
    voxel_um: Voxel = (None, None, None)
    channel_names: tuple[str, ...] = ()
    interval_s: float | None = None
    time_stamps_s: tuple[float, ...] = ()
    started_at: str | None = None
    name: str = ""
    time_points: tuple[int, ...] | None = None
    samples: int = field(default=1)
    number: int | None = None
    remarks: tuple[str, ...] = ()
    stage_um: tuple[float, float] | None = None
    stages_um: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()


def acquisitions(
    path: Path, reader: str, images: Sequence[tuple[Image, PlaneSource]], files: Sequence[Path]
) -> list[Acquisition]:
    """Return an acquisition for each image of a file; several are told apart by their number behind ``#``.

    Raises
    ------
    UnreadableInputError
        When there is none, or one has sizes or pixels that no microscope makes.
    """
    if not images:
        raise UnreadableInputError(f"{path} holds no image: export it again.")
    names = Counter(image.name for image, _ in images)
    several = len(images) > 1 or any(image.number is not None for image, _ in images)
    found = []
    for i, (image, source) in enumerate(images):
        n = i if image.number is None else image.number
        own = image.name if image.name and names[image.name] == 1 else f"{image.name}{'-' if image.name else ''}{n}"
        where = path.with_name(f"{path.name}#{n}") if several else path
        name = f"{stem(path)}_{own}" if several else stem(path)
        found.append(_acquisition(path, reader, image, source, tuple(files), where, name))
    return found


def _acquisition(
    path: Path, reader: str, image: Image, source: PlaneSource, files: tuple[Path, ...], where: Path, name: str
) -> Acquisition:
    t, c, z, y, x = image.shape
    if min(image.shape) < 1 or y * x > LARGEST_PLANE_PIXELS or t * c * z > MOST_PLANES:
        raise UnreadableInputError(f"{path} claims the size {image.shape} (T, C, Z, Y, X): it is damaged.")
    dtype = np.dtype(image.dtype)
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise UnreadableInputError(f"{path} holds pixels of type {dtype}: export it as 8 or 16 bit grey values.")
    voxel, said = voxel_size(image.voxel_um, z)
    stamps = image.time_stamps_s if len(image.time_stamps_s) == t else ()
    return Acquisition(
        name=name,
        source_path=where,
        files=files,
        reader=reader,
        size_t=t,
        size_c=c,
        size_z=z,
        size_y=y,
        size_x=x,
        dtype=dtype.newbyteorder("="),
        voxel_size_um=voxel,
        voxel_source=said,
        frame_interval_s=image.interval_s or interval_of(stamps),
        origins=origins(image.interval_s, stamps, image.channel_names),
        channel_names=channel_names(image.channel_names, c, image.samples),
        time_points=tuple(range(t)) if image.time_points is None else image.time_points,
        source=source,
        time_stamps_s=stamps,
        started_at=image.started_at,
        stage_um=image.stage_um,
        stages_um=image.stages_um,
        remarks=tuple(f"{path} {remark}." for remark in image.remarks),
        lacking=image.lacking,
    )


def origins(
    interval_s: float | None, stamps_s: Sequence[float], channels: Sequence[str], axes: Origin = "metadata"
) -> Origins:
    """Return where facts are known from, by what a file says."""
    measured: Origin = "measured" if interval_of(stamps_s) else "none"
    return Origins(axes, "metadata" if interval_s else measured, "metadata" if any(channels) else "none")


def interval_of(time_stamps_s: Sequence[float]) -> float | None:
    """Return the median distance of time stamps in seconds; None for fewer than two, or where time stands still."""
    steps = [b - a for a, b in itertools.pairwise(time_stamps_s)]
    middle = median(steps) if steps else 0.0
    return float(f"{middle:.9g}") if middle > 0 else None


def voxel_size(voxel_um: Voxel, size_z: int) -> tuple[VoxelSize | None, VoxelSource]:
    """Return the voxel size if the metadata says enough, and where it is from.

    A single plane needs no slice distance; z then repeats y, and nothing is measured along it.
    """
    z_um, y_um, x_um = voxel_um
    if y_um is None or x_um is None or (z_um is None and size_z > 1):
        return None, "none"
    return (z_um if z_um is not None else y_um, y_um, x_um), "metadata"


def channel_names(names: tuple[str, ...], size_c: int, samples: int) -> tuple[str, ...]:
    """Return one distinct name per channel, made up where the file gives none."""
    if samples > 1:
        colours = ("red", "green", "blue", "alpha")
        stems = [names[i] if i < len(names) and names[i] else "" for i in range(size_c // samples)]
        names = tuple(f"{name} {colours[s] if s < 4 else s}".strip() for name in stems for s in range(samples))
    filled = [names[i] if i < len(names) and names[i] else f"channel {i}" for i in range(size_c)]
    times = Counter(filled)
    return tuple(name if times[name] == 1 else f"{name} ({i})" for i, name in enumerate(filled))


def first_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    return (str(error) or type(error).__name__).splitlines()[0]
