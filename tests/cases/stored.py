"""Acquisitions, tables of nuclei and track updates for tests of what is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from nuset_engine.nuclei import Nuclei
from storage.acquisition import Acquisition
from storage.database.catalog import Catalog
from storage.database.registration import source_key
from storage.schema.rows import AcquisitionRow, TimepointJob
from storage.schema.states import AcquisitionState
from tracking.graph import Track
from tracking.tracker import FrameTracks, TrackUpdate


class ArraySource:
    """Planes of an array (T, C, Z, Y, X), which counts how often it is asked."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self.reads = 0

    def plane(self, t: int, c: int, z: int) -> np.ndarray:
        self.reads += 1
        return self.pixels[t, c, z]

    def fingerprint(self, t: int) -> str:
        return f"{hash(self.pixels[t].tobytes()):x}"

    def former_fingerprint(self, t: int) -> str | None:
        return None

    def close(self) -> None:
        pass


def pixels(t: int = 3, c: int = 1, z: int = 3, y: int = 20, x: int = 24, dtype: str = "uint16") -> np.ndarray:
    """Random pixels (T, C, Z, Y, X), the same every time."""
    return np.random.default_rng(7).integers(0, 250, (t, c, z, y, x)).astype(dtype)


def acquisition(array: np.ndarray | None = None, name: str = "embryo", voxel: bool = True) -> Acquisition:
    """An acquisition of an array (T, C, Z, Y, X), voxels 2 x 0.5 x 0.5 um, 60 s apart."""
    array = pixels() if array is None else array
    t, c, z, y, x = array.shape
    return Acquisition(
        name=name,
        source_path=Path(f"/data/{name}.tif"),
        files=(Path(f"/data/{name}.tif"),),
        reader="tiff",
        size_t=t,
        size_c=c,
        size_z=z,
        size_y=y,
        size_x=x,
        dtype=array.dtype,
        voxel_size_um=(2.0, 0.5, 0.5) if voxel else None,
        voxel_source="metadata" if voxel else "none",
        frame_interval_s=60.0,
        channel_names=tuple(f"channel {i}" for i in range(c)),
        time_points=tuple(range(t)),
        source=ArraySource(array),
    )


def squares(t: int, count: int, shape: tuple[int, int, int] = (3, 20, 24)) -> np.ndarray:
    """Labels (Z, Y, X): `count` 4 x 4 squares in rows, shifted by one pixel every other time point."""
    labels = np.zeros(shape, dtype=np.uint32)
    for i in range(count):
        y, x = 5 * (i // 4), 5 * (i % 4) + t % 2
        labels[:, y : y + 4, x : x + 4] = i + 1
    return labels


def nuclei(t: int, count: int = 3, shift: float = 0.0) -> Nuclei:
    """`count` nuclei in a row, 20 um apart, all moved by `shift` um."""
    places = np.array([[4.0, 20.0 * i + shift, 3.0 + t] for i in range(count)]).reshape(count, 3)
    return Nuclei.from_positions(t, places, score=np.float32(0.9), volume_um3=np.linspace(400, 500, count))


def one_to_one(t: int, count: int, first_t: int = 0, is_final: bool = True, offset: int = 10) -> TrackUpdate:
    """The update of a tracker for which label i is track offset + i in every frame."""
    labels = np.arange(1, count + 1)
    tracks = tuple(Track(offset + int(n), None, first_t, t, t - first_t + 1, is_final, None) for n in labels)
    return TrackUpdate((FrameTracks(t, labels, labels + offset, is_final),), tracks, ())


NO_UPDATE = TrackUpdate((), (), ())


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def register(
    catalog: Catalog, image: Acquisition | None = None, output: Path = Path("/results"), **params: object
) -> AcquisitionRow:
    """Register an acquisition with model "m"."""
    image = acquisition() if image is None else image
    path = output / f"{image.name}.ome.zarr"
    return catalog.register(image, zarr_path=path, model_name="m", model_sha256="0" * 64, params=params)


def work_off(
    catalog: Catalog, result: Callable[[TimepointJob], tuple[Nuclei, TrackUpdate]] | None = None
) -> Sequence[tuple[int, int]]:
    """Claim and commit until nothing is left; return (acquisition id, t) in the order of the claims."""
    done = []
    while (job := catalog.claim_next()) is not None:
        table, update = result(job) if result else (nuclei(job.t), one_to_one(job.t, 3))
        catalog.commit_timepoint(job, table, update, b"state after %d" % job.t, {"segment_s": 0.5})
        done.append((job.acquisition.id, job.t))
    return done


def row_of(acquisition: Acquisition) -> AcquisitionRow:
    """What the database would say about an acquisition."""
    one = acquisition
    voxel = one.voxel_size_um or (None, None, None)
    return AcquisitionRow(
        id=1, name=one.name, source_path=str(one.source_path), source_key=source_key(one.source_path),
        state=AcquisitionState.QUEUED, reader=one.reader, size_t=one.size_t, size_c=one.size_c, size_z=one.size_z,
        size_y=one.size_y, size_x=one.size_x, dtype=one.dtype.name, voxel_z_um=voxel[0], voxel_y_um=voxel[1],
        voxel_x_um=voxel[2], voxel_source=one.voxel_source, frame_interval_s=one.frame_interval_s,
        channel_names=one.channel_names, first_number=one.first_number, zarr_path="/out/x.ome.zarr", created_at="",
        completed_at=None, error=None, model_name="m", model_sha256="0", params={}, nusetd_version="0",
        step=1,
    )  # fmt: skip
