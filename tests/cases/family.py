"""A small acquisition with its results, whose every number is known: database and OME-Zarr.

Tracks over the six time points, one minute apart:

    t   0 1 2 3 4 5
        1 1 2 2 2 2        1 divides into 2 and 3
            3 3 4 4        3 divides into 4 and 5
                5 5
        6 6 . 6 6 6        6 is missed at t = 2

Track k lies at z = 2, y = 10 k, x = 5 t micrometres; its volume is 100 k + t cubic micrometres. Its score is 0.9, that
of track 6 at t = 3, just found again, 0.7. Track 5 may be two nuclei at t = 5, track 2 has a bridged slice at t = 4.
"""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np

from cases.stored import Clock, acquisition, pixels, squares, work_off
from nuset_engine.nuclei import Nuclei
from storage import naming
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from storage.schema.rows import TimepointJob
from storage.schema.states import AcquisitionState
from tracking.graph import Track
from tracking.tracker import FrameTracks, TrackUpdate

NAME = "embryo"
TRACKS_AT = {0: [1, 6], 1: [1, 6], 2: [2, 3], 3: [2, 3, 6], 4: [2, 4, 5, 6], 5: [2, 4, 5, 6]}
PARENTS = {1: None, 2: 1, 3: 1, 4: 3, 5: 3, 6: None}
NUCLEI = sum(len(tracks) for tracks in TRACKS_AT.values())


def times(track: int) -> list[int]:
    """The time points at which a track is seen."""
    return [t for t, tracks in TRACKS_AT.items() if track in tracks]


def table(t: int) -> Nuclei:
    """The nuclei of a time point."""
    tracks = np.array(TRACKS_AT[t])
    places = np.stack([np.full(len(tracks), 2.0), 10.0 * tracks, np.full(len(tracks), 5.0 * t)], axis=1)
    extra = {"volume_um3": 100.0 * tracks + t, "intensity_mean": 50.0, "channel_1_mean": tracks * 0.5}
    extra["score"] = np.where((tracks == 6) & (t == 3), 0.7, 0.9)
    extra["merge_suspected"] = (tracks == 5) & (t == 5)
    extra["gap_bridged"] = (tracks == 2) & (t == 4)
    return Nuclei.from_positions(t, places, **extra)


def track(number: int) -> Track:
    """A track as the tracker leaves it at the end."""
    seen = times(number)
    score = 0.8 if PARENTS[number] else None
    return Track(number, PARENTS[number], seen[0], seen[-1], len(seen), True, score)


def fill(
    folder: Path,
    shape: tuple[int, int, int] = (3, 20, 24),
    images: str | Path | None = None,
    database: str | Path | None = None,
) -> Path:
    """Make the results in a folder, or its images or database at URLs, and return the folder."""
    if images is not None or database is not None:
        _make(folder, shape, images, database)
        return folder
    shutil.copytree(_made(shape), folder, dirs_exist_ok=True)
    with closing(sqlite3.connect(folder / naming.DATABASE_NAME)) as copy, copy:  # what is drawn by lot
        copy.execute("UPDATE identity SET database_id = lower(hex(randomblob(16)))")
        copy.execute("UPDATE acquisitions SET store_id = lower(hex(randomblob(16)))")
    return folder


@cache
def _made(shape: tuple[int, int, int]) -> Path:
    """The results in a folder that stays to the end: tests get copies, in a tenth of the time."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _make(folder, shape, None, None)
    return folder


def _make(folder: Path, shape: tuple[int, int, int], images: str | Path | None, database: str | Path | None) -> None:
    """Put them through catalog and store."""
    image = acquisition(pixels(6, 2, *shape), name=NAME)
    path = naming.inside(naming.as_place(images or folder), f"{NAME}.ome.zarr")
    with Catalog.open(database or folder, clock=Clock()) as catalog:
        row = catalog.register(
            image, zarr_path=path, model_name="fluorescence", model_sha256="ab" * 32, params={"minimum": 3}
        )
        store = ImageStore.create(path, image)
        catalog.add_timepoints(row.id, {t: f"fingerprint {t}" for t in TRACKS_AT})

        def result(job: TimepointJob) -> tuple[Nuclei, TrackUpdate]:
            ids = np.array(TRACKS_AT[job.t])
            labels = np.arange(1, len(ids) + 1)
            store.write_timepoint(job.t, [image.planes(job.t, c) for c in range(2)], squares(job.t, len(ids), shape))
            frame = FrameTracks(job.t, labels, ids, True)
            return table(job.t), TrackUpdate((frame,), tuple(track(int(n)) for n in ids), ())

        work_off(catalog, result)
        for t, ids in TRACKS_AT.items():
            store.publish(t)
            catalog.mark_published(row.id, t)
            store.write_tracks(t, dict(enumerate(ids, start=1)))
            store.publish_tracks(t)
            catalog.mark_painted(row.id, t)
        catalog.set_acquisition_state(row.id, AcquisitionState.COMPLETE)
