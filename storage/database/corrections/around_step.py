"""A step of the tracker on an acquisition that is corrected: it sees plain rows, readers never do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, func, select, update

from storage.database import analysed, lookups
from storage.database.corrections import events, nuclei_rows, track_rows
from storage.database.corrections.tracks_anew import put_on, remember
from storage.database.corrections.wanted import are_on_now
from storage.database.ledger import track_changes
from storage.database.ledger.entries import tell
from storage.schema.event_kinds import RENEWED, EventKind
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import events as ledger
from storage.schema.tables import tracks
from tracking.params import TrackingParams


@contextmanager
def plain_within(connection: Connection, acquisition_id: int, now: str) -> Iterator[None]:
    """Have rows and tracks of an acquisition plain within, and as people say again after it, in one transaction.

    So what a tracker says of later time points is joined to what people said of those before them, and is solved
    anew around it for as long as corrections are near. What is told of the step is what people see of it.
    """
    if not are_on_now(connection, acquisition_id):
        yield
        return
    row = lookups.acquisition(connection, acquisition_id)
    told, seen = _last_told(connection), analysed.seen_t(connection, row.id)
    before, known = track_rows.corrected_ids(connection, row.id), track_changes.all_of(connection, row.id)
    track_rows.take_off(connection, row.id)
    lifted = nuclei_rows.lift(connection, row.id)
    yield
    nuclei_rows.lower(connection, row.id, lifted)
    said = [one for one in events.of_acquisition(connection, row.id) if one.counted]
    names = put_on(connection, row.id, said, memory_of(row))
    remember(connection, {max(one.id for one in said)}, names)
    moved = track_rows.unpaint_moved(connection, row.id, before)
    then = (seen, analysed.seen_t(connection, row.id))
    facts = track_changes.changes(known, track_changes.all_of(connection, row.id), then)
    _tell(connection, row.id, told, facts, moved, now)


def _last_told(connection: Connection) -> int:
    return int(connection.execute(select(func.max(ledger.c.id))).scalar() or 0)


def _tell(
    connection: Connection, acquisition_id: int, told: int, facts: dict[str, Any], moved: set[int], now: str
) -> None:
    """Have the event of the step say what became of corrected tracks; tell one where the step itself told none."""
    mine = (ledger.c.id > told) & (ledger.c.acquisition_id == acquisition_id)
    found = connection.execute(select(ledger.c.id, ledger.c.t, ledger.c.facts).where(mine)).one_or_none()
    own, plain = (None, {}) if found is None else (found[1], found[2] or {})
    renewed = sorted({*plain.get(RENEWED, ()), *moved} - {own})
    facts |= {RENEWED: renewed} if renewed else {}
    if found is not None:
        connection.execute(update(ledger).where(ledger.c.id == found[0]).values(facts=facts or None))
    elif facts:
        tell(connection, EventKind.TRACKS, acquisition_id, now, facts=facts)


def memory_of(row: AcquisitionRow) -> int:
    """Return for how many time points a nucleus of an acquisition may go unseen."""
    stored = row.params.get("tracking", {})
    return int(stored.get("memory_frames", TrackingParams().memory_frames))


def first_free_id(connection: Connection, acquisition_id: int) -> int | None:
    """Return the first id that no corrected track has; None where nothing is corrected.

    What a tracker says of an acquisition is then measured where its rows are plain, and not before.
    """
    if not are_on_now(connection, acquisition_id):
        return None
    highest = select(func.max(tracks.c.track_id)).where(tracks.c.acquisition_id == acquisition_id)
    return int(connection.execute(highest).scalar() or 0) + 1
