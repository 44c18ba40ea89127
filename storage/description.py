"""What is said about an image: its axes, sizes, voxel size, channels and times, each with where it is known from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np

from nuset_engine.voxels import VoxelSize
from storage.errors import StorageError

VoxelSource = Literal["metadata", "configured", "none"]
Origin = Literal["metadata", "configured", "measured", "guessed", "names", "none"]


@dataclass(frozen=True)
class Origins:
    """Where facts are known from.

    ``metadata``: the file says it. ``configured``: a person does. ``measured``: it follows from what the file says of
    something else. ``guessed``: it is likely. ``names``: the numbers in the names of its files say it. ``none``: it is
    not known, or made up as a name for people.

    Attributes
    ----------
    axes : which dimension is which, and so the sizes
    frame_interval
    channel_names
    time : which time point is which; None: as the other axes
    """

    axes: Origin = "metadata"
    frame_interval: Origin = "none"
    channel_names: Origin = "none"
    time: Origin | None = None


@dataclass(frozen=True, eq=False)
class Description:
    """What is said about one image of a microscope, in plain values.

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
        ``oib``, ``oir``, ``czi``, ``nd2``, ``lif``, ``stk``, ``metamorph``, ``ims``, ``png``, ``jpeg``, ``ome-zarr``;
        with ``-sequence`` behind it for one file per time point, ``tiff-planes`` or ``picture-planes`` for one
        per plane.
    size_t, size_c, size_z, size_y, size_x : int
        Sizes of the axes. `size_t` counts up to the last time point present, gaps included.
    dtype : numpy dtype of the planes
    voxel_size_um : (z, y, x) in micrometres, or None
        For a single plane whose metadata has no slice distance, z repeats y: nothing is measured along it.
    voxel_source
        Where the voxel size is from; ``none`` goes with ``voxel_size_um`` None
    frame_interval_s : float or None
        Seconds between time points.
    channel_names : tuple of str, one per channel
    time_points : tuple of int
        The time points that are present now, ascending.
    first_number : int or None
        One file per time point, or per plane: the number in the file name that is time point 0.
    time_stamps_s : tuple of float
        Seconds from the first time point to each of the `size_t` time points, where the file says; else empty.
    started_at : str or None
        When the acquisition began, as the file says it: ISO 8601, the microscope's local time where no zone is given.
    stage_um : (y, x) or None
        Where the stage stood, as the file says it; of several time points for the first.
    stages_um : mapping of t to (y, x)
        The same for each time point of which the file says it.
    origins : Origins
        Where the other facts are from.
    overruled : mapping
        What the file says and a person overrules: `voxel_size_um`, `frame_interval_s`.
    remarks : tuple of str
        What people must know of how the file was understood: what it says against itself, what was left out or is
        doubted. Each is one sentence that names the file.
    lacking : tuple of str
        What of it is declared and not there; a sentence each. Of an image that grows it may still come.
    drawn : str or None
        Why it is taken for labels or a mask, and is not processed; a sentence that says what to do.
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
    first_number: int | None = None
    time_stamps_s: tuple[float, ...] = ()
    started_at: str | None = None
    stage_um: tuple[float, float] | None = None
    stages_um: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    origins: Origins = field(default_factory=Origins)
    remarks: tuple[str, ...] = ()
    overruled: Mapping[str, Any] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    drawn: str | None = None

    def stages(self, times: Iterable[int]) -> dict[int, tuple[float, float]]:
        """Return where the stage stood, (y, x), at those of some time points of which the file says it.

        `stage_um` counts for the first one of the file: of later ones, and of further files, it may not hold.
        """
        times = list(times)
        first = 0 if self.first_number is None else min(times, default=0)
        known = dict(self.stages_um)
        if self.stage_um is not None:
            known.setdefault(first, self.stage_um)
        return {t: known[t] for t in times if t in known}

    def file_of(self, t: int) -> Path:
        """Return what holds time point t: its own file where there is one per time point, else the source.

        A set of files may be called by one that is not there: then it is one that is.
        """
        if self.first_number is not None and len(self.files) == len(self.time_points):
            return self.files[self.time_points.index(t)]
        file = Path(str(self.source_path).rpartition("#")[0] or self.source_path)
        return (
            self.files[0] if self.reader == "ome-tiff" and self.files and file not in self.files else self.source_path
        )

    def shift_from(self, first_number: int | None) -> int:
        """Return what is added to time points, for one file each, where another number of these counts as 0."""
        if self.first_number is None or first_number is None or not self.reader.endswith("-sequence"):
            return 0
        return self.first_number - first_number

    def source_t(self, t: int) -> int:
        """Return a time point as people write it: the number in its file's name, else t itself."""
        return t + (self.first_number or 0)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What people must be told before they believe a result: remarks, and what was guessed; a sentence each."""
        return (*self.remarks, *self._doubts_of_axes, *self._doubts_of_voxels, *self._doubts_of_times)

    @property
    def _doubts_of_axes(self) -> tuple[str, ...]:
        if self.origins.axes != "guessed":
            return ()
        counts = [(self.size_z, "slices"), (self.size_t, "time points")]
        taken = " and ".join(f"{count} {what}" for count, what in counts if count > 1)
        return (f"{self.source_path} does not say what its planes are: they are taken for {taken} without --axes.",)

    @property
    def _doubts_of_voxels(self) -> tuple[str, ...]:
        if self.voxel_source != "metadata" or self.voxel_size_um is None:
            return ()
        if self.voxel_size_um == (1.0, 1.0, 1.0):
            return (
                f"{self.source_path} says that its voxels are 1 x 1 x 1 um, which programs also write where nobody "
                "told them: if it is not so, give their size with --voxel-size-override.",
            )
        z, y, x = self.voxel_size_um
        usual = _PIXELS_UM[0] <= min(y, x) and max(y, x) <= _PIXELS_UM[1] and max(y, x) <= _FLATTEST * min(y, x)
        if usual and (self.size_z == 1 or _SLICES_UM[0] <= z <= _SLICES_UM[1]):
            return ()
        said = f"{z:.4g} x {y:.4g} x {x:.4g}" if self.size_z > 1 else f"{y:.4g} x {x:.4g}"
        return (
            f"{self.source_path} says that its voxels are {said} um, which no usual microscope has: give the right "
            "ones with --voxel-size-override Z,Y,X (or Y,X).",
        )

    @property
    def _doubts_of_times(self) -> tuple[str, ...]:
        """Times that follow each other otherwise than the one interval says which counts for all of them."""
        interval, steps = self.frame_interval_s, [b - a for a, b in pairwise(self.time_stamps_s)]
        if not interval or not steps or self.origins.frame_interval == "configured":
            return ()
        usual = median(steps)
        remedy = "if another one is right, give it with --frame-interval SECONDS."
        if not math.isclose(usual, interval, rel_tol=_SAME_INTERVAL):
            return (
                f"{self.source_path} says that its time points are {interval:.4g} s apart, and gives times that are "
                f"{usual:.4g} s apart: the former is taken; {remedy}",
            )
        if min(steps) * _UNEVEN < interval or max(steps) > _UNEVEN * interval:
            return (
                f"{self.source_path} was recorded at uneven times, {min(steps):.4g} to {max(steps):.4g} s apart: "
                f"times and speeds are told as if it were {interval:.4g} s throughout; {remedy}",
            )
        return ()

    @property
    def lacks(self) -> tuple[str, ...]:
        """What is not known and leaves results empty, with the remedy; a sentence each."""
        is_series = self.size_t > 1 or self.first_number is not None
        if not is_series or self.frame_interval_s is not None:
            return ()
        return (
            f"{self.source_path} does not say the time between its time points: times and speeds stay empty "
            "without --frame-interval SECONDS.",
        )

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


_SAME_INTERVAL, _UNEVEN = 0.1, 2.0
"""How far times may be from the interval that is declared, and how many times as long, or short, a step may be."""
_PIXELS_UM, _SLICES_UM, _FLATTEST = (0.01, 20.0), (0.01, 200.0), 3.0
"""Heights and widths of pixels and distances of slices in images of nuclei, and how far from square pixels are."""
