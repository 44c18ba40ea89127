"""Tracks made anew from the stored tables: time points came late, sources changed, or a tracker's state is unreadable.

Nothing here writes: it works on any connection that sees one moment of the database. What it finds becomes current by
`storage.database.renewal.staged_tracks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, RowMapping, and_, or_, select

from nuset_engine.arrays import IntsN
from nuset_engine.nuclei import Nuclei
from storage.database import analysed
from storage.database.records import DOUBT_COLUMNS, NO_DOUBTS, doubts_by_label, nuclei_from_rows, track_record
from storage.database.renewal.replayed import DoubtValues, Replayed, ReplayedTimepoint, TakenTracks
from storage.database.track_measures import TOGETHER, MeasureScale, measures_of, scale_of, with_measures
from storage.errors import StorageError
from storage.schema.states import TimepointState
from storage.schema.tables import analysed_nuclei, analysed_timepoints, timepoints
from storage.schema.tables import nuclei as nuclei_table

if TYPE_CHECKING:
    from tracking.doubts.told import FrameDoubts
    from tracking.graph import Track
    from tracking.params import TrackingParams
    from tracking.tracker import FrameTracks, TrackUpdate


@dataclass(frozen=True)
class _Frame:
    """The stored nuclei of a time point with what is compared with the new tracks."""

    nuclei: Nuclei
    ids: IntsN | None  # of its rows; None for a kept result
    before: IntsN  # track ids, 0 for none
    doubted: tuple[DoubtValues, ...]


def replay(
    connection: Connection,
    acquisition_id: int,
    params: TrackingParams | None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replayed:
    """Track an acquisition anew, with its late and changed time points in their places.

    Parameters
    ----------
    progress : callable
        Told of steps done and of all; every step takes a moment.

    Raises
    ------
    StorageError
        When nothing of the acquisition has been tracked.
    """
    from tracking.tracker import Tracker

    tracked = analysed.tracked_t(connection, acquisition_id)
    if tracked is None:
        raise StorageError(f"Nothing of acquisition {acquisition_id} has been tracked: there are no tracks to renew.")
    taken = _taken(connection, acquisition_id, tracked)
    times = _times(connection, acquisition_id, taken)
    scale = scale_of(connection, acquisition_id)
    tracker = Tracker(params, scale.step)
    frames: list[_Frame] = []

    def updates() -> Iterator[TrackUpdate]:
        for done, t in enumerate(times):
            progress(done, 2 * len(times))
            frames.append(_frame(connection, acquisition_id, t, scale, t in taken))
            yield tracker.advance(frames[-1].nuclei)

    update = merged(updates())
    records = [track_record(acquisition_id, track) for track in update.tracks]
    table = _membership(frames, update, scale)
    measures = _measures(table, records, scale, lambda part: progress(int((1 + part) * len(times)), 2 * len(times)))
    return _outcome(tracked, tracker.state(), frames, update, taken, with_measures(records, measures))


def stored_nuclei(connection: Connection, acquisition_id: int) -> Iterator[Nuclei]:
    """Give the tables of all time points that have one, in order of t, exactly as they were committed."""
    scale = scale_of(connection, acquisition_id)
    for t in _times(connection, acquisition_id, {}):
        yield _frame(connection, acquisition_id, t, scale, kept=False).nuclei


def merged(updates: Iterable[TrackUpdate]) -> TrackUpdate:
    """Return the one update that leaves behind what the given ones leave behind, applied in turn to nothing."""
    from tracking.tracker import TrackUpdate

    frames: dict[int, FrameTracks] = {}
    tracks: dict[int, Track] = {}
    doubts: dict[int, FrameDoubts] = {}
    for update in updates:
        frames.update({frame.t: frame for frame in update.frames})
        for number in update.removed_tracks:
            tracks.pop(number, None)
        tracks.update({track.track_id: track for track in update.tracks})
        doubts |= {told.t: told.over(doubts.get(told.t)) for told in update.doubts}
    return TrackUpdate(
        frames=tuple(frames[t] for t in sorted(frames)),
        tracks=tuple(tracks[number] for number in sorted(tracks)),
        removed_tracks=(),
        doubts=tuple(doubts[t] for t in sorted(doubts)),
    )


def _taken(connection: Connection, acquisition_id: int, tracked: int) -> dict[int, int]:
    """Attempts of the kept results that the tracker has gone past, by t."""
    table = analysed_timepoints
    mine = and_(table.c.acquisition_id == acquisition_id, table.c.t <= tracked)
    return {int(t): int(n) for t, n in connection.execute(select(table.c.t, table.c.attempts).where(mine))}


def _times(connection: Connection, acquisition_id: int, taken: Mapping[int, int]) -> list[int]:
    """The time points that have a table, or get one."""
    waiting = and_(timepoints.c.state == TimepointState.ANALYSED.value, timepoints.c.t.in_(list(taken)))
    has = or_(timepoints.c.nuclei_count.is_not(None), waiting)
    query = select(timepoints.c.t).where(timepoints.c.acquisition_id == acquisition_id, has).order_by(timepoints.c.t)
    return [int(t) for t in connection.execute(query).scalars()]


def _frame(connection: Connection, acquisition_id: int, t: int, scale: MeasureScale, kept: bool) -> _Frame:
    table = analysed_nuclei if kept else nuclei_table
    here = and_(table.c.acquisition_id == acquisition_id, table.c.t == t)
    rows: list[RowMapping] = list(connection.execute(select(table).where(here).order_by(table.c.id)).mappings())
    ids = None if kept else np.array([row["id"] for row in rows], np.int64)
    before = np.array([row["track_id"] or 0 for row in rows], np.int64)
    doubted = tuple(tuple(row[name] for name in DOUBT_COLUMNS) for row in rows)
    return _Frame(nuclei_from_rows(t, scale.unit, rows), ids, before, doubted)


def _membership(frames: list[_Frame], update: TrackUpdate, scale: MeasureScale) -> pd.DataFrame:
    """All nuclei with their new tracks: t, track_id and what tracks are measured from."""
    told = {frame.t: frame for frame in update.frames}
    parts = []
    for frame in frames:
        part = frame.nuclei.table[scale.columns].copy()
        part["t"] = frame.nuclei.t
        part["track_id"] = _in_order(frame, told[frame.nuclei.t])
        parts.append(part)
    return pd.concat(parts) if parts else pd.DataFrame({name: [] for name in ("t", "track_id", *scale.columns)})


def _in_order(frame: _Frame, told: FrameTracks) -> IntsN:
    """Track ids of a frame's nuclei in the order of their rows."""
    labels = frame.nuclei.table["label"].to_numpy(np.int64)
    if np.array_equal(labels, told.labels):
        return told.track_ids
    order = np.argsort(told.labels)
    return told.track_ids[order[np.searchsorted(told.labels[order], labels)]]


def _measures(
    table: pd.DataFrame, records: list[dict[str, Any]], scale: MeasureScale, progress: Callable[[float], None]
) -> dict[int, dict[str, Any]]:
    parents = {record["track_id"]: record["parent_track_id"] for record in records if record["is_final"]}
    dividing = {record["parent_track_id"] for record in records} - {None}
    table = table.sort_values(["track_id", "t"], kind="stable")
    owners, ids = table["track_id"].to_numpy(np.int64), sorted(parents)
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(ids), TOGETHER):
        progress(start / len(ids))
        some = ids[start : start + TOGETHER]
        first, last = np.searchsorted(owners, some[0]), np.searchsorted(owners, some[-1], side="right")
        rows = table.iloc[first:last]
        rows = rows[rows["track_id"].isin(some)]
        found |= measures_of(rows, scale, {i: parents[i] for i in some}, dividing & set(some))
    return found


def _outcome(
    tracked: int,
    state: bytes,
    frames: list[_Frame],
    update: TrackUpdate,
    taken: Mapping[int, int],
    tracks: list[dict[str, Any]],
) -> Replayed:
    told = {frame.t: frame for frame in update.frames}
    said_of = {doubts.t: doubts_by_label(doubts) for doubts in update.doubts}
    points, ids, numbers = [], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    doubted: list[DoubtValues] = []
    taken_tracks: dict[int, TakenTracks] = {}
    for frame in frames:
        said = told[frame.nuclei.t]
        now = _in_order(frame, said)
        other = now != frame.before
        points.append(ReplayedTimepoint(said.t, bool(said.is_final), frame.ids is None or bool(other.any())))
        labels = frame.nuclei.table["label"].to_numpy(np.int64)
        by_label = said_of.get(said.t, {})
        doubts = [by_label.get(label, NO_DOUBTS) for label in labels.tolist()]
        if frame.ids is None:
            taken_tracks[said.t] = (labels, now, tuple(doubts))
        else:
            other |= np.array([one != two for one, two in zip(doubts, frame.doubted, strict=True)], bool)
            ids.append(frame.ids[other])
            numbers.append(now[other])
            doubted += [doubts[row] for row in np.flatnonzero(other).tolist()]
    changed = np.concatenate(ids), np.concatenate(numbers), tuple(doubted)
    return Replayed(tracked, state, tuple(points), *changed, taken, taken_tracks, tuple(tracks))
