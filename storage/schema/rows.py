"""Rows of the database as frozen objects: the only form in which they leave `storage`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from storage import naming
from storage.schema.states import AcquisitionState, TimepointState

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import RowMapping

    from nuset_engine.nuclei import Nuclei


UNCLEAR_CHANNEL = "unclear_channel"  # among the parameters: what is done where it is not clear which one it is


@dataclass(frozen=True)
class ChannelFact:
    """Which channel shows nuclei, and where that is known from.

    Attributes
    ----------
    channel : int or None
        None while no time point has shown it.
    source : str or None
        ``metadata``, ``configured``, ``measured`` or ``guessed``, as in `storage.description.Origins`.
    trial : dict or None
        Figures of each channel, where it was found by looking.
    """

    channel: int | None
    source: str | None
    trial: dict[str, Any] | None = None


@dataclass(frozen=True)
class AcquisitionRow:
    """One acquisition as the database knows it.

    Sizes are None for an acquisition that was set aside before it could be opened. `zarr_path` and `name` are the
    ones that count: the catalog may have numbered them to keep two results apart. Here `zarr_path` is always whole, an
    absolute path or a URL, whatever the table holds. `store_id` is what the store there carries, see
    `storage.omezarr.ownership`. `reading` counts how often its source was read anew with other facts, in place of what
    it was taken for before.
    """

    id: int
    name: str
    source_path: str
    source_key: str
    state: AcquisitionState
    reader: str | None
    size_t: int | None
    size_c: int | None
    size_z: int | None
    size_y: int | None
    size_x: int | None
    dtype: str | None
    voxel_z_um: float | None
    voxel_y_um: float | None
    voxel_x_um: float | None
    voxel_source: str
    frame_interval_s: float | None
    channel_names: tuple[str, ...]
    first_number: int | None
    zarr_path: str | None
    created_at: str
    completed_at: str | None
    error: str | None
    model_name: str
    model_sha256: str
    params: dict[str, Any]
    nusetd_version: str
    store_id: str | None = None
    step: int = 1
    axes_source: str | None = None
    frame_interval_source: str | None = None
    doubts: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    overruled: Mapping[str, Any] = field(default_factory=dict)
    started_at: str | None = None
    reading: int = 0
    nuclear_channel: int | None = None
    channel_source: str | None = None
    channel_trial: dict[str, Any] | None = None
    time_source: str | None = None

    @property
    def voxel_size_um(self) -> tuple[float, float, float] | None:
        """Voxel size (z, y, x) in micrometres, or None when it is not known."""
        if self.voxel_z_um is None or self.voxel_y_um is None or self.voxel_x_um is None:
            return None
        return (self.voxel_z_um, self.voxel_y_um, self.voxel_x_um)

    @property
    def segmented_channel(self) -> int:
        """The channel in which nuclei are looked for: while none is known, the one that came nearest."""
        if self.nuclear_channel is not None:
            return self.nuclear_channel
        return int((self.channel_trial or {}).get("best", 0))

    @property
    def channel_in_words(self) -> str:
        """Which channel shows nuclei, by its name, and where that is known from; by its number where it has no name."""
        number, source = self.nuclear_channel, self.channel_source or "origin unknown"
        if number is None:
            return "nuclear channel not known"
        name = self.channel_names[number] if number < len(self.channel_names) else f"channel {number}"
        if name == f"channel {number}":
            return f"{name} ({source})"
        return f"channel {name} (number {number}, {source})"

    @property
    def unit(self) -> Literal["um", "px"]:
        """The unit in which this acquisition's nuclei are tracked."""
        return "px" if self.voxel_size_um is None else "um"

    @property
    def seconds_per_t(self) -> float | None:
        """Seconds from t to t + 1, between which there is no time point where they come in steps."""
        return None if self.frame_interval_s is None else self.frame_interval_s / self.step

    def source_t(self, t: int) -> int:
        """Return a time point as people write it: the number in its file's name, else t itself."""
        return t + (self.first_number or 0)


@dataclass(frozen=True)
class TimepointRow:
    """One time point as the database knows it."""

    id: int
    acquisition_id: int
    t: int
    state: TimepointState
    attempts: int
    error: str | None
    nuclei_count: int | None
    fingerprint: str | None
    source_t: int | None = None
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TimepointJob:
    """One claimed time point: what the worker is to do, and the proof that it may hand the result in.

    Attributes
    ----------
    id : int
        The time point's row.
    acquisition : AcquisitionRow
    t : int
    attempts : int
        1 for the first try.
    fingerprint : str
        What the source looked like when the job was claimed.
    store_made : bool
        Results of its acquisition are in its OME-Zarr already, which then has to be there.
    needs_replay : bool
        The tracker has already gone past `t` (a late or changed time point): tracks are to be made anew from the
        first frame on (`storage.database.renewal.replay`), not advanced.
    lease : str or None
        Of this claim alone: a result is taken only from who has the newest one.
    archive : bool
        It waited for others: it is of an archive.
    """

    id: int
    acquisition: AcquisitionRow
    t: int
    attempts: int
    fingerprint: str
    needs_replay: bool
    store_made: bool = False
    lease: str | None = None
    archive: bool = False

    @property
    def acquisition_id(self) -> int:
        """The acquisition's id."""
        return self.acquisition.id

    @property
    def source_t(self) -> int:
        """The time point as people write it."""
        return self.acquisition.source_t(self.t)


@dataclass(frozen=True, eq=False)
class AnalysedTimepoint:
    """A claimed time point with what was found in it."""

    job: TimepointJob
    nuclei: Nuclei
    timings: dict[str, float]
    quality: dict[str, Any]


def acquisition_row(row: RowMapping, folder: Path | None) -> AcquisitionRow:
    """Return a row of `schema.acquisitions` as an object; `folder` is its database's, None for one on a server."""
    values = {name: row[name] for name in AcquisitionRow.__dataclass_fields__}
    if values["zarr_path"] is not None:
        values["zarr_path"] = naming.whole_place(values["zarr_path"], folder)
    values["state"] = AcquisitionState(values["state"])
    values["channel_names"] = tuple(values["channel_names"])
    values |= {"doubts": tuple(values["doubts"] or ())}
    values |= {name: values[name] or {} for name in ("given", "overruled")}
    return AcquisitionRow(**values)


def timepoint_row(row: RowMapping) -> TimepointRow:
    """Return a row of `schema.timepoints` as an object."""
    values = {name: row[name] for name in TimepointRow.__dataclass_fields__}
    values["state"] = TimepointState(values["state"])
    values["timings"] = values["timings"] or {}
    return TimepointRow(**values)
