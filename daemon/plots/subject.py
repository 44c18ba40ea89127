"""What is drawn: an acquisition's nuclei and tracks, and one time point of its image and labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

import storage
from daemon.errors import UsageError
from daemon.plots.style import TimeScale, counted
from nuset_engine.arrays import IntsN, LabelsZYX, StackZYX, VectorZYX
from storage import readers
from storage.results import AcquisitionResults
from storage.schema.rows import AcquisitionRow
from storage.spans import spoken

LARGEST_VOXELS = 40_000_000
"""A stack with more than that is drawn from a smaller level of its pyramid."""
LARGEST_SIDE_PX = 1400
SMALLEST_LEVEL_PX = 256
"""A plane that is no larger has no smaller level."""


@dataclass(frozen=True)
class Stack:
    """One time point, perhaps at reduced size.

    Attributes
    ----------
    t : int
    image, labels : (Z, Y, X)
    extent : (float, float, float)
        Lengths along z, y, x in the subject's unit.
    """

    t: int
    image: StackZYX
    labels: LabelsZYX
    extent: tuple[float, float, float]

    @property
    def pixel(self) -> VectorZYX:
        """Size of a pixel along z, y, x."""
        return np.array(self.extent) / self.image.shape


@dataclass(frozen=True)
class Subject:
    """The results of an acquisition.

    Attributes
    ----------
    name : str
    unit : str
        Of lengths: ``µm`` or ``px``.
    scale : TimeScale
        Of time points.
    times : (N,) int64
        The time points that are there, ascending.
    step : int
        From one time point to the next, where none is absent.
    first_number : int
        What people call t = 0.
    nuclei : pandas.DataFrame
        Columns t, label, track_id (Int64), z, y, x, size; ordered by t and label.
    tracks : pandas.DataFrame
        Columns track_id, parent_track_id (Int64), first_t, last_t, generation, root_track_id.
    channel : str
        Which one shows the nuclei, where there are several; else nothing.
    size_name, size_unit : str
        What `size` is: ``volume`` in ``µm³``, ``area`` in ``µm²``, or the same in pixels.
    """

    name: str
    unit: str
    scale: TimeScale
    times: IntsN
    step: int
    first_number: int
    nuclei: pd.DataFrame
    tracks: pd.DataFrame
    size_name: str
    size_unit: str
    channel: str = ""

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last time point that is there; 0 without any."""
        return (int(self.times[0]), int(self.times[-1])) if len(self.times) else (0, 0)

    @property
    def cells(self) -> IntsN:
        """Cells at each of `times`: tracks that are alive then, also where a nucleus was missed."""
        first, last = (np.sort(self.tracks[name].to_numpy(np.int64)) for name in ("first_t", "last_t"))
        alive: IntsN = np.searchsorted(first, self.times, side="right") - np.searchsorted(last, self.times)
        return alive

    @property
    def numbered_by(self) -> str:
        """The column whose numbers pictures show: tracks, where there is a course of time."""
        return "track_id" if len(self.times) > 1 else "label"

    @property
    def numbering(self) -> str:
        """The same in words."""
        return "numbered by track" if len(self.times) > 1 else "numbered by label"

    @property
    def births(self) -> pd.DataFrame:
        """One row per division: the track of a daughter."""
        return self.tracks.dropna(subset=["parent_track_id"]).drop_duplicates("parent_track_id")

    @property
    def in_words(self) -> str:
        """Cells, divisions and detections, as pictures say them; of a single time point its nuclei."""
        if len(self.times) < 2:
            return counted(len(self.nuclei), "nucleus", "nuclei")
        cells, divisions = int(self.cells[-1]) if len(self.times) else 0, len(self.births)
        counts = ((cells, "cell"), (divisions, "division"), (len(self.nuclei), "detection"))
        cells_at_end, *others = (counted(count, word) for count, word in counts)
        return ", ".join((f"{cells_at_end} at the end", *others))


def load(url: str, acquisition: int | str) -> tuple[Subject, AcquisitionResults]:
    """Return an acquisition's tables, and where its images are.

    Raises
    ------
    StorageError
        When there is no such acquisition.
    """
    found = storage.open(url)[acquisition]
    about = found.about
    flat, in_um = (about.size_z or 1) == 1, about.unit == "um"
    column = ("area_um2" if flat else "volume_um3") if in_um else "volume_px"
    places = {f"centroid_{axis}_{about.unit}": axis for axis in "zyx"}
    nuclei = found.nuclei(columns=["t", "label", "track_id", *places, column])
    unit = "µm" if in_um else "px"
    times = found.counts()["t"].to_numpy(np.int64)
    last_t = int(times[-1]) if len(times) else (about.size_t or 1) - 1
    return Subject(
        name=found.name,
        unit=unit,
        scale=TimeScale(about.seconds_per_t, last_t, about.first_number or 0),
        times=times,
        step=about.step,
        first_number=about.first_number or 0,
        nuclei=nuclei.rename(columns={**places, column: "size"}).astype({"size": "float64"}),
        tracks=found.lineage(),
        size_name="area" if flat else "volume",
        size_unit=f"{unit}{'²' if flat else '³'}",
        channel=about.channel_in_words if (about.size_c or 1) > 1 else "",
    ), found


def stack(found: AcquisitionResults, source_t: int | None) -> Stack:
    """Return one time point, the last one that readers see when none is asked for.

    Parameters
    ----------
    found : AcquisitionResults
    source_t : int or None
        As people write it.

    Raises
    ------
    UsageError
        When the time point is not there (yet).
    StorageError
        When the OME-Zarr is gone.
    """
    about, there = found.about, shown_times(found)
    wanted = None if source_t is None else source_t - (about.first_number or 0)
    if not there:
        raise UsageError(f"{found.name} has no time point to draw: none is there yet.")
    if wanted is not None and wanted not in there:
        others = spoken(about.source_t(t) for t in there)
        raise UsageError(f"{found.name} has no time point {source_t} to draw: {others} are there.")
    level, sizes = 0, [int(n) for n in found.labels().shape[1:]]
    while max(sizes[1:]) > LARGEST_SIDE_PX or np.prod(sizes) > LARGEST_VOXELS:
        if max(sizes[1:]) <= SMALLEST_LEVEL_PX:
            break
        level += 1
        sizes = [sizes[0], -(-sizes[1] // 2), -(-sizes[2] // 2)]
    return stack_at(found, there[-1] if wanted is None else wanted, level)


def shown_times(found: AcquisitionResults) -> list[int]:
    """Return the time points whose labels can be drawn, ascending.

    Raises
    ------
    StorageError
        When the OME-Zarr is gone.
    """
    length = found.labels().shape[0]
    return [int(t) for t in found.counts()["t"].tolist() if t < length]


def stack_at(found: AcquisitionResults, t: int, level: int) -> Stack:
    """Return a time point of `shown_times` from a level of the pyramid.

    Raises
    ------
    StorageError
        When the OME-Zarr, or a source that is needed, is gone.
    """
    about = found.about
    voxel = about.voxel_size_um or (1.0, 1.0, 1.0)
    extent = tuple(float(n * v) for n, v in zip(found.labels().shape[1:], voxel, strict=True))
    channel = about.segmented_channel
    if about.params.get("image") == "none":
        image = _from_source(about, t, channel, level)
    else:
        image = found.image(level)[t, channel].compute()
    return Stack(t, image, found.labels(level)[t].compute(), (extent[0], extent[1], extent[2]))


def _from_source(about: AcquisitionRow, t: int, channel: int, level: int) -> StackZYX:
    """Return the image of a time point from where it was read, as coarse as the labels of a level.

    Raises
    ------
    StorageError
        When its source is not there any more.
    """
    with readers.reopen(about, t) as acquisition:
        step = 2**level
        return np.stack([acquisition.plane(t, channel, z)[::step, ::step] for z in range(acquisition.size_z)])
