"""A small movie that went through measuring, tracking, publishing and painting, and all that people see of it."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import text

from cases.stored import acquisition
from daemon.configuration.config import Processing
from daemon.pipeline import track
from daemon.processing.messages import Ready, TrackTask
from daemon.processing.recipe import Recipe
from daemon.processing.tracker_cache import TrackerCache
from nuset_engine.measure import measure
from nuset_engine.nuclei import TRUST_COLUMNS
from nuset_engine.reconstruction.volume import Volume
from storage import naming
from storage.acquisition import Acquisition
from storage.corrections.ordering import PersonsWord
from storage.database.catalog import Catalog
from storage.omezarr.image_store import ImageStore
from storage.query.snapshots import snapshot
from storage.schema.rows import AcquisitionRow
from storage.schema.states import AcquisitionState
from tracking.params import TrackingParams
from tracking.tracker import Tracker

SHAPE = (3, 32, 56)
SPACING = (2.0, 0.5, 0.5)  # of `acquisition`
STARTS = ((7, 7), (7, 20), (7, 34), (7, 48), (24, 7), (24, 20), (24, 34), (24, 48))
MISSED = (16, 41)
"""A nucleus that is seen in the image and was not found."""


def labels_at(t: int, shift: int = 0) -> np.ndarray:
    """Nuclei (Z, Y, X) that drift in y; with `shift` as other weights draw them, in another order."""
    labels = np.zeros(SHAPE, np.uint32)
    for n, (y, x) in enumerate(STARTS):
        labels[disc(y + t % 3, x)] = (n + shift) % len(STARTS) + 1
    return labels


def disc(y: float, x: float, radius: float = 4.3) -> np.ndarray:
    """A flat ball (Z, Y, X) in pixels."""
    _, ys, xs = np.indices(SHAPE)
    return (ys - y) ** 2 + (xs - x) ** 2 <= radius**2


def image_at(t: int) -> np.ndarray:
    """What a microscope sees: nuclei, and one that was missed."""
    seen = (labels_at(t) > 0) | disc(*MISSED, radius=4.0)
    noise = np.random.default_rng(t).integers(0, 20, SHAPE)
    return (100 + 800 * seen + noise).astype(np.uint16)


@dataclass
class CorrectedMovie:
    """A movie in a folder."""

    output: Path
    frames: int = 5
    shift: int = 0
    model: str = "m"
    database: str | None = None  # a server's; else it lies in the folder
    missed: tuple[tuple[int, int], ...] = ()  # where nuclei, the last ones, are not found: time points, labels
    memory_frames: int = TrackingParams().memory_frames
    failing: tuple[int, ...] = ()  # time points that cannot be processed

    @property
    def where(self) -> str | Path:
        """Where its rows are."""
        return self.database or self.output

    def process(self) -> AcquisitionRow:
        """Put it through, from what is queued to complete: in a new folder as a copy of one that was."""
        if self.database is None and not self.output.exists():
            made = _processed(self.frames, self.shift, self.model, self.missed, self.memory_frames)
            return _copied(made, self.output)
        return self._process()

    def _process(self) -> AcquisitionRow:
        self.output.mkdir(parents=True, exist_ok=True)
        with Catalog.open(self.where) as catalog:
            row = self.queue(catalog)
            self.work(catalog, row)
            return row

    def queue(self, catalog: Catalog) -> AcquisitionRow:
        """Make it known, with all of its time points."""
        image = self.image()
        place = self.output / f"{image.name}.ome.zarr"
        processing = Processing(tracking=TrackingParams(memory_frames=self.memory_frames))
        params = Recipe(Ready(self.model, "0" * 64), processing).params(0) | {"of": self.model}
        row = catalog.register(image, zarr_path=place, model_name=self.model, model_sha256="0" * 64, params=params)
        catalog.add_timepoints(row.id, {t: image.fingerprint(t) for t in range(self.frames)})
        return row

    def image(self) -> Acquisition:
        """What the microscope gives."""
        return acquisition(np.stack([image_at(t)[None] for t in range(self.frames)]))

    def found(self, t: int) -> np.ndarray:
        """The nuclei (Z, Y, X) that are found there, plain."""
        labels = labels_at(t, self.shift)
        labels[np.isin(labels, [label for at, label in self.missed if at == t])] = 0
        return labels

    def work(self, catalog: Catalog, row: AcquisitionRow) -> None:
        """Do what is queued, and complete it."""
        self.advance(catalog, row, self.frames)
        tracked = track(TrackTask(row, catalog.address, None, 0), TrackerCache())
        catalog.finalise_tracks(row.id, tracked.update, tracked.state, tracked.measures)
        self.paint(catalog, row)
        catalog.set_acquisition_state(row.id, AcquisitionState.PROCESSING)
        catalog.complete_acquisition(row.id)

    def advance(self, catalog: Catalog, row: AcquisitionRow, most: int) -> None:
        """Do what is queued, so many time points at most."""
        image = self.image()
        store = ImageStore.create(str(row.zarr_path), image, owner=catalog.stores.owner(row))
        anew = Tracker()
        for _ in range(most):
            job = catalog.claim_next()
            if job is None:
                break
            if job.t in self.failing:
                catalog.fail_timepoint(job, "it cannot be read", retry=False)
                continue
            labels = self.found(job.t)
            channels = {0: image.planes(job.t, 0)}
            table = measure(Volume(labels, _trust(labels)), channels, 0, image.voxel_size_um, job.t)
            store.write_timepoint(job.t, [image.planes(job.t, 0)], labels)
            if job.needs_replay:
                update, measures = anew.advance(table), None
                state = anew.state()
            else:
                tracked = track(TrackTask(row, catalog.address, None, 0, table), TrackerCache())
                update, state, measures = tracked.update, tracked.state, tracked.measures
            catalog.commit_timepoint(job, table, update, state, measures=measures)
            store.publish(job.t)
            catalog.mark_published(row.id, job.t)
        self.paint(catalog, row)

    def paint(self, catalog: Catalog, row: AcquisitionRow) -> None:
        """Show final tracks."""
        store = ImageStore.open(str(row.zarr_path))
        for t, track_of in catalog.unpainted_final(row.id):
            store.write_tracks(t, track_of)
            store.publish_tracks(t)
            catalog.mark_painted(row.id, t)

    def seen(self, row: AcquisitionRow) -> dict[str, Any]:
        """Everything that people look at: rows without numbers of convenience, and all labels."""
        found: dict[str, Any] = {}
        with snapshot(self.where) as connection:
            for table, order in (("nuclei", "t, label"), ("tracks", "track_id")):
                query = f"SELECT * FROM {table} WHERE acquisition_id = {row.id} ORDER BY {order}"
                found[table] = pd.read_sql_query(text(query), connection).drop(columns="id")
            shown = "published_at IS NULL, painted_at IS NULL"
            query = f"SELECT t, nuclei_count, {shown} FROM timepoints {_OF} {row.id} ORDER BY t"
            found["timepoints"] = pd.read_sql_query(text(query), connection)
        store = ImageStore.open(str(row.zarr_path))
        found["labels"] = np.stack([store.labels(t) for t in range(self.frames)])
        found["track_labels"] = np.stack([store.track_labels(t) for t in range(self.frames)])
        return found


@cache
def _processed(frames: int, shift: int, model: str, missed: tuple[tuple[int, int], ...], memory_frames: int) -> Path:
    """One that was put through, in a folder that stays to the end."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    CorrectedMovie(folder, frames, shift, model, None, missed, memory_frames)._process()
    return folder


def _copied(made: Path, output: Path) -> AcquisitionRow:
    """Copy it; database and store are others then, as if they had been made here."""
    shutil.copytree(made, output)
    with closing(sqlite3.connect(output / naming.DATABASE_NAME)) as rows, rows:
        ((database,), (store,)) = rows.execute(
            "SELECT database_id FROM identity UNION ALL SELECT store_id FROM acquisitions"
        )
        fresh = {name: uuid.uuid4().hex for name in (database, store)}
        rows.execute("UPDATE identity SET database_id = ?", (fresh[database],))
        rows.execute("UPDATE acquisitions SET store_id = ?", (fresh[store],))
    for said in output.glob("*.ome.zarr/.zattrs"):
        text = said.read_text()
        for old, new in fresh.items():
            assert old in text
            text = text.replace(old, new)
        said.write_text(text)
    with Catalog.open(output) as catalog:
        return catalog.acquisition(1)


_OF = "WHERE acquisition_id ="


def assert_same_seen(one: dict[str, Any], other: dict[str, Any]) -> None:
    """People see the same."""
    for name in ("nuclei", "tracks", "timepoints"):
        pd.testing.assert_frame_equal(one[name], other[name])
    np.testing.assert_array_equal(one["labels"], other["labels"])
    np.testing.assert_array_equal(one["track_labels"], other["track_labels"])


def assert_consistent(seen: dict[str, Any]) -> None:
    """Rows, tracks and both labels say the same."""
    nuclei, tracks = seen["nuclei"], seen["tracks"].set_index("track_id")
    for t, labels in enumerate(seen["labels"]):
        mine = nuclei[nuclei["t"] == t]
        assert sorted(np.unique(labels[labels > 0]).tolist()) == mine["label"].tolist()
        colours = np.zeros(int(labels.max()) + 1, np.int64)
        colours[mine["label"]] = mine["track_id"]
        np.testing.assert_array_equal(seen["track_labels"][t], colours[labels])
    spans = nuclei.groupby("track_id")["t"].agg(["min", "max", "size"])
    assert spans.index.tolist() == tracks.index.tolist()
    assert spans.to_numpy().tolist() == tracks[["first_t", "last_t", "nuclei_count"]].to_numpy().tolist()
    assert not nuclei.duplicated(["t", "track_id"]).any()
    parents = tracks["parent_track_id"].dropna()
    assert (parents.value_counts() == 2).all()
    assert all(tracks.loc[int(p), "last_t"] < tracks.loc[d, "first_t"] for d, p in parents.items())


def random_word(seen: dict[str, Any], rng: np.random.Generator) -> PersonsWord | None:
    """Something that a person may say of what is there; None: that the last is to be undone."""
    nuclei = seen["nuclei"]
    t = int(rng.integers(0, int(nuclei["t"].max())))
    here, later = (nuclei[nuclei["t"] == at]["label"].tolist() for at in (t, t + 1))
    if min(len(here), len(later)) < 3:
        return None
    kind = str(rng.choice(["delete", "merge", "split", "add", "redraw", "link", "unlink", "divide", "end", "undo"]))
    label = int(rng.choice(here))
    row = nuclei[(nuclei["t"] == t) & (nuclei["label"] == label)].iloc[0]
    y, x = row["centroid_y_px"], row["centroid_x_px"]
    if kind == "merge":
        return PersonsWord(kind, t, tuple(int(n) for n in rng.choice(here, 2, replace=False)))
    if kind == "split":
        places = [(2.0, 0.5 * (y + dy), 0.5 * x) for dy in (-2.0, 2.0)]
        return PersonsWord(kind, t, (label,), points=tuple(places))
    if kind == "add":
        return PersonsWord(kind, t, mask=disc(*rng.uniform((4, 4), (28, 52)), radius=3.0))
    if kind == "redraw":
        return PersonsWord(kind, t, (label,), mask=disc(y + rng.uniform(-2, 2), x + rng.uniform(-2, 2), radius=4.0))
    if kind in ("link", "unlink"):
        return PersonsWord(kind, t, (label,), (int(rng.choice(later)),))
    if kind == "divide":
        return PersonsWord(kind, t, (label,), tuple(int(n) for n in rng.choice(later, 2, replace=False)))
    return None if kind == "undo" else PersonsWord(kind, t, (label,))


def _trust(labels: np.ndarray) -> pd.DataFrame:
    kinds = {"score": "float64", **TRUST_COLUMNS}
    there = np.unique(labels[labels > 0])
    values: dict[str, Sequence[float]] = {name: [0.9 if name == "score" else 0] * len(there) for name in kinds}
    return pd.DataFrame(values, index=pd.Index(there, name="label")).astype(kinds)
