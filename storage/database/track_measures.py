"""Measures of tracks that have become final, from their stored nuclei."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from sqlalchemy import Connection, select

from storage.database.records import plain
from storage.schema import tables
from storage.schema.columns import TRACK_MEASURES

if TYPE_CHECKING:
    from nuset_engine.nuclei import Nuclei
    from tracking.tracker import TrackUpdate

TOGETHER = 400
"""Tracks whose nuclei are read at once; below the number of values that an old SQLite takes in a statement."""


Measures = Mapping[int, Mapping[str, Any]]
"""`TRACK_MEASURES` by track."""


def with_measures(records: Sequence[Mapping[str, Any]], measures: Measures) -> list[dict[str, Any]]:
    """Return the records of tracks with `TRACK_MEASURES`: those of tracks that were measured, of others empty."""
    empty = dict.fromkeys(TRACK_MEASURES)
    return [{**record, **empty, **measures.get(record["track_id"], {})} for record in records]


def measured(
    connection: Connection,
    acquisition_id: int,
    records: Sequence[Mapping[str, Any]],
    update: TrackUpdate | None = None,
    new: Nuclei | None = None,
) -> Measures:
    """Measure those of the tracks in `records` that are final, from their stored nuclei.

    Parameters
    ----------
    update, new : optional
        What a tracker said that is not stored yet, and the nuclei of a time point that are not either.
    """
    found: dict[int, Mapping[str, Any]] = {}
    parents = {record["track_id"]: record["parent_track_id"] for record in records if record["is_final"]}
    ids = sorted(parents)
    if not ids:
        return found
    scale = scale_of(connection, acquisition_id)
    told = {record["parent_track_id"] for record in records} & set(parents)
    gone = set(update.removed_tracks) if update is not None else set()
    moved = _moved(connection, acquisition_id, scale, update, new)
    for start in range(0, len(ids), TOGETHER):
        some = ids[start : start + TOGETHER]
        rows = _rows(connection, acquisition_id, scale, some, moved)
        dividing = told | _dividing(connection, acquisition_id, some, gone)
        found |= measures_of(rows, scale, {i: parents[i] for i in some}, dividing)
    return found


@dataclass(frozen=True)
class MeasureScale:
    """In which units an acquisition's tracks are measured."""

    unit: Literal["um", "px"]
    frame_interval_s: float | None
    step: int = 1

    @property
    def columns(self) -> list[str]:
        """The columns of nuclei that are needed besides `t` and `track_id`."""
        from tracking.measures import SIZES

        return [*(f"centroid_{axis}_{self.unit}" for axis in "zyx"), *SIZES]


def scale_of(connection: Connection, acquisition_id: int) -> MeasureScale:
    """Return the units of an acquisition."""
    table = tables.acquisitions
    row = connection.execute(
        select(table.c.frame_interval_s, table.c.voxel_z_um, table.c.step).where(table.c.id == acquisition_id)
    ).one()
    return MeasureScale("px" if row.voxel_z_um is None else "um", row.frame_interval_s, row.step)


def measures_of(
    nuclei: pd.DataFrame, scale: MeasureScale, parents: Mapping[int, int | None], dividing: Collection[int]
) -> dict[int, dict[str, Any]]:
    """Measure the tracks that `parents` names.

    Parameters
    ----------
    nuclei : DataFrame
        Their nuclei: t, track_id and `MeasureScale.columns`.
    """
    from tracking.measures import track_measures

    rows = nuclei.sort_values(["track_id", "t"], kind="stable").astype(dict.fromkeys(scale.columns, "float64"))
    rows["parent_track_id"] = rows["track_id"].map(dict(parents)).astype("float64")
    measures = track_measures(rows, scale.frame_interval_s, scale.unit, dividing, scale.step)
    names = [name for name in measures.columns if name in TRACK_MEASURES]
    return {
        int(track): {name: plain(value) for name, value in zip(names, values, strict=True)}
        for track, *values in measures[names].itertuples()
    }


def _rows(
    connection: Connection, acquisition_id: int, scale: MeasureScale, ids: list[int], moved: pd.DataFrame
) -> pd.DataFrame:
    """Nuclei of tracks as they are stored, but for the time points that are in `moved`."""
    table, names = tables.nuclei, ["t", "track_id", *scale.columns]
    query = select(*(table.c[name] for name in names)).where(
        table.c.acquisition_id == acquisition_id, table.c.track_id.in_(ids)
    )
    stored = pd.DataFrame(connection.execute(query).all(), columns=names)
    if moved.empty:
        return stored
    kept = stored[~stored["t"].isin(moved["t"].unique())]
    more = moved[moved["track_id"].isin(ids)]
    return pd.DataFrame({name: [*kept[name].tolist(), *more[name].tolist()] for name in names})


def _moved(
    connection: Connection, acquisition_id: int, scale: MeasureScale, update: TrackUpdate | None, new: Nuclei | None
) -> pd.DataFrame:
    """The nuclei of the time points that an update speaks of, with the tracks that it gives them."""
    table, names = tables.nuclei, ["t", "track_id", *scale.columns]
    parts: dict[str, list[Any]] = {name: [] for name in names}
    for frame in () if update is None else update.frames:
        track_of = dict(zip(frame.labels.tolist(), frame.track_ids.tolist(), strict=True))
        if new is not None and frame.t == new.t:
            found = {name: new.table[name].tolist() for name in ("label", *scale.columns)}
        else:
            here = (table.c.acquisition_id == acquisition_id) & (table.c.t == int(frame.t))
            rows = connection.execute(select(table.c.label, *(table.c[name] for name in scale.columns)).where(here))
            columns = [list(values) for values in zip(*rows.all(), strict=True)] or [[]] * (1 + len(scale.columns))
            found = dict(zip(("label", *scale.columns), columns, strict=True))
        labels = list(found["label"])
        parts["t"] += [int(frame.t)] * len(labels)
        parts["track_id"] += [track_of.get(int(label)) for label in labels]
        for name in scale.columns:
            parts[name] += list(found[name])
    return pd.DataFrame(parts)


def _dividing(connection: Connection, acquisition_id: int, ids: list[int], gone: Collection[int] = ()) -> set[int]:
    """Those of the tracks that have daughters in the database."""
    table = tables.tracks
    query = select(table.c.parent_track_id, table.c.track_id).where(
        table.c.acquisition_id == acquisition_id, table.c.parent_track_id.in_(ids)
    )
    return {int(parent) for parent, daughter in connection.execute(query) if daughter not in gone}
