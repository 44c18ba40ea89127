"""What the demonstration reads of the service's results, while it works and after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import select

from nuset_engine.arrays import FloatsN, LabelsZYX, StackZYX
from storage.errors import StorageError
from storage.omezarr.image_store import ImageStore
from storage.query.question import Question
from storage.query.statements import Selection
from storage.schema import tables
from storage.schema.states import AcquisitionState, TimepointState

ENDED = (AcquisitionState.COMPLETE, AcquisitionState.PARTIAL, AcquisitionState.SET_ASIDE)
"""States in which the service waits for nothing more."""


@dataclass(frozen=True)
class DemoProgress:
    """How far the service is with the one acquisition."""

    state: str = "unknown"
    done: int = 0
    painted: int = 0
    """Time points whose tracks are in the OME-Zarr too."""
    error: str | None = None


class DemoResults:
    """The database and the OME-Zarr of the one acquisition, read only; the database may not exist yet.

    Parameters
    ----------
    database : Path
    """

    def __init__(self, database: Path) -> None:
        self.database = database

    def progress(self) -> DemoProgress:
        """State of the acquisition, its finished time points, and an error if there is one."""
        try:
            status = Question.status(self.database).frame()
            if status.empty:
                return DemoProgress()
            painted = int(self._timepoints()["painted_at"].notna().sum())
        except StorageError:  # not there yet, or its tables are just being made
            return DemoProgress()
        row = status.iloc[0]
        error = None if pd.isna(row["error"]) else str(row["error"])
        return DemoProgress(str(row["state"]), int(row["done"]), painted, error)

    def zarr(self) -> Path:
        """Where the acquisition's OME-Zarr is."""
        return Path(str(Question.acquisitions(self.database).frame()["zarr_path"].iloc[0]))

    def name(self) -> str:
        """The acquisition's name."""
        return str(Question.acquisitions(self.database).frame()["name"].iloc[0])

    def nuclei(self) -> pd.DataFrame:
        """Columns t, label, track_id, centroid_y_um, centroid_x_um, parent_track_id (Int64); a row per nucleus."""
        columns = ["t", "label", "track_id", "centroid_y_um", "centroid_x_um"]
        table = Question.nuclei(self.database, self.name(), Selection(columns=columns)).frame()
        tracks = Question.tracks(self.database, self.name()).frame()
        parents = tracks.set_index("track_id")["parent_track_id"]
        table = table.astype({"t": int, "label": int, "track_id": int})
        return table.assign(parent_track_id=table["track_id"].map(parents).astype("Int64"))

    def seconds_per_stack(self) -> FloatsN:
        """(T,) float64: from taking a time point up to having it in the database."""
        table = self._timepoints()
        table = table[table["state"] == TimepointState.DONE.value]
        spans = zip(table["started_at"], table["completed_at"], strict=True)
        parse = datetime.fromisoformat
        return np.array([(parse(end) - parse(start)).total_seconds() for start, end in spans])

    def completed_at(self) -> dict[int, str]:
        """When each finished time point was in the database, by t."""
        table = self._timepoints()
        table = table[table["state"] == TimepointState.DONE.value]
        return dict(zip(table["t"].astype(int), table["completed_at"], strict=True))

    def stack(self, t: int) -> tuple[StackZYX, LabelsZYX]:
        """Image and labels (Z, Y, X) of one time point at full resolution."""
        store = ImageStore.open(self.zarr())
        return store.image(t, 0), store.labels(t)

    def _timepoints(self) -> pd.DataFrame:
        table = tables.timepoints
        columns = (table.c.t, table.c.state, table.c.started_at, table.c.completed_at, table.c.painted_at)
        return Question(self.database, lambda connection: select(*columns).order_by(table.c.t)).frame()
