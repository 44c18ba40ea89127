"""Measures of tracks that have become final, from their stored nuclei."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Connection, select

from storage.database.records import plain
from storage.schema import tables
from storage.schema.tables import TRACK_MEASURES

TOGETHER = 400
"""Tracks whose nuclei are read at once; below the number of values that an old SQLite takes in a statement."""


def with_measures(
    connection: Connection, acquisition_id: int, records: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the records of tracks with `TRACK_MEASURES`: those of final tracks measured, of others empty.

    The nuclei must carry their track ids already.
    """
    empty = dict.fromkeys(TRACK_MEASURES)
    measured: dict[int, dict[str, Any]] = {}
    parents = {record["track_id"]: record["parent_track_id"] for record in records if record["is_final"]}
    ids = sorted(parents)
    for start in range(0, len(ids), TOGETHER):
        some = ids[start : start + TOGETHER]
        measured |= _measured(connection, acquisition_id, {i: parents[i] for i in some}, records)
    return [{**record, **empty, **measured.get(record["track_id"], {})} for record in records]


def _measured(
    connection: Connection, acquisition_id: int, parents: dict[int, int | None], records: Sequence[dict[str, Any]]
) -> dict[int, dict[str, Any]]:
    """Measures by track of the tracks that `parents` names."""
    from tracking.measures import SIZES, track_measures

    acquisitions = tables.acquisitions
    row = connection.execute(
        select(acquisitions.c.frame_interval_s, acquisitions.c.voxel_z_um).where(acquisitions.c.id == acquisition_id)
    ).one()
    unit = "px" if row.voxel_z_um is None else "um"
    table = tables.nuclei
    names = ["t", "track_id", *(f"centroid_{axis}_{unit}" for axis in "zyx"), *SIZES]
    query = (
        select(*(table.c[name] for name in names))
        .where(table.c.acquisition_id == acquisition_id, table.c.track_id.in_(list(parents)))
        .order_by(table.c.track_id, table.c.t)
    )
    nuclei = pd.DataFrame(connection.execute(query).all(), columns=names)
    nuclei = nuclei.astype(dict.fromkeys(names[2:], "float64"))
    nuclei["parent_track_id"] = nuclei["track_id"].map(parents).astype("float64")
    dividing = _dividing(connection, acquisition_id, list(parents))
    dividing |= {record["parent_track_id"] for record in records} & set(parents)
    measures = track_measures(nuclei, row.frame_interval_s, unit, dividing)
    kept = [name for name in measures.columns if name in TRACK_MEASURES]
    return {
        int(track): {name: plain(value) for name, value in zip(kept, values, strict=True)}
        for track, *values in measures[kept].itertuples()
    }


def _dividing(connection: Connection, acquisition_id: int, ids: list[int]) -> set[int]:
    """Those of the tracks that have daughters in the database."""
    table = tables.tracks
    query = select(table.c.parent_track_id).where(
        table.c.acquisition_id == acquisition_id, table.c.parent_track_id.in_(ids)
    )
    return set(connection.execute(query).scalars())
