"""What the page says in words and numbers, as plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from sqlalchemy import text

from storage.query.question import Question
from storage.query.snapshots import snapshot
from storage.query.statements import Selection
from storage.results import AcquisitionResults, Results
from storage.schema.states import AcquisitionState

MOST_ACQUISITIONS = 200
"""Acquisitions that the overview shows, the newest; `nusetd acquisitions` tells of all."""

MOST_ROWS = 20_000
"""Rows that one answer holds; a page cannot show more, and says so."""


def overview(database: str, status: Callable[[str], Mapping[str, Any]]) -> dict[str, Any]:
    """What `status` says of the service, its queue and its problems, and all acquisitions, the newest first."""
    with snapshot(database) as connection:
        with Question.acquisitions(connection).pages() as pages:
            table = [row for page in pages for row in page.select(_SHOWN).to_pylist()]
        last = {int(number): int(t) for number, t in connection.execute(_LAST_SHOWN)}
    older = max(len(table) - MOST_ACQUISITIONS, 0)
    rows = [
        {
            **_plain({name: value for name, value in row.items() if name != "divisions_count"}),
            "meaning": AcquisitionState(row["state"]).meaning,
            "divisions": row["divisions_count"],
            "last_t": last.get(row["id"]),
        }
        for row in table[-MOST_ACQUISITIONS:]
    ]
    return {**status(database), "acquisitions": rows[::-1], "older": older}


_SHOWN = [
    "id",
    "name",
    "state",
    "error",
    "source_path",
    "size_t",
    "size_c",
    "size_z",
    "size_y",
    "size_x",
    "created_at",
    "completed_at",
    "nuclei_count",
    "tracks_count",
    "timepoints_done",
    "model_name",
    "divisions_count",
]
_LAST_SHOWN = text(
    "SELECT acquisition_id, max(t) FROM timepoints WHERE published_at IS NOT NULL GROUP BY acquisition_id"
)


def about(found: AcquisitionResults, database: str) -> dict[str, Any]:
    """One acquisition: sizes, channels, how it was made, and the state of every time point."""
    row = found.about
    points = Results(database).sql(
        "SELECT t, state, nuclei_count, error, published_at FROM timepoints WHERE acquisition_id = :number ORDER BY t",
        number=row.id,
    )
    voxel = (row.voxel_z_um, row.voxel_y_um, row.voxel_x_um)
    return {
        "id": row.id,
        "name": row.name,
        "state": row.state.value,
        "meaning": row.state.meaning,
        "error": row.error,
        "source_path": row.source_path,
        "size": {"t": row.size_t, "c": row.size_c, "z": row.size_z, "y": row.size_y, "x": row.size_x},
        "voxel_um": None if None in voxel else list(voxel),
        "voxel_source": row.voxel_source,
        "frame_interval_s": row.frame_interval_s,
        "first_source_t": row.source_t(0),
        "step": row.step or 1,
        "channels": list(row.channel_names),
        "nuclear_channel": row.nuclear_channel,
        "params": dict(row.params),
        "model": row.model_name,
        "timepoints": _columns(points),
        "others": _others(found, database),
    }


def _others(found: AcquisitionResults, database: str) -> list[dict[str, Any]]:
    """Other results of the same source: made with other settings or weights."""
    rows = Results(database).sql(
        "SELECT id FROM acquisitions WHERE source_key = :key AND id != :number AND zarr_path IS NOT NULL ORDER BY id",
        key=found.about.source_key,
        number=found.about.id,
    )
    others = [Results(database)[int(number)].about for number in rows["id"]]
    return [{"id": one.id, "name": one.name, "state": one.state.value, "created_at": one.created_at} for one in others]


def nuclei(database: str, number: int, selection: Selection) -> dict[str, Any]:
    """Nuclei as columns; at most `MOST_ROWS` of them, with the count of rows that were left out."""
    limited = Selection(**{**_asked(selection), "limit": MOST_ROWS + 1})
    return _limited(Question.nuclei(database, number, limited).frame())


def tracks(database: str, number: int, selection: Selection) -> dict[str, Any]:
    """Tracks with root, generation and daughters, as columns."""
    limited = Selection(where=selection.where, track=selection.track, limit=MOST_ROWS + 1)
    return _limited(Question.lineage(database, number, limited).frame())


def divisions(database: str, number: int) -> dict[str, Any]:
    """Every track that began with a division, with its mother and her last time point, as columns."""
    return _limited(
        Results(database).sql(
            "SELECT d.track_id, d.parent_track_id, d.first_t, m.last_t AS parent_last_t FROM tracks d "
            "JOIN tracks m ON m.acquisition_id = d.acquisition_id AND m.track_id = d.parent_track_id "
            "WHERE d.acquisition_id = :number AND d.parent_track_id IS NOT NULL "
            "ORDER BY m.last_t, d.track_id LIMIT :most",
            number=number,
            most=MOST_ROWS + 1,
        )
    )


def _asked(selection: Selection) -> dict[str, Any]:
    return {name: getattr(selection, name) for name in ("where", "t", "track", "columns")}


def _limited(table: pd.DataFrame) -> dict[str, Any]:
    return {"columns": _columns(table.iloc[:MOST_ROWS]), "more": len(table) > MOST_ROWS}


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    return {str(name): [_value(value) for value in table[name].tolist()] for name in table.columns}


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:  # noqa: ANN401 - whatever a cell holds
    """What JSON can say: nothing for what is no number."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else float(f"{value:.7g}")
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_value(one) for one in value]
    if isinstance(value, Mapping):
        return _plain(value)
    return _value(value.item()) if hasattr(value, "item") else str(value)
