"""Tracks around the corrections that count, solved on plain rows and written in the place of the plain ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from storage.database.corrections import scene, track_rows
from storage.database.corrections.events import APPLIED, LINK_KINDS, MISFIT, Correction
from storage.database.track_measures import scale_of
from storage.schema.tables import corrections, timepoints, tracker_states, tracks
from tracking.corrections.renaming import affected_tracks, rename
from tracking.corrections.rules import NodeKey
from tracking.corrections.solve import solve
from tracking.errors import TrackerStateError
from tracking.state import unpack

_NO_DIVISION = "the track of its nucleus does not divide there"


def put_on(
    connection: Connection, acquisition_id: int, said: Sequence[Correction], memory: int
) -> Mapping[NodeKey, int]:
    """Bring tracks, which are plain, to what follows from corrections.

    Parameters
    ----------
    said : sequence of Correction
        Those that count.
    memory : int
        For how many time points a nucleus may go unseen.

    Returns
    -------
    mapping
        Ids of the tracks that are no plain ones, by their first nucleus: what `remember` is to be told.
    """
    fitting = [one for one in said if one.state == APPLIED or (one.kind in LINK_KINDS and one.nodes)]
    around = scene.around(connection, acquisition_id, fitting, scale_of(connection, acquisition_id), memory)
    if around is None:
        return {}
    links = solve(around.nodes, around.tracks, around.rules)
    for index, one in enumerate(scene.ruling(fitting)):
        _note(connection, one, MISFIT if index in links.misfits else APPLIED)
    affected = affected_tracks(links, around.tracks.tracks)
    records = scene.track_records(connection, acquisition_id, affected)
    everyone = scene.members(connection, acquisition_id, set(records))
    plain = _ids(connection, acquisition_id)
    names = {node: track for node, track in _names(said).items() if track in records or track not in plain}
    free = _first_free(connection, acquisition_id, plain)
    corrected = rename(links, everyone, records, names, free, _final_t(connection, acquisition_id))
    track_rows.put_on(connection, acquisition_id, corrected)
    return corrected.names


def remember(connection: Connection, numbers: Collection[int], names: Mapping[NodeKey, int]) -> None:
    """Write down with corrections which ids tracks have got: they keep them for as long as one of these counts."""
    if not names:
        return
    here = corrections.c.id.in_(sorted(numbers))
    for number, changed in connection.execute(select(corrections.c.id, corrections.c.changed).where(here)).all():
        known = _by_node((changed or {}).get("track_names", ())) | dict(names)
        values = {**(changed or {}), "track_names": [[t, label, track] for (t, label), track in known.items()]}
        if values != changed:
            connection.execute(update(corrections).where(corrections.c.id == number).values(changed=values))


def _names(said: Iterable[Correction]) -> dict[NodeKey, int]:
    found: dict[NodeKey, int] = {}
    for one in said:
        found |= _by_node(one.changed.get("track_names", ()))
    return found


def _by_node(rows: Iterable[Sequence[Any]]) -> dict[NodeKey, int]:
    return {(int(t), int(label)): int(track) for t, label, track in rows}


def _note(connection: Connection, one: Correction, state: str) -> None:
    """A division that a rule speaks of may be found or lost while later time points come."""
    if one.state != state:
        values = {"state": state, "reason": _NO_DIVISION if state == MISFIT else None}
        connection.execute(update(corrections).where(corrections.c.id == one.id).values(values))


def _ids(connection: Connection, acquisition_id: int) -> set[int]:
    query = select(tracks.c.track_id).where(tracks.c.acquisition_id == acquisition_id)
    return set(connection.execute(query).scalars())


def _first_free(connection: Connection, acquisition_id: int, plain: Collection[int]) -> int:
    """An id that the tracker gives to none of its own tracks, while it goes on as well."""
    mine = tracker_states.c.acquisition_id == acquisition_id
    state = connection.execute(select(tracker_states.c.state).where(mine)).scalar()
    highest = max(plain, default=0) + 1
    try:
        return highest if state is None else max(highest, unpack(bytes(state)).next_id)
    except TrackerStateError:  # tracks are made anew with the next time point
        return highest


def _final_t(connection: Connection, acquisition_id: int) -> int:
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.tracks_final)
    found = connection.execute(select(func.max(timepoints.c.t)).where(here)).scalar()
    return -1 if found is None else int(found)
