"""Tracks: the plain ones put back, and in a second step what follows from the corrections in their place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection, and_, delete, insert, select, text, update

from storage.database.records import track_record, upsert
from storage.database.track_measures import measured, with_measures
from storage.schema.tables import nuclei, plain_track_ids, plain_tracks, timepoints, tracks
from tracking.corrections.renaming import CorrectedTracks
from tracking.corrections.rules import NodeKey

_SHARED = [column.name for column in plain_tracks.columns if column.name != "id"]
_AT_ONCE = 400  # values in a statement that every SQLite takes


def chunks(values: Collection[int]) -> Iterator[Sequence[int]]:
    """Give values in pieces that one statement takes."""
    ordered = sorted(values)
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]


def corrected_ids(connection: Connection, acquisition_id: int) -> dict[NodeKey, int | None]:
    """Return the track of every nucleus whose track is not the plain one."""
    kept = plain_track_ids
    same = and_(
        nuclei.c.acquisition_id == kept.c.acquisition_id, nuclei.c.t == kept.c.t, nuclei.c.label == kept.c.label
    )
    query = select(kept.c.t, kept.c.label, nuclei.c.track_id).join(nuclei, same)
    rows = connection.execute(query.where(kept.c.acquisition_id == acquisition_id))
    return {(int(t), int(label)): track for t, label, track in rows}


def take_off(connection: Connection, acquisition_id: int) -> None:
    """Put the plain tracks of an acquisition back."""
    values = {"a": acquisition_id}
    connection.execute(
        text(
            "UPDATE nuclei SET track_id = p.track_id FROM plain_track_ids AS p WHERE p.acquisition_id = :a "
            "AND nuclei.acquisition_id = :a AND nuclei.t = p.t AND nuclei.label = p.label"
        ),
        values,
    )
    connection.execute(delete(plain_track_ids).where(plain_track_ids.c.acquisition_id == acquisition_id))
    connection.execute(delete(tracks).where(tracks.c.acquisition_id == acquisition_id, tracks.c.corrected))
    mine = plain_tracks.c.acquisition_id == acquisition_id
    plain = select(*(plain_tracks.c[name] for name in _SHARED)).where(mine).order_by(plain_tracks.c.id)
    connection.execute(insert(tracks).from_select(_SHARED, plain))
    connection.execute(delete(plain_tracks).where(mine))


def put_on(connection: Connection, acquisition_id: int, corrected: CorrectedTracks) -> None:
    """Give an acquisition whose tracks are plain its corrected ones; those that nothing reaches stay."""
    _rename(connection, acquisition_id, corrected)
    told = {track.track_id for track in corrected.tracks}
    for some in chunks(told | set(corrected.gone)):
        which = and_(tracks.c.acquisition_id == acquisition_id, tracks.c.track_id.in_(some))
        columns = select(*(tracks.c[name] for name in _SHARED)).where(which).order_by(tracks.c.id)
        connection.execute(insert(plain_tracks).from_select(_SHARED, columns))
        connection.execute(delete(tracks).where(which))
    records = [track_record(acquisition_id, track) | {"corrected": True} for track in corrected.tracks]
    if records:
        connection.execute(insert(tracks), records)
        measures = measured(connection, acquisition_id, records)
        upsert(connection, tracks, with_measures(records, measures), ("acquisition_id", "track_id"))


def unpaint_moved(connection: Connection, acquisition_id: int, before: Mapping[NodeKey, int | None]) -> set[int]:
    """Have the time points painted anew, and return them, in which a nucleus has another track than `before`."""
    after = corrected_ids(connection, acquisition_id)
    times = {node[0] for node in before.keys() | after.keys() if before.get(node) != after.get(node)}
    for some in chunks(times):
        here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.t.in_(some))
        connection.execute(update(timepoints).where(here).values(painted_at=None))
    return times


def _rename(connection: Connection, acquisition_id: int, corrected: CorrectedTracks) -> None:
    renamed = [
        {"a": acquisition_id, "at": t, "of": label, "now": track}
        for (t, label), track in sorted(corrected.track_of.items())
    ]
    if not renamed:
        return
    here = "acquisition_id = :a AND t = :at AND label = :of"
    kept = [{name: value for name, value in one.items() if name != "now"} for one in renamed]
    connection.execute(
        text(
            "INSERT INTO plain_track_ids (acquisition_id, t, label, track_id) "
            f"SELECT acquisition_id, t, label, track_id FROM nuclei WHERE {here}"
        ),
        kept,
    )
    connection.execute(text(f"UPDATE nuclei SET track_id = :now WHERE {here}"), renamed)
