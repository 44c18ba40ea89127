"""The nuclei and plain tracks around corrections, read from rows whose tracks are plain."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, RowMapping, Table, and_, or_, select

from nuset_engine.arrays import FloatsN
from storage.database.corrections.events import LINK_KINDS, Correction
from storage.database.corrections.track_rows import chunks
from storage.database.track_measures import MeasureScale
from storage.schema.tables import nuclei, plain_nuclei, timepoints, tracks
from tracking.corrections.rules import LinkRule, NodeKey, PlainTrack, SceneNodes, SceneTracks


@dataclass(frozen=True)
class AroundCorrections:
    """What `tracking.corrections` takes."""

    nodes: SceneNodes
    tracks: SceneTracks
    rules: tuple[LinkRule, ...]


def around(
    connection: Connection, acquisition_id: int, fitting: Sequence[Correction], scale: MeasureScale, memory: int
) -> AroundCorrections | None:
    """Read what lies around corrections that fit; None where none of them says anything of tracks."""
    rules = tuple(LinkRule(one.kind, one.nodes) for one in fitting if one.kind in LINK_KINDS)
    edits = [one for one in fitting if one.kind not in LINK_KINDS and (one.named("made") or _other(one))]
    named = {one.t for one in edits} | {t for rule in rules for t, _ in rule.nodes}
    if not named:
        return None
    all_times = _times(connection, acquisition_id)
    times = _windows(all_times, named, memory + 2)
    nodes = _nodes(connection, acquisition_id, times, edits, scale)
    reach = (memory + 1) * scale.step
    known = _tracks(connection, acquisition_id, times[0] - reach, times[-1] + reach)
    return AroundCorrections(nodes, SceneTracks(known, times, all_times, reach), rules)


def members(connection: Connection, acquisition_id: int, track_ids: Collection[int]) -> dict[int, list[NodeKey]]:
    """Return all nuclei that plain tracks ever had, in order of t."""
    found: dict[int, set[NodeKey]] = {track_id: set() for track_id in track_ids}
    for table in (nuclei, plain_nuclei):
        for some in chunks(track_ids):
            which = and_(table.c.acquisition_id == acquisition_id, table.c.track_id.in_(some))
            for track_id, t, label in connection.execute(
                select(table.c.track_id, table.c.t, table.c.label).where(which)
            ):
                found[int(track_id)].add((int(t), int(label)))
    return {track_id: sorted(nodes) for track_id, nodes in found.items()}


def _other(one: Correction) -> tuple[int, ...]:
    return (*one.named("changed"), *one.named("removed"))


def _times(connection: Connection, acquisition_id: int) -> tuple[int, ...]:
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.nuclei_count.is_not(None))
    query = select(timepoints.c.t).where(here).order_by(timepoints.c.t)
    return tuple(int(t) for t in connection.execute(query).scalars())


def _windows(all_times: Sequence[int], named: Collection[int], margin: int) -> tuple[int, ...]:
    chosen: set[int] = set()
    for index, t in enumerate(all_times):
        if t in named:
            chosen.update(all_times[max(0, index - margin) : index + margin + 1])
    return tuple(sorted(chosen))


def _nodes(
    connection: Connection, acquisition_id: int, times: Sequence[int], edits: Sequence[Correction], scale: MeasureScale
) -> SceneNodes:
    made = {(one.t, label) for one in edits for label in one.named("made")}
    loose = {(one.t, label) for one in edits if one.kind in ("merge", "split") for label in one.named("labels")}
    present = _rows(connection, nuclei, acquisition_id, times, scale)
    there = {(row["t"], row["label"]) for row in present}
    plain = _rows(connection, plain_nuclei, acquisition_id, times, scale)
    gone = [row for row in plain if (row["t"], row["label"]) in made or (row["t"], row["label"]) not in there]
    redrawn = {(row["t"], row["label"]) for row in plain} & there - made
    rows = [*present, *gone]
    is_gone = np.arange(len(rows)) >= len(present)
    keys = [(row["t"], row["label"]) for row in rows]
    return SceneNodes(
        t=np.array([t for t, _ in keys], np.int64),
        label=np.array([label for _, label in keys], np.int64),
        track=np.array([row["track_id"] or 0 for row in rows], np.int64),
        place=np.array([[row[f"centroid_{axis}_{scale.unit}"] for axis in "zyx"] for row in rows]).reshape(-1, 3),
        size=_sizes(rows),
        gone=is_gone,
        loosened=is_gone & np.array([key in loose for key in keys], bool),
        redrawn=~is_gone & np.array([key in redrawn for key in keys], bool),
    )


def _rows(
    connection: Connection, table: Table, acquisition_id: int, times: Sequence[int], scale: MeasureScale
) -> list[RowMapping]:
    names = ["t", "label", "track_id", *(f"centroid_{axis}_{scale.unit}" for axis in "zyx"), "volume_px"]
    columns = [table.c[name] for name in names]
    found: list[RowMapping] = []
    for some in chunks(times):
        which = and_(table.c.acquisition_id == acquisition_id, table.c.t.in_(some))
        found += connection.execute(select(*columns).where(which).order_by(table.c.t, table.c.label)).mappings().all()
    return found


def _sizes(rows: Sequence[RowMapping]) -> FloatsN:
    voxels = np.array([row["volume_px"] or np.nan for row in rows], np.float64)
    return np.log(voxels) / 3.0


def _tracks(connection: Connection, acquisition_id: int, first: int, last: int) -> dict[int, PlainTrack]:
    names = ("track_id", "parent_track_id", "first_t", "last_t", "division_score")
    which = and_(tracks.c.acquisition_id == acquisition_id, tracks.c.first_t <= last, tracks.c.last_t >= first)
    rows = connection.execute(select(*(tracks.c[name] for name in names)).where(which))
    return {int(row[0]): PlainTrack(*row) for row in rows}


def track_records(connection: Connection, acquisition_id: int, track_ids: Collection[int]) -> dict[int, PlainTrack]:
    """Return the records of plain tracks and of their daughters."""
    names = ("track_id", "parent_track_id", "first_t", "last_t", "division_score")
    found: dict[int, PlainTrack] = {}
    for some in chunks(track_ids):
        family = or_(tracks.c.track_id.in_(some), tracks.c.parent_track_id.in_(some))
        which = and_(tracks.c.acquisition_id == acquisition_id, family)
        rows = connection.execute(select(*(tracks.c[name] for name in names)).where(which))
        found |= {int(row[0]): PlainTrack(*row) for row in rows}
    return found
