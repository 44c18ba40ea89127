"""What napari's tracks layer takes: a table of exactly five columns, and what lays it over the image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from storage.query.question import Question
from storage.query.statements import Selection

if TYPE_CHECKING:
    from storage.export.snapshot import Snapshot

COLUMNS = ("track_id", "t", "z", "y", "x")


def write(snapshot: Snapshot, path: Path) -> None:
    """Write ``track_id, t, z, y, x``, a row per nucleus, by track and time.

    It counts as the OME-Zarr does: in seconds and micrometres, in frames and pixels where those are not known. Nuclei
    without a track are left out: the layer has no place for them.
    """
    _table(snapshot).to_csv(path, index=False, lineterminator="\n")


def write_layer(snapshot: Snapshot, path: Path) -> None:
    """Write the layer's other arguments: its name, scale, units and graph (daughter to its parents)."""
    row, known = snapshot.acquisition, {int(track) for track in _table(snapshot)["track_id"]}
    tracks = Question.tracks(snapshot.connection, row.id).frame().dropna(subset=["parent_track_id"])
    pairs = zip(tracks["track_id"].astype(int), tracks["parent_track_id"].astype(int), strict=True)
    length = "micrometer" if row.unit == "um" else "pixel"
    layer = {
        "name": f"{row.name} tracks",
        "scale": [1.0, 1.0, 1.0, 1.0],
        "units": ["second" if row.seconds_per_t else "pixel", length, length, length],
        "graph": {int(child): [int(parent)] for child, parent in pairs if child in known and parent in known},
    }
    path.write_text(json.dumps(layer, indent=2) + "\n", encoding="utf-8")


def _table(snapshot: Snapshot) -> pd.DataFrame:
    connection, row = snapshot.connection, snapshot.acquisition
    places = [f"centroid_{axis}_{row.unit}" for axis in "zyx"]
    wanted = Selection(where="track_id is not null", columns=("track_id", "t", *places))
    nuclei = Question.nuclei(connection, row.id, wanted).frame()
    table = nuclei.sort_values(["track_id", "t"]).set_axis(COLUMNS, axis="columns")
    return table.assign(t=table["t"] * (row.seconds_per_t or 1))
