"""A table for napari's tracks layer: ``napari.Viewer().add_tracks(table[["track_id", "t", "z", "y", "x"]])``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from storage.query.question import Question
from storage.query.selection import Selection

if TYPE_CHECKING:
    from storage.export.snapshot import Snapshot


def write(snapshot: Snapshot, path: Path) -> None:
    """Write ``track_id, t, z, y, x`` (micrometres, or pixels without a voxel size), by track and time, and the parent.

    Nuclei without a track are left out: the layer has no place for them.
    """
    connection, row = snapshot.connection, snapshot.acquisition
    places = [f"centroid_{axis}_{row.unit}" for axis in "zyx"]
    wanted = Selection(where="track_id is not null", columns=("track_id", "t", *places))
    nuclei = Question.nuclei(connection, row.id, wanted).frame()
    tracks = Question.tracks(connection, row.id).frame()
    table = nuclei.sort_values(["track_id", "t"])
    table = table.rename(columns=dict(zip(places, "zyx", strict=True)))
    parents = tracks.set_index("track_id")["parent_track_id"]
    table["parent_track_id"] = table["track_id"].map(parents).astype("Int64")
    pd.DataFrame(table).to_csv(path, index=False, lineterminator="\n")
