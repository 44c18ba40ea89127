"""Tracks that were made anew: written aside in short transactions, and made current by one.

Readers see the old tracks until that one, and the new ones after it. What an interrupted writer left aside is never
read: it is cleared before anything is staged again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, Table, and_, bindparam, delete, insert, select, text, update

from storage.database import analysed
from storage.database.commits import done_values
from storage.database.ledger import track_changes
from storage.database.ledger.entries import tell
from storage.database.records import DOUBT_COLUMNS
from storage.errors import StaleJobError
from storage.schema.event_kinds import RENEWED, EventKind
from storage.schema.states import TIMEPOINT_TRANSITIONS, TimepointState, check_transition
from storage.schema.tables import (
    analysed_nuclei,
    analysed_timepoints,
    plain_labels,
    staged_track_ids,
    staged_tracks,
    timepoints,
    tracker_states,
    tracks,
)
from storage.schema.tables import nuclei as nuclei_table

if TYPE_CHECKING:
    from storage.database.renewal.replayed import Replayed, ReplayedTimepoint

StagedRows = tuple[str, Sequence[dict[str, Any]]]
"""Rows that one short transaction writes, and what they are."""

ROWS = 2_000
"""Rows of a piece: some hundredths of a second."""


def clear(connection: Connection, acquisition_id: int, most: int = 10 * ROWS) -> bool:
    """Remove what lies aside, at most so many rows of each kind; True when nothing is left."""
    left = False
    for table, key in ((staged_track_ids, staged_track_ids.c.nucleus_id), (staged_tracks, staged_tracks.c.id)):
        some = select(key).where(table.c.acquisition_id == acquisition_id).limit(most)
        left |= connection.execute(delete(table).where(key.in_(some.scalar_subquery()))).rowcount >= most
    return not left


def pieces(acquisition_id: int, replayed: Replayed) -> Iterator[StagedRows]:
    """Cut what a replay found into pieces for `write`."""
    changed = zip(replayed.nucleus_ids.tolist(), replayed.track_ids.tolist(), replayed.doubts, strict=True)
    names = ("nucleus_id", "track_id", *DOUBT_COLUMNS)
    yield from _cut(
        "ids", [{"acquisition_id": acquisition_id, **dict(zip(names, (n, i, *d), strict=True))} for n, i, d in changed]
    )
    for t, (labels, numbers, doubts) in replayed.taken_tracks.items():
        taken = zip(labels.tolist(), numbers.tolist(), doubts, strict=True)
        names = ("of", "track_id", *DOUBT_COLUMNS)
        yield from _cut("taken", [{"at": t, **dict(zip(names, (n, i, *d), strict=True))} for n, i, d in taken])
    yield from _cut("tracks", replayed.tracks)


def write(connection: Connection, acquisition_id: int, piece: StagedRows) -> None:
    """Write one piece aside."""
    kind, rows = piece
    if kind == "taken":
        this = and_(
            analysed_nuclei.c.acquisition_id == acquisition_id,
            analysed_nuclei.c.t == bindparam("at"),
            analysed_nuclei.c.label == bindparam("of"),
        )
        connection.execute(update(analysed_nuclei).where(this), list(rows))
    else:
        connection.execute(insert(staged_track_ids if kind == "ids" else staged_tracks), list(rows))


def make_current(connection: Connection, acquisition_id: int, replayed: Replayed, now: str) -> None:
    """Put everything that lies aside in the place of what readers see, and commit the kept results that took part.

    Raises
    ------
    StaleJobError
        When what was replayed is not what is there any more: nothing changes.
    """
    _refuse_stale(connection, acquisition_id, replayed)
    before = track_changes.all_of(connection, acquisition_id)
    values = {"a": acquisition_id}
    for t in replayed.taken:
        here = and_(nuclei_table.c.acquisition_id == acquisition_id, nuclei_table.c.t == t)
        connection.execute(delete(nuclei_table).where(here))
        former = and_(plain_labels.c.acquisition_id == acquisition_id, plain_labels.c.t == t)
        connection.execute(delete(plain_labels).where(former))
    _insert_from(connection, analysed_nuclei, nuclei_table, acquisition_id, replayed.tracked_t)
    connection.execute(
        text(
            "UPDATE nuclei SET track_id = s.track_id, doubt = s.doubt, doubt_kind = s.doubt_kind, "
            "link_doubt = s.link_doubt, end_doubt = s.end_doubt FROM staged_track_ids AS s "
            "WHERE s.nucleus_id = nuclei.id AND s.acquisition_id = :a AND nuclei.acquisition_id = :a"
        ),
        values,
    )
    connection.execute(delete(tracks).where(tracks.c.acquisition_id == acquisition_id))
    _insert_from(connection, staged_tracks, tracks, acquisition_id, None)
    _update_timepoints(connection, acquisition_id, replayed, now)
    here = tracker_states.c.acquisition_id == acquisition_id
    connection.execute(update(tracker_states).where(here).values(state=replayed.state))
    past = analysed_timepoints.c.t <= replayed.tracked_t
    connection.execute(delete(analysed_timepoints).where(analysed_timepoints.c.acquisition_id == acquisition_id, past))
    for table in (staged_track_ids, staged_tracks):
        connection.execute(delete(table).where(table.c.acquisition_id == acquisition_id))
    _tell(connection, acquisition_id, replayed, before, now)


def _tell(
    connection: Connection, acquisition_id: int, replayed: Replayed, before: track_changes.KnownTracks, now: str
) -> None:
    """The time points that are done with it, in their order, then what became of tracks."""
    for t in sorted(replayed.taken):
        tell(connection, EventKind.TIMEPOINT, acquisition_id, now, t)
    seen = (replayed.tracked_t, replayed.tracked_t)
    facts = track_changes.changes(before, track_changes.of_records(replayed.tracks), seen)
    renewed = [point.t for point in replayed.points if point.is_changed and point.t not in replayed.taken]
    facts |= {RENEWED: renewed} if renewed else {}
    if facts:
        tell(connection, EventKind.TRACKS, acquisition_id, now, facts=facts)


def _refuse_stale(connection: Connection, acquisition_id: int, replayed: Replayed) -> None:
    kept, here = analysed_timepoints, timepoints
    query = (
        select(kept.c.t, kept.c.attempts)
        .join(here, and_(here.c.acquisition_id == kept.c.acquisition_id, here.c.t == kept.c.t))
        .where(kept.c.acquisition_id == acquisition_id, kept.c.t <= replayed.tracked_t)
        .where(here.c.state == TimepointState.ANALYSED.value, here.c.fingerprint == kept.c.fingerprint)
        .where(here.c.attempts == kept.c.attempts)
    )
    present = {int(t): int(attempts) for t, attempts in connection.execute(query)}
    tracked = analysed.tracked_t(connection, acquisition_id)
    if present != dict(replayed.taken) or tracked != replayed.tracked_t:
        raise StaleJobError(
            f"Time points of acquisition {acquisition_id} changed while its tracks were made anew: they are made again."
        )


def _update_timepoints(connection: Connection, acquisition_id: int, replayed: Replayed, now: str) -> None:
    check_transition(TIMEPOINT_TRANSITIONS, TimepointState.ANALYSED, TimepointState.DONE, "A time point")
    mine = timepoints.c.acquisition_id == acquisition_id
    kept = {
        int(row["t"]): row
        for row in connection.execute(
            select(analysed_timepoints).where(
                analysed_timepoints.c.acquisition_id == acquisition_id, analysed_timepoints.c.t <= replayed.tracked_t
            )
        ).mappings()
    }
    for point in replayed.points:
        if point.t in kept:
            values = _done(kept[point.t], point, now)
        elif point.is_changed:
            values = {"tracks_final": point.is_final, "painted_at": None}
        else:
            values = {"tracks_final": point.is_final}
        connection.execute(update(timepoints).where(mine, timepoints.c.t == point.t).values(values))


def _done(row: RowMapping, point: ReplayedTimepoint, now: str) -> dict[str, Any]:
    done = done_values(row["nuclei_count"], row["timings"], row["quality"], row["fingerprint"], now)
    return {**done, "measured": row["measured"], "tracks_final": point.is_final}


def _insert_from(connection: Connection, source: Table, into: Table, acquisition_id: int, last_t: int | None) -> None:
    """Copy the rows of an acquisition from one table to another, in the order in which they were written."""
    names = [column.name for column in into.columns if column.name != "id" and column.name in source.c]
    query = select(*(source.c[name] for name in names)).where(source.c.acquisition_id == acquisition_id)
    if last_t is not None:
        query = query.where(source.c.t <= last_t)
    connection.execute(insert(into).from_select(names, query.order_by(source.c.id)))


def _cut(kind: str, rows: Sequence[dict[str, Any]]) -> Iterator[StagedRows]:
    for start in range(0, len(rows), ROWS):
        yield kind, rows[start : start + ROWS]
