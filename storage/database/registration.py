"""Making acquisitions and their time points known to the database, each exactly once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from nuset_engine.voxels import VoxelSize
from storage import naming
from storage.canonical import canonical_json
from storage.database import lookups
from storage.database.book import InTransactions
from storage.database.corrections import events as corrections
from storage.database.ledger import entries
from storage.database.readings import further
from storage.database.records import acquisition_record
from storage.database.sources import taken_files
from storage.database.stores import remade
from storage.database.stores.free_names import free_names, free_place
from storage.description import Description
from storage.errors import StorageError
from storage.given_facts import GivenFacts
from storage.query import numbering
from storage.readers.fingerprint import is_former, same_content
from storage.schema.event_kinds import EventKind
from storage.schema.rows import UNCLEAR_CHANNEL, AcquisitionRow, ChannelFact
from storage.schema.states import AcquisitionState, TimepointState
from storage.schema.tables import (
    acquisitions,
    analysed_timepoints,
    identity,
    plain_tracks,
    timepoints,
    tracker_states,
    tracks,
)
from storage.version import nusetd_version

_AT_ONCE = 500  # values in one query: every server takes so many
_UNDER_WAY = (TimepointState.RUNNING.value, TimepointState.ANALYSED.value)
GEOMETRY = ("size_c", "size_z", "size_y", "size_x", "dtype")


def source_key(source_path: str | Path) -> str:
    """Return what makes two sources the same one: the absolute path."""
    return str(Path(source_path).absolute())


def result_key(acquisition: Description, model_sha256: str, params: Mapping[str, Any]) -> str:
    """Return the hash of everything but the pixels that decides a result."""
    return key_of(model_sha256, params, acquisition.voxel_size_um)


def key_of(model_sha256: str, params: Mapping[str, Any], voxel_size_um: VoxelSize | None) -> str:
    """Return the same from plain values. What to do where channels are alike decides nothing once one is taken."""
    voxel = list(voxel_size_um) if voxel_size_um else None
    decides = {name: value for name, value in params.items() if name != UNCLEAR_CHANNEL}
    made_by = {"model": model_sha256, "params": decides, "voxel_size_um": voxel}
    return hashlib.sha256(canonical_json(made_by).encode()).hexdigest()


class Registration(InTransactions):
    """What sources hold becomes known, once."""

    def register(
        self,
        acquisition: Description,
        *,
        zarr_path: str | Path,
        model_name: str,
        model_sha256: str,
        params: Mapping[str, Any],
        given: GivenFacts | None = None,
        replaces: int | None = None,
        channel: ChannelFact | None = None,
    ) -> AcquisitionRow:
        """Make an acquisition known, or return its row when it is; without `channel`, `params` say it, or it is 0.

        The same source with another model, other parameters or another voxel size is another result with a row of its
        own. `name` and `zarr_path` get a number when they are taken, so use those of the returned row. A source that
        now holds an image of other size keeps its row; its old rows are dropped and it gets a new OME-Zarr.

        Parameters
        ----------
        given : what a person said of this source alone
        replaces : the acquisition that the source was taken for before, see `SourceBook.to_replace`; it keeps its id,
            name and place, and nothing else
        """
        path = naming.as_place(zarr_path)
        channel = channel or ChannelFact(params.get("nuclear_channel", 0), None)
        with self._transaction() as connection:
            model = (model_name, model_sha256)
            now = self._now()
            number = register(connection, acquisition, path, model, params, now, channel, given, replaces)
            return lookups.acquisition(connection, number)

    def set_aside_source(
        self, source_path: str | Path, name: str, reason: str, taken: Iterable[taken_files.Source] = ()
    ) -> AcquisitionRow:
        """Note that a source cannot be opened, and why; a later `register` of the same source takes the row over.

        What it looked like (`taken`) is kept with it: as long as it looks so, it need not be tried again.
        """
        with self._transaction() as connection:
            number = set_aside(connection, Path(source_path), name, reason, self._now())
            taken_files.note(connection, number, taken)
            return lookups.acquisition(connection, number)

    def add_timepoints(
        self,
        acquisition_id: int,
        seen: Mapping[int, str],
        files: Mapping[int, Path] | None = None,
        taken: Sequence[taken_files.Source] = (),
        former: Mapping[int, str] | None = None,
        archive: bool = False,
    ) -> tuple[int, ...]:
        """Queue time points that are new, or whose content changed; return those. Old rows stay until new ones come.

        Parameters
        ----------
        seen, former : mappings of the time point to its fingerprint, as now and as versions before made it
        files : mapping of the time point to its file, kept with the result
        taken, archive : the files that they are from, noted as taken with it; whether they wait for others
        """
        with self._transaction() as connection:
            taken_files.note(connection, acquisition_id, taken)
            now = self._now()
            taken_files.answer_complaints(connection, acquisition_id, taken, now)
            return add_timepoints(connection, acquisition_id, seen, files or {}, now, former, archive)


def register(
    connection: Connection,
    acquisition: Description,
    zarr_path: naming.Place,
    model: tuple[str, str],
    params: Mapping[str, Any],
    now: str,
    channel: ChannelFact,
    given: GivenFacts | None = None,
    replaces: int | None = None,
) -> int:
    """Return the id of the acquisition's row, made if there was none for this source, model and parameters.

    The row that it `replaces` is taken over, with its name and place: nothing that was made of it holds any more. Where
    it was open which channel shows nuclei, and a person says it now, that row becomes the one.
    """
    values = _values(acquisition, model, params, channel)
    if given is not None:
        values["given"] = given.stored()
    if replaces is not None:
        _read_again(connection, replaces, values | numbering.in_steps(connection, None, acquisition, params), now)
        return replaces
    without = result_key(acquisition, model[1], {**params, "nuclear_channel": None})  # while the channel was open
    row = _known_as(connection, values["source_key"], (values["result_key"], "", without))
    values |= numbering.in_steps(connection, row, acquisition, params)
    if row is None:
        name, path = free_names(connection, acquisition.name, zarr_path)
        made = {"name": name, "zarr_path": path, "store_id": remade.new_id()}
        return _inserted(connection, values | made | {"state": AcquisitionState.QUEUED.value, "created_at": now})
    number = int(row["id"])
    if row["zarr_path"] is None:  # it had been set aside unread
        values |= _new_place(connection, zarr_path)
        values |= {"state": AcquisitionState.QUEUED.value, "error": None}
    elif any(row[name] != values[name] for name in GEOMETRY):
        numbering.refuse_strangers(connection, row, acquisition)
        # Another image lies under the same name now: none of the old result holds, and its store has other axes.
        values |= _new_place(connection, zarr_path)
        _forget_results(connection, number, now)
    else:
        values |= further.values(row, values, acquisition)
        further.retime(connection, row, values["frame_interval_s"], values["step"])
        if row["nuclear_channel"] is None and values["params"] != row["params"]:
            queue_again(connection, number, now)
    connection.execute(update(acquisitions).where(acquisitions.c.id == number).values(values))
    return number


def _known_as(connection: Connection, key: str, result_keys: Iterable[str]) -> RowMapping | None:
    """Return the row of a source by the first of these keys that it has; the empty one is of a source unread."""
    query = select(acquisitions).where(acquisitions.c.source_key == key)
    for result in result_keys:
        row = connection.execute(query.where(acquisitions.c.result_key == result)).mappings().one_or_none()
        if row is not None:
            return row
    return None


def queue_again(connection: Connection, acquisition_id: int, now: str) -> None:
    """Queue what was done or set aside of an acquisition while nobody knew which of its channels shows nuclei."""
    here = timepoints.c.acquisition_id == acquisition_id
    states = (TimepointState.DONE, TimepointState.FAILED, TimepointState.ANALYSED)
    settled = timepoints.c.state.in_([state.value for state in states])
    last = connection.execute(select(func.max(timepoints.c.t)).where(here & settled)).scalar()
    if last is None:
        return
    queued = {"state": TimepointState.QUEUED.value, "attempts": 0, "queued_at": now, "not_before": None, "error": None}
    connection.execute(delete(analysed_timepoints).where(analysed_timepoints.c.acquisition_id == acquisition_id))
    connection.execute(update(timepoints).where(here & settled).values(queued))
    _reopen(connection, acquisition_id, int(last))


def set_aside(connection: Connection, source_path: Path, name: str, reason: str, now: str) -> int:
    """Return the id of a row that says why a source could not be opened; made or renewed."""
    key = source_key(source_path)
    found = (
        connection.execute(
            select(acquisitions.c.id, acquisitions.c.state).where(acquisitions.c.source_key == key).order_by("id")
        )
        .mappings()
        .all()
    )
    if found:  # known from when it could still be read: what was made of it stays
        number = int(found[-1]["id"])
        values: dict[str, Any] = {"error": reason, "dismissed_at": None}
        if found[-1]["state"] == AcquisitionState.QUEUED.value:
            values["state"] = AcquisitionState.SET_ASIDE.value
        connection.execute(update(acquisitions).where(acquisitions.c.id == number).values(values))
        return number
    return _inserted(
        connection,
        {
            "name": free_names(connection, name, None)[0],
            "source_path": str(source_path),
            "source_key": key,
            "result_key": "",
            "state": AcquisitionState.SET_ASIDE.value,
            "voxel_source": "none",
            "channel_names": [],
            "created_at": now,
            "error": reason,
            "model_name": "",
            "model_sha256": "",
            "params": {},
            "nusetd_version": nusetd_version(),
        },
    )


def add_timepoints(
    connection: Connection,
    acquisition_id: int,
    seen: Mapping[int, str],
    files: Mapping[int, Path],
    now: str,
    former: Mapping[int, str] | None = None,
    archive: bool = False,
) -> tuple[int, ...]:
    """Queue time points that are new or whose content changed; return those that were queued.

    Those of an `archive` wait for others. One that does not takes along what is before it in its acquisition.
    A fingerprint that a version before wrote is compared with `former`, and where the content is the same, brought up
    to date without a word.
    """
    there = known(connection, acquisition_id, seen)
    if any(t < 0 for t in seen):
        raise StorageError(
            f"Time point {min(seen)} is below 0: a file with a lower number arrived after the first one."
        )
    new = sorted(t for t in seen if t not in there)
    start = connection.execute(select(acquisitions.c.first_number).where(acquisitions.c.id == acquisition_id)).scalar()
    said = former or {}
    same = {t for t in there if same_content(there[t]["fingerprint"], seen[t], said.get(t))}
    changed = sorted(set(there) - same)
    refresh(connection, [there[t] for t in sorted(same)], seen)
    queued = {"state": TimepointState.QUEUED.value, "attempts": 0, "queued_at": now, "not_before": None, "error": None}
    queued["archive"] = archive
    if new:
        first = {"acquisition_id": acquisition_id, "tracks_final": False}
        rows = [{**first, **queued, **_source(t, seen, files), "source_t": t + (start or 0)} for t in new]
        connection.execute(insert(timepoints), rows)
    for t in changed:
        values: dict[str, Any] = {**_source(t, seen, files), "source_t": t + (start or 0)}
        if there[t]["state"] != TimepointState.RUNNING.value:  # a running one finds out when it hands its result in
            values |= queued
        if there[t]["state"] == TimepointState.ANALYSED.value:
            kept = analysed_timepoints.c.acquisition_id == acquisition_id
            connection.execute(delete(analysed_timepoints).where(kept, analysed_timepoints.c.t == t))
        here = (timepoints.c.acquisition_id == acquisition_id) & (timepoints.c.t == t)
        connection.execute(update(timepoints).where(here).values(values))
    if new or changed:
        _reopen(connection, acquisition_id, max(seen))
        if not archive:
            _take_along(connection, acquisition_id)
    return tuple(sorted(new + changed))


def _take_along(connection: Connection, acquisition_id: int) -> None:
    """What waits of an acquisition waits for nobody's sake any more."""
    queue = timepoints.c.state == TimepointState.QUEUED.value
    mine = queue & timepoints.c.archive & (timepoints.c.acquisition_id == acquisition_id)
    connection.execute(update(timepoints).where(mine).values(archive=False))


def known(connection: Connection, acquisition_id: int, wanted: Iterable[int]) -> dict[int, RowMapping]:
    """Return what is written of time points, by t."""
    columns = (timepoints.c.id, timepoints.c.t, timepoints.c.state, timepoints.c.fingerprint)
    times, found = sorted(wanted), {}
    for start in range(0, len(times), _AT_ONCE):
        here = (timepoints.c.acquisition_id == acquisition_id) & timepoints.c.t.in_(times[start : start + _AT_ONCE])
        for row in connection.execute(select(*columns).where(here)).mappings():
            found[int(row["t"])] = row
    return found


def refresh(connection: Connection, rows: Iterable[RowMapping], seen: Mapping[int, str]) -> None:
    """Write the present fingerprints in place of those of versions before; what is under way finds its own again."""
    for row in rows:
        if is_former(row["fingerprint"]) and row["state"] not in _UNDER_WAY:
            values = {"fingerprint": seen[row["t"]]}
            connection.execute(update(timepoints).where(timepoints.c.id == row["id"]).values(values))


def _source(t: int, seen: Mapping[int, str], files: Mapping[int, Path]) -> dict[str, Any]:
    return {"t": t, "fingerprint": seen[t], "source_file": str(files[t]) if t in files else None}


def _values(
    acquisition: Description, model: tuple[str, str], params: Mapping[str, Any], channel: ChannelFact
) -> dict[str, Any]:
    keys = {
        "source_key": source_key(acquisition.source_path),
        "result_key": result_key(acquisition, model[1], params),
    }
    return keys | acquisition_record(acquisition, model, params, channel)


def _inserted(connection: Connection, values: Mapping[str, Any]) -> int:
    number = insert_numbered(connection, values)
    corrections.carry(connection, values["source_key"], number, values["created_at"])
    return number


def insert_numbered(connection: Connection, values: Mapping[str, Any]) -> int:
    """Insert the row of an acquisition under a number that none had before, and return it."""
    numbered = dict(values)
    if connection.dialect.name == "sqlite":  # which gives the number of the last row again when that was removed
        last = select(func.coalesce(func.max(acquisitions.c.id), 0))
        mark = connection.execute(select(identity.c.last_forgotten_id, last.scalar_subquery())).one()
        numbered["id"] = max(mark) + 1
    key = connection.execute(insert(acquisitions).values(numbered)).inserted_primary_key
    assert key is not None  # every dialect that we use reports the key of a single row
    return int(key[0])


def _new_place(connection: Connection, zarr_path: naming.Place) -> dict[str, str | None]:
    """A place for a row that has its name already."""
    return {"zarr_path": free_place(connection, zarr_path), "store_id": remade.new_id()}


def _read_again(connection: Connection, acquisition_id: int, values: Mapping[str, Any], now: str) -> None:
    _forget_results(connection, acquisition_id, now)
    fresh = {"state": AcquisitionState.QUEUED.value, "error": None, "completed_at": None, "store_id": remade.new_id()}
    here = acquisitions.c.id == acquisition_id
    connection.execute(
        update(acquisitions).where(here).values({**values, **fresh, "reading": acquisitions.c.reading + 1})
    )


def _forget_results(connection: Connection, acquisition_id: int, now: str) -> None:
    entries.tell(connection, EventKind.DROPPED, acquisition_id, now)
    corrections.forget_results(connection, acquisition_id)
    for table in (timepoints, tracks, plain_tracks, tracker_states):  # nuclei go with their time points
        connection.execute(delete(table).where(table.c.acquisition_id == acquisition_id))


def _reopen(connection: Connection, acquisition_id: int, last_t: int) -> None:
    """Have an acquisition that was finished, or not begun, count as being in work."""
    here = acquisitions.c.id == acquisition_id
    finished = acquisitions.c.state.in_([AcquisitionState.COMPLETE.value, AcquisitionState.PARTIAL.value])
    working = {"state": AcquisitionState.PROCESSING.value, "completed_at": None, "error": None}
    connection.execute(update(acquisitions).where(here & finished).values(working))
    aside = acquisitions.c.state == AcquisitionState.SET_ASIDE.value
    queued = {"state": AcquisitionState.QUEUED.value, "completed_at": None, "error": None}
    connection.execute(update(acquisitions).where(here & aside).values(queued))
    longer = func.coalesce(acquisitions.c.size_t, 0) <= last_t
    connection.execute(update(acquisitions).where(here & longer).values(size_t=last_t + 1))
