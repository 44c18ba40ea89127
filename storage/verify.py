"""Whether rows, labels and source agree: for every nucleus its row, its label in the OME-Zarr and its source's pixels.

Everything is read slice by slice and measured anew, apart from what wrote it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from nuset_engine.arrays import FloatsN, PlaneYX, Points3N, StackZYX
from storage import naming, readers
from storage.acquisition import Acquisition
from storage.errors import StorageError
from storage.omezarr import places
from storage.omezarr.growing import CHUNK_Z
from storage.omezarr.image_store import ImageStore
from storage.query.snapshots import resolved, snapshot
from storage.readers.names import file_of_image
from storage.readers.presence import is_there
from storage.schema import tables
from storage.schema.rows import AcquisitionRow
from storage.schema.states import TimepointState

# Sums of the same numbers in another order differ in their last digits.
_RELATIVE = 1e-6
_COLUMNS = ("label", "track_id", "volume_px", "centroid_z_px", "centroid_y_px", "centroid_x_px", "intensity_mean")


@dataclass(frozen=True)
class Mismatch:
    """Something that does not agree: where, and what."""

    t: int | None
    label: int | None
    what: str


@dataclass(frozen=True)
class Checked:
    """One time point that was looked at: how many nuclei it has, and what does not agree.

    Without `t`: what is to be said of the acquisition as a whole.
    """

    t: int | None
    nuclei: int
    mismatches: tuple[Mismatch, ...]


@dataclass(frozen=True)
class _Known:
    """What the database says of a time point."""

    published: bool
    painted: bool
    nuclei: dict[int, dict[str, Any]]


@dataclass
class _Seen:
    """What the voxels of a time point say, by label (index 0 is background)."""

    count: FloatsN
    sums: Points3N  # of z, y, x
    intensity: FloatsN | None
    wrong_track: dict[int, int]
    faults: list[str]


def verify(path_or_url: str | Path, acquisition: int | str, source: bool = True) -> Iterator[Checked]:
    """Check an acquisition, time point by time point.

    Parameters
    ----------
    path_or_url : database
    acquisition : id or name
    source : bool
        Also read the source again, and compare its pixels with the stored image and the rows.

    Raises
    ------
    UnknownAcquisitionError, DatabaseUnavailableError
    StorageError
        When the OME-Zarr as a whole cannot be read.
    """
    with snapshot(path_or_url) as connection:
        row = resolved(connection, acquisition)
        table = tables.timepoints
        done = (table.c.acquisition_id == row.id) & (table.c.state == TimepointState.DONE.value)
        times = [int(t) for t in connection.execute(select(table.c.t).where(done).order_by(table.c.t)).scalars()]
        seen = _last_seen(connection, row)
    if row.zarr_path is None:
        raise StorageError(f"{row.name} has no labels: it was set aside ({row.error}).")
    store = _store(row, seen)
    lost = _lost_source(path_or_url, row, seen) if source else None
    if lost is not None:
        source = False
        yield Checked(None, 0, (Mismatch(None, None, lost),))
    for t in times:
        checked = _timepoint(path_or_url, row, store, t, source)
        if checked.mismatches:  # a service may just have been between its steps
            checked = _timepoint(path_or_url, row, store, t, source)
        yield checked
    unknown = sorted(set(store.published_timepoints) - set(times))
    for t in unknown:
        yield Checked(t, 0, (Mismatch(t, None, "is visible in the OME-Zarr, but the database does not call it done"),))


def _store(row: AcquisitionRow, seen: str) -> ImageStore:
    place = naming.as_place(str(row.zarr_path))
    if not places.exists(place):
        raise StorageError(
            f"{place}, the OME-Zarr of {row.name}, is not there: it was last seen {seen}; bring it back, or say where "
            f"it lies with `nusetd relocate {naming.parent(place)} NEW`."
        )
    return ImageStore.open(place)


def _lost_source(path_or_url: str | Path, row: AcquisitionRow, seen: str) -> str | None:
    """Say that nothing of the source is there any more; None where some of it is, or nothing can be said."""
    points = tables.timepoints
    query = select(points.c.source_file).where(points.c.acquisition_id == row.id).distinct()
    with snapshot(path_or_url) as connection:
        named = [Path(name) for name in connection.execute(query).scalars() if name]
    files = [file_of_image(path) for path in named or [Path(row.source_path)]]
    try:
        if any(map(is_there, files)) or any("*" in file.name for file in files):
            return None
    except OSError:
        return None
    return (
        f"its source {row.source_path} is not there, only rows and labels are compared; it was last seen {seen}: bring "
        f"it back, or say where it lies with `nusetd relocate {files[0].parent} NEW`"
    )


def _last_seen(connection: Connection, row: AcquisitionRow) -> str:
    """Say when source and store of an acquisition were last worked with."""
    points = tables.timepoints
    last = select(func.max(points.c.completed_at)).where(points.c.acquisition_id == row.id)
    return f"at {connection.execute(last).scalar() or row.created_at}"


def _timepoint(path_or_url: str | Path, row: AcquisitionRow, store: ImageStore, t: int, source: bool) -> Checked:
    known = _known(path_or_url, row.id, t)
    mismatches: list[Mismatch] = []
    if known.published != (t in store.published_timepoints):
        mismatches.append(Mismatch(t, None, "is published in the database or in the OME-Zarr, but not in both"))
    if known.painted != (t in store.painted_timepoints) and known.painted:
        mismatches.append(Mismatch(t, None, "is painted in the database, but not in the OME-Zarr"))
    try:
        with ExitStack() as opened:
            image = None
            if source:
                try:
                    image = opened.enter_context(readers.reopen(row, t))
                except (StorageError, OSError) as error:
                    mismatches.append(Mismatch(t, None, f"has a source that cannot be read: {error}"))
            seen = _look(row, store, t, known, image)
    except StorageError as error:
        return Checked(t, len(known.nuclei), (*mismatches, Mismatch(t, None, str(error))))
    mismatches += [Mismatch(t, None, fault) for fault in seen.faults]
    mismatches += _compared(t, known, seen)
    return Checked(t, len(known.nuclei), tuple(mismatches))


def _known(path_or_url: str | Path, acquisition_id: int, t: int) -> _Known:
    points, nuclei = tables.timepoints, tables.nuclei
    with snapshot(path_or_url) as connection:
        here = (points.c.acquisition_id == acquisition_id) & (points.c.t == t)
        progress = connection.execute(select(points.c.published_at, points.c.painted_at).where(here)).one()
        mine = (nuclei.c.acquisition_id == acquisition_id) & (nuclei.c.t == t)
        rows = connection.execute(select(*(nuclei.c[name] for name in _COLUMNS)).where(mine)).mappings()
        return _Known(progress[0] is not None, progress[1] is not None, {int(r["label"]): dict(r) for r in rows})


def _look(row: AcquisitionRow, store: ImageStore, t: int, known: _Known, image: Acquisition | None) -> _Seen:
    """Go through the slices once, and gather what they say about each label."""
    size_c, size_z = store.shape[1:3]
    highest = max(known.nuclei, default=0)
    tracks = np.zeros(highest + 2, dtype=np.int64)
    for label, record in known.nuclei.items():
        tracks[label] = record["track_id"] or 0
    channel = row.segmented_channel
    seen = _Seen(np.zeros(highest + 1), np.zeros((3, highest + 1)), None, {}, [])
    if image is not None:
        seen.intensity = np.zeros(highest + 1)
    stored = [_slices(partial(store.image, t, c), size_z) for c in range(size_c if store.image_kind == "copy" else 0)]
    painted_slices = _slices(partial(store.track_labels, t), size_z)
    for z, labels in enumerate(_slices(partial(store.labels, t), size_z)):
        where = np.nonzero(labels)
        found = labels[where].astype(np.int64)
        if found.size and found.max() >= len(seen.count):
            _widen(seen, int(found.max()) + 1)
        count = np.bincount(found, minlength=len(seen.count))
        seen.count += count
        seen.sums += np.stack([count * float(z), *(np.bincount(found, w, len(seen.count)) for w in where)])
        if known.painted:
            painted = next(painted_slices)[where].astype(np.int64)
            wrong = painted != tracks[np.minimum(found, highest + 1)]
            seen.wrong_track.update(zip(found[wrong].tolist(), painted[wrong].tolist(), strict=True))
        if image is not None and seen.intensity is not None:
            planes = [image.plane(t, c, z) for c in range(size_c)]
            seen.intensity += np.bincount(found, planes[channel][where].astype(float), len(seen.count))
            seen.faults += _other_pixels(z, planes, [next(slices) for slices in stored])
    return seen


def _widen(seen: _Seen, length: int) -> None:
    more = length - len(seen.count)
    seen.count = np.pad(seen.count, (0, more))
    seen.sums = np.pad(seen.sums, ((0, 0), (0, more)))
    if seen.intensity is not None:
        seen.intensity = np.pad(seen.intensity, (0, more))


def _slices(read: Callable[[slice], StackZYX], size_z: int) -> Iterator[PlaneYX]:
    """Give slices one by one, read as many at once as lie in one chunk."""
    for z in range(0, size_z, CHUNK_Z):
        yield from read(slice(z, min(z + CHUNK_Z, size_z)))


def _other_pixels(z: int, planes: Sequence[PlaneYX], kept: Sequence[PlaneYX]) -> Iterator[str]:
    """Name the channels whose stored slice differs from the source's; an image by reference has none."""
    for c, (plane, stored) in enumerate(zip(planes, kept, strict=False)):
        if stored.shape != plane.shape or not np.array_equal(stored, plane, equal_nan=plane.dtype.kind == "f"):
            yield f"has other pixels in the OME-Zarr than in its source (channel {c}, slice {z})"


def _compared(t: int, known: _Known, seen: _Seen) -> Iterator[Mismatch]:
    """What the rows say against what the voxels say."""
    for label in np.flatnonzero(seen.count).tolist():
        if label not in known.nuclei:
            yield Mismatch(t, label, f"is a label of {seen.count[label]:.0f} voxels without a row")
    for label, record in sorted(known.nuclei.items()):
        count = float(seen.count[label])
        if count == 0:
            yield Mismatch(t, label, "has a row, but no voxel in labels/nuclei")
            continue
        measured = {"volume_px": count}
        measured |= {f"centroid_{axis}_px": float(seen.sums[i, label]) / count for i, axis in enumerate("zyx")}
        if seen.intensity is not None:
            measured["intensity_mean"] = float(seen.intensity[label]) / count
        for name, value in measured.items():
            said = record[name]
            if said is not None and not math.isclose(said, value, rel_tol=_RELATIVE, abs_tol=_RELATIVE):
                yield Mismatch(t, label, f"has {name} {said:g} in its row, but its voxels say {value:g}")
        if label in seen.wrong_track:
            wrong = seen.wrong_track[label]
            yield Mismatch(t, label, f"is track {record['track_id']} in its row, but painted as {wrong}")
