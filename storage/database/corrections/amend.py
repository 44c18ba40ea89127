"""The one transaction that brings an acquisition's rows and tracks to what people said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, select, update

from storage.database import analysed, lookups
from storage.database.corrections import events, nuclei_rows, track_rows
from storage.database.corrections.amendment import Amended, Amendment
from storage.database.corrections.events import APPLIED, MISFIT, ORDERED, UNDO, UNDONE
from storage.database.corrections.packed import pack_text, replace_blocks
from storage.database.corrections.tracks_anew import put_on, remember
from storage.database.corrections.wanted import wanted_now
from storage.database.ledger import track_changes
from storage.database.ledger.entries import tell
from storage.errors import StaleJobError
from storage.schema.event_kinds import RENEWED, EventKind
from storage.schema.tables import corrections, tracks


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
    said = [one for one in events.of_acquisition(connection, acquisition_id) if amendment.wanted[one.id]]
    names = put_on(connection, acquisition_id, said, amendment.memory)
    new = {one.id for one in said if not one.counted}
    remember(connection, new or {one.id for one in said[-1:]}, names)
    moved = track_rows.unpaint_moved(connection, acquisition_id, before)
    amended = _settle(connection, acquisition_id, amendment, known, now)
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
    last_t = analysed.seen_t(connection, acquisition_id)
    after = track_changes.all_of(connection, acquisition_id)
    facts = track_changes.changes(before, after, (last_t, last_t))
    facts |= {RENEWED: sorted(times), "applied": list(amended.applied), "misfits": sorted(amended.misfits)}
    tell(connection, EventKind.CORRECTED, acquisition_id, now, facts=facts)


def _refuse_stale(connection: Connection, acquisition_id: int, amendment: Amendment) -> None:
    said = events.of_acquisition(connection, acquisition_id)
    if wanted_now(connection, acquisition_id, said, amendment.plain) != dict(amendment.wanted):
        raise StaleJobError(f"More was said of acquisition {acquisition_id} meanwhile: it is looked at again.")


def _note_outcomes(connection: Connection, acquisition_id: int, amendment: Amendment) -> None:
    """Write down which nuclei corrections turned out to speak of, and what does not fit."""
    known = {one.id: dict(one.changed) for one in events.of_acquisition(connection, acquisition_id)}
    for point in amendment.points:
        for outcome in point.outcomes:
            named = ("labels", "made", "changed", "removed", "new_labels")
            kept = known[outcome.number]
            changed = kept | {name: list(getattr(outcome, name)) for name in named}
            if outcome.drawn:
                changed["drawn"] = pack_text(outcome.drawn)
            if outcome.how is not None:
                changed["how"] = outcome.how
            if outcome.reason is not None:  # the labels that it gave are kept for it
                changed["new_labels"] = kept.get("new_labels", [])
            _note(connection, outcome.number, changed, outcome.reason)
    for link in amendment.links:
        _note(connection, link.number, known[link.number] | {"nodes": [list(node) for node in link.nodes]}, link.reason)


def _note(connection: Connection, number: int, changed: Mapping[str, Any], reason: str | None) -> None:
    values = {"changed": dict(changed), "reason": reason, "state": APPLIED if reason is None else MISFIT}
    connection.execute(update(corrections).where(corrections.c.id == number).values(values))


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
    now: str,
) -> Amended:
    """Note what is counted now, and with the newest event how tracks changed."""
    after = _tracks_now(connection, acquisition_id)
    other = sorted(number for number in before.keys() | after.keys() if before.get(number) != after.get(number))
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
    _tell_tracks(connection, newest, other)
    return Amended(tuple(point.t for point in amendment.points if point.is_written), tuple(applied), misfits)


def _tell_tracks(connection: Connection, number: int, other: Sequence[int]) -> None:
    """Write down with an event which tracks are others than before it."""
    here = corrections.c.id == number
    found = connection.execute(select(corrections.c.changed).where(here)).one_or_none()
    if found is not None:
        connection.execute(update(corrections).where(here).values(changed={**(found[0] or {}), "tracks": list(other)}))
