"""What the demonstration reads of the service's results: the database by its contract, the labels from the OME-Zarr."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

ENDED = ("complete", "partial", "failed")
"""States in which the service waits for nothing more."""


@dataclass(frozen=True)
class Progress:
    """How far the service is with the one acquisition."""

    state: str = "unknown"
    done: int = 0
    error: str | None = None


class Results:
    """The database and the OME-Zarr of one acquisition, read only; the database may not exist yet.

    Parameters
    ----------
    database : Path
    """

    def __init__(self, database: Path) -> None:
        self.database = database

    def progress(self) -> Progress:
        """State of the acquisition, its finished time points, and the first error if there is one."""
        try:
            with self._connect() as connection:
                row = connection.execute("SELECT id, state, error FROM acquisitions ORDER BY id").fetchone()
                if row is None:
                    return Progress()
                states = connection.execute(
                    "SELECT state, error FROM timepoints WHERE acquisition_id = ? ORDER BY t", row[:1]
                ).fetchall()
        except sqlite3.OperationalError:  # not there yet, or its tables are just being made
            return Progress()
        errors = [text for text in (row[2], *(error for _, error in states)) if text]
        return Progress(row[1], sum(state == "done" for state, _ in states), errors[0] if errors else None)

    def zarr(self) -> Path:
        """Where the acquisition's OME-Zarr is."""
        with self._connect() as connection:
            return Path(connection.execute("SELECT zarr_path FROM acquisitions ORDER BY id").fetchone()[0])

    def name(self) -> str:
        """The acquisition's name."""
        with self._connect() as connection:
            return str(connection.execute("SELECT name FROM acquisitions ORDER BY id").fetchone()[0])

    def nuclei(self) -> pd.DataFrame:
        """Columns t, label, track_id, parent_track_id (Int64), centroid_y_um, centroid_x_um; a row per nucleus."""
        query = """
            SELECT n.t, n.label, n.track_id, k.parent_track_id, n.centroid_y_um, n.centroid_x_um
            FROM nuclei n LEFT JOIN tracks k ON k.acquisition_id = n.acquisition_id AND k.track_id = n.track_id
            ORDER BY n.t, n.label
        """
        with self._connect() as connection:
            table = pd.read_sql_query(query, connection)
        return table.astype({"t": int, "label": int, "track_id": int, "parent_track_id": "Int64"})

    def seconds_per_stack(self) -> np.ndarray:
        """(T,) float64: from taking a time point up to having it in the database."""
        query = "SELECT started_at, completed_at FROM timepoints WHERE state = 'done' ORDER BY t"
        with self._connect() as connection:
            rows = connection.execute(query).fetchall()
        parse = datetime.fromisoformat
        return np.array([(parse(end) - parse(start)).total_seconds() for start, end in rows if start and end])

    def stack(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Image and labels (Z, Y, X) of one time point at full resolution."""
        import zarr

        group = zarr.open_group(self.zarr(), mode="r")
        return np.asarray(group["0"][t, 0]), np.asarray(group["labels/nuclei/0"][t])

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
            yield connection
