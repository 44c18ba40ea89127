"""The acquisition: one image with time, channels and slices, read plane by plane and never as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, overload

import numpy as np

from nuset_engine.arrays import PlaneYX
from storage.errors import StorageError
from storage.spans import spoken

VoxelSource = Literal["metadata", "configured", "none"]
VoxelSize = tuple[float, float, float]


class PlaneSource(Protocol):
    """What a reader provides: planes, and evidence of what they were read from.

    A source opens its files when first asked for a plane, and can be pickled: open files stay behind.
    """

    def plane(self, t: int, c: int, z: int) -> PlaneYX:
        """Return the (Y, X) plane at time point t, channel c, slice z."""
        ...

    def fingerprint(self, t: int) -> str:
        """Return a text that changes when the bytes that hold time point t change."""
        ...

    def close(self) -> None:
        """Close open files; a later read opens them again."""
        ...


class Planes(Sequence[PlaneYX]):
    """The slices of one channel at one time point, read when indexed.

    ``len()`` is the number of slices; ``planes[z]`` is (Y, X); a slice object gives a list of planes.
    """

    def __init__(self, source: PlaneSource, t: int, c: int, size_z: int) -> None:
        self._source = source
        self._t = t
        self._c = c
        self._size_z = size_z

    def __len__(self) -> int:
        return self._size_z

    @overload
    def __getitem__(self, z: int) -> PlaneYX: ...

    @overload
    def __getitem__(self, z: slice) -> list[PlaneYX]: ...

    def __getitem__(self, z: int | slice) -> PlaneYX | list[PlaneYX]:
        if isinstance(z, slice):
            return [self[i] for i in range(*z.indices(self._size_z))]
        index = z + self._size_z if z < 0 else z
        if not 0 <= index < self._size_z:
            raise IndexError(f"slice {z} is outside of 0..{self._size_z - 1}")
        return self._source.plane(self._t, self._c, index)

    def __iter__(self) -> Iterator[PlaneYX]:
        return (self[z] for z in range(self._size_z))


@dataclass(frozen=True, eq=False)
class Acquisition:
    """One image of a microscope, lazily.

    Attributes
    ----------
    name : str
        Short name for people; file names derive from it.
    source_path : Path
        The file or folder that it comes from. For one file per time point: the folder joined with the names' common
        pattern, such as ``/data/exp1_t*.tif``. With several images (scenes, positions, series) in one file,
        ``file.czi#2``: each is an acquisition.
    files : tuple of Path
        The files (or the OME-Zarr folder) that hold it.
    reader : str
        Name of the reader: ``ome-tiff``, ``imagej-tiff``, ``tiff``, ``lsm``, ``micromanager``, ``ndtiff``, ``oif``,
        ``oib``, ``oir``, ``czi``, ``nd2``, ``lif``, ``ome-zarr``; with ``-sequence`` behind it for one file
        per time point.
    size_t, size_c, size_z, size_y, size_x : int
        Sizes of the axes. `size_t` counts up to the last time point present, gaps included.
    dtype : numpy dtype of the planes
    voxel_size_um : (z, y, x) in micrometres, or None
        For a single plane whose metadata has no slice distance, z repeats y: nothing is measured along it.
    voxel_source : where the voxel size is from; ``none`` goes with ``voxel_size_um`` None
    frame_interval_s : float or None
        Seconds between time points.
    channel_names : tuple of str, one per channel
    time_points : tuple of int
        The time points that are present now, ascending.
    source : PlaneSource
    first_number : int or None
        One file per time point: the number in the file name that is time point 0.
    time_stamps_s : tuple of float
        Seconds from the first time point to each of the `size_t` time points, where the file says; else empty.
    started_at : str or None
        When the acquisition began, as the file says it: ISO 8601, the microscope's local time where no zone is given.
    """

    name: str
    source_path: Path
    files: tuple[Path, ...]
    reader: str
    size_t: int
    size_c: int
    size_z: int
    size_y: int
    size_x: int
    dtype: np.dtype
    voxel_size_um: VoxelSize | None
    voxel_source: VoxelSource
    frame_interval_s: float | None
    channel_names: tuple[str, ...]
    time_points: tuple[int, ...]
    source: PlaneSource
    first_number: int | None = None
    time_stamps_s: tuple[float, ...] = ()
    started_at: str | None = None

    def plane(self, t: int, c: int, z: int) -> PlaneYX:
        """Read one plane.

        Returns
        -------
        (Y, X) array of `dtype`

        Raises
        ------
        StorageError
            When the index is outside of the image, or the file can no longer be read.
        """
        self._check(t, c)
        if not 0 <= z < self.size_z:
            raise StorageError(f"{self.name} has no slice {z}: its slices are 0 to {self.size_z - 1}.")
        return self.source.plane(t, c, z)

    def planes(self, t: int, c: int) -> Planes:
        """Return the slices of channel c at time point t, (Y, X) each, read when indexed."""
        self._check(t, c)
        return Planes(self.source, t, c, self.size_z)

    def fingerprint(self, t: int) -> str:
        """Return a text that changes when what holds time point t changes: size, time of change, sampled bytes."""
        self._check(t, 0)
        return self.source.fingerprint(t)

    def file_of(self, t: int) -> Path:
        """Return what holds time point t: its own file where there is one per time point, else the source."""
        if self.first_number is None or len(self.files) != len(self.time_points):
            return self.source_path
        return self.files[self.time_points.index(t)]

    def channel(self, channel: int | str | None) -> int:
        """Return the index of a channel given by index or by name (case does not matter); None is the first.

        Raises
        ------
        StorageError
            When there is no such channel; the message lists those that are there.
        """
        if channel is None:
            return 0
        if isinstance(channel, int) or channel.isdigit():
            if 0 <= int(channel) < self.size_c:
                return int(channel)
        else:
            matches = [i for i, n in enumerate(self.channel_names) if n.casefold() == channel.strip().casefold()]
            if matches:
                return matches[0]
        there = ", ".join(f"{i} ({n})" for i, n in enumerate(self.channel_names))
        raise StorageError(f"{self.name} has no channel {channel!r}: choose one of {there}.")

    def with_voxel_size(self, voxel_size_um: Sequence[float] | None) -> Acquisition:
        """Return the same acquisition with a configured voxel size, if its metadata gave none.

        The file's own metadata is kept where there is any: it was written by the instrument.

        Raises
        ------
        StorageError
            When the size is not three positive numbers.
        """
        if voxel_size_um is None or self.voxel_source == "metadata":
            return self
        return replace(self, voxel_size_um=checked_voxel_size(voxel_size_um), voxel_source="configured")

    def close(self) -> None:
        """Close open files; reading again reopens them."""
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self, t: int, c: int) -> None:
        if t not in self.time_points:
            raise StorageError(f"{self.name} has no time point {t}: {spoken(self.time_points)} are there.")
        if not 0 <= c < self.size_c:
            raise StorageError(f"{self.name} has no channel {c}: its channels are 0 to {self.size_c - 1}.")


def checked_voxel_size(voxel_size_um: Sequence[float]) -> VoxelSize:
    """Return (z, y, x) as floats.

    Raises
    ------
    StorageError
        When the size is not three positive, finite numbers.
    """
    values = tuple(float(v) for v in voxel_size_um)
    if len(values) != 3 or not all(math.isfinite(v) and v > 0 for v in values):
        raise StorageError(f"Voxel size {tuple(voxel_size_um)!r} is not three positive numbers (Z,Y,X in micrometres).")
    return (values[0], values[1], values[2])
