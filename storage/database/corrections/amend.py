"""The one transaction that brings an acquisition's rows and tracks to what people said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from storage.database import lookups
from storage.database.corrections import events, nuclei_rows, scene, track_rows
from storage.database.corrections.amendment import Amended, Amendment
from storage.database.corrections.events import APPLIED, MISFIT, NUCLEUS_KINDS, ORDERED, UNDO, UNDONE, Correction
from storage.database.corrections.packed import replace_blocks
from storage.database.ledger import track_changes
from storage.database.ledger.entries import tell
from storage.database.track_measures import scale_of
from storage.errors import StaleJobError
from storage.schema.event_kinds import RENEWED, EventKind
from storage.schema.tables import corrections, tracker_states, tracks
from tracking.corrections.renaming import CorrectedTracks, affected_tracks, rename
from tracking.corrections.rules import NodeKey
from tracking.corrections.solve import solve


def amend(connection: Connection, acquisition_id: int, amendment: Amendment, now: str) -> Amended:
    """Make rows and tracks follow; plain ones are put back first, so that what is undone leaves nothing behind.

    Raises
    ------
    StaleJobError
        When more was said, or the acquisition was opened again, since the worker looked: nothing changes.
    """
    _refuse_stale(connection, acquisition_id, amendment)
    row = lookups.acquisition(connection, acquisition_id)
    before = track_rows.corrected_ids(connection, acquisition_id)
    known, all_before = _tracks_now(connection, acquisition_id), track_changes.all_of(connection, acquisition_id)
    track_rows.take_off(connection, acquisition_id)
    for point in amendment.points:
        nuclei_rows.take_off(connection, acquisition_id, point.t)
        nuclei_rows.put_on(connection, row, point)
        nuclei_rows.count(connection, acquisition_id, point.t, point.is_written)
        replace_blocks(connection, acquisition_id, point.t, point.blocks)
    _note_outcomes(connection, acquisition_id, amendment)
    corrected = _solve(connection, acquisition_id, amendment)
    if corrected is not None:
        track_rows.put_on(connection, acquisition_id, corrected)
    after = track_rows.corrected_ids(connection, acquisition_id)
    moved = {node[0] for node in before.keys() | after.keys() if before.get(node) != after.get(node)}
    track_rows.unpaint(connection, acquisition_id, moved)
    amended = _settle(connection, acquisition_id, amendment, known, corrected, now)
    _tell(connection, acquisition_id, amended, {point.t for point in amendment.points} | moved, all_before, now)
    return amended


def _tell(
    connection: Connection,
    acquisition_id: int,
    amended: Amended,
    times: set[int],
    before: track_changes.KnownTracks,
    now: str,
) -> None:
    """Say of which time points nuclei are others now, and what became of tracks."""
    last_t = connection.execute(
        select(tracker_states.c.t).where(tracker_states.c.acquisition_id == acquisition_id)
    ).scalar()
    after = track_changes.all_of(connection, acquisition_id)
    facts = track_changes.changes(before, after, (last_t or 0, last_t or 0))
    facts |= {RENEWED: sorted(times), "applied": list(amended.applied), "misfits": sorted(amended.misfits)}
    tell(connection, EventKind.CORRECTED, acquisition_id, now, facts=facts)


def _refuse_stale(connection: Connection, acquisition_id: int, amendment: Amendment) -> None:
    settled = events.is_settled(connection, acquisition_id)
    wanted = wanted_now(events.of_acquisition(connection, acquisition_id), settled)
    if settled != amendment.settled or wanted != dict(amendment.wanted):
        raise StaleJobError(f"More was said of acquisition {acquisition_id} meanwhile: it is looked at again.")


def wanted_now(said: Sequence[Correction], settled: bool) -> dict[int, bool]:
    """Return, of each correction, whether the rows are to be as it says."""
    return {one.id: settled and one.undone_by is None for one in said}


def _note_outcomes(connection: Connection, acquisition_id: int, amendment: Amendment) -> None:
    """Write down which nuclei corrections turned out to speak of, and what does not fit."""
    known = {one.id: dict(one.changed) for one in events.of_acquisition(connection, acquisition_id)}
    for point in amendment.points:
        for outcome in point.outcomes:
            named = ("labels", "made", "changed", "removed", "new_labels")
            kept = known[outcome.number]
            changed = kept | {name: list(getattr(outcome, name)) for name in named}
            if outcome.reason is not None:  # the labels that it gave are kept for it
                changed["new_labels"] = kept.get("new_labels", [])
            _note(connection, outcome.number, changed, outcome.reason)
    for link in amendment.links:
        _note(connection, link.number, known[link.number] | {"nodes": [list(node) for node in link.nodes]}, link.reason)


def _note(connection: Connection, number: int, changed: Mapping[str, Any], reason: str | None) -> None:
    values = {"changed": dict(changed), "reason": reason, "state": APPLIED if reason is None else MISFIT}
    connection.execute(update(corrections).where(corrections.c.id == number).values(values))


def _solve(connection: Connection, acquisition_id: int, amendment: Amendment) -> CorrectedTracks | None:
    said = events.of_acquisition(connection, acquisition_id)
    fitting = [one for one in said if amendment.wanted[one.id] and one.state == APPLIED]
    scale = scale_of(connection, acquisition_id)
    around = scene.around(connection, acquisition_id, fitting, scale, amendment.memory)
    if around is None:
        return None
    links = solve(around.nodes, around.tracks, around.rules)
    ruled = [one for one in fitting if one.kind not in NUCLEUS_KINDS]
    for index in sorted(links.misfits):
        values = {"state": MISFIT, "reason": "the track of its nucleus does not divide there"}
        connection.execute(update(corrections).where(corrections.c.id == ruled[index].id).values(values))
    affected = affected_tracks(links, around.tracks.tracks)
    records = scene.track_records(connection, acquisition_id, affected)
    everyone = scene.members(connection, acquisition_id, set(records))
    names = {(int(t), int(label)): int(track) for one in said for t, label, track in one.changed.get("track_names", ())}
    highest = connection.execute(
        select(func.max(tracks.c.track_id)).where(tracks.c.acquisition_id == acquisition_id)
    ).scalar()
    plain = _all_ids(connection, acquisition_id)
    names = {node: track for node, track in names.items() if track not in plain}
    return rename(links, everyone, records, names, int(highest or 0) + 1)


def _all_ids(connection: Connection, acquisition_id: int) -> set[int]:
    query = select(tracks.c.track_id).where(tracks.c.acquisition_id == acquisition_id)
    return set(connection.execute(query).scalars())


def _tracks_now(connection: Connection, acquisition_id: int) -> dict[int, tuple[Any, ...]]:
    """The corrected tracks that people see, as they are told of them."""
    columns = (tracks.c.track_id, tracks.c.parent_track_id, tracks.c.first_t, tracks.c.last_t, tracks.c.nuclei_count)
    mine = and_(tracks.c.acquisition_id == acquisition_id, tracks.c.corrected)
    return {int(track): tuple(rest) for track, *rest in connection.execute(select(*columns).where(mine))}


def _settle(
    connection: Connection,
    acquisition_id: int,
    amendment: Amendment,
    before: Mapping[int, tuple[Any, ...]],
    corrected: CorrectedTracks | None,
    now: str,
) -> Amended:
    """Note what is counted now, and with the newest event how tracks changed."""
    after = _tracks_now(connection, acquisition_id)
    other = sorted(number for number in before.keys() | after.keys() if before.get(number) != after.get(number))
    names: Mapping[NodeKey, int] = corrected.names if corrected is not None else {}
    applied, misfits, newest = [], {}, 0
    for one in events.of_acquisition(connection, acquisition_id):
        wanted = amendment.wanted[one.id]
        values: dict[str, Any] = {"counted": wanted}
        if not wanted:
            values |= {"state": ORDERED if one.undone_by is None else UNDONE, "reason": None}
        if wanted != one.counted:
            newest = max(newest, one.id, one.undone_by or 0)
            values["applied_at"] = now if wanted else None
            if wanted and one.state == APPLIED:
                applied.append(one.id)
            elif wanted:
                misfits[one.id] = one.reason or ""
        connection.execute(update(corrections).where(corrections.c.id == one.id).values(values))
    mine = and_(corrections.c.acquisition_id == acquisition_id, corrections.c.kind == UNDO)
    waiting = and_(mine, corrections.c.state == ORDERED)
    connection.execute(update(corrections).where(waiting).values(state=APPLIED, applied_at=now))
    _tell_tracks(connection, newest, other, names)
    return Amended(tuple(point.t for point in amendment.points if point.is_written), tuple(applied), misfits)


def _tell_tracks(connection: Connection, number: int, other: Sequence[int], names: Mapping[NodeKey, int]) -> None:
    """Write down with an event which tracks are others than before it, and which ids new ones were given."""
    here = corrections.c.id == number
    found = connection.execute(select(corrections.c.changed).where(here)).one_or_none()
    if found is None:
        return
    changed = dict(found[0] or {})
    changed["tracks"] = list(other)
    changed["track_names"] = changed.get("track_names", []) + [[t, label, track] for (t, label), track in names.items()]
    connection.execute(update(corrections).where(here).values(changed=changed))
