"""Rows of another database taken over: results that were made apart, by jobs of a cluster or on other computers.

Acquisitions and corrections get the next numbers, names a number where they are taken; everything else stays as it was.
An acquisition is recognised by the identity of its store, so that taking it over again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import JSON, Connection, RowMapping, Table, delete, insert, select, update

from storage import naming
from storage.connection.database_folder import folder_of
from storage.database import registration
from storage.database.ledger import entries
from storage.database.stores import free_names
from storage.schema.event_kinds import EventKind
from storage.schema.tables import (
    acquisitions,
    analysed_nuclei,
    analysed_timepoints,
    changes,
    corrections,
    events,
    folders,
    forgotten_sources,
    nuclei,
    plain_labels,
    plain_nuclei,
    plain_track_ids,
    plain_tracks,
    sources,
    timepoints,
    tracker_states,
    tracks,
)

OF_RESULTS = (
    timepoints,
    nuclei,
    tracks,
    tracker_states,
    analysed_timepoints,
    analysed_nuclei,
    plain_nuclei,
    plain_track_ids,
    plain_tracks,
    plain_labels,
)
"""Tables whose rows are copied, under the new number of their acquisition; those that others refer to first."""

_OTHERS = ("undone_by", "said_with")  # by their numbers, which another database counts otherwise
_SAID = ("applied", "misfits")  # facts of events that are numbers of corrections
_AT_ONCE = 2_000  # rows that are copied at a time


@dataclass(frozen=True)
class TakenOver:
    """What became of an acquisition.

    Attributes
    ----------
    number : int
        Its own there, or that of the result that was there already.
    how : "taken", "known" or "other"
        TakenOver over now; before; or not, since another result of the same source with the same settings is there.
    name : str
        There.
    """

    number: int
    how: Literal["taken", "known", "other"]
    name: str


def take(source: Connection, target: Connection, number: int) -> TakenOver:
    """Take over one acquisition with its results and corrections.

    Parameters
    ----------
    number : int
        Of the acquisition in `source`.
    """
    row = source.execute(select(acquisitions).where(acquisitions.c.id == number)).mappings().one()
    known = _known(target, row)
    if known is not None:
        return known
    place = row["zarr_path"]
    whole = None if place is None else naming.as_place(naming.whole_place(place, folder_of(source)))
    values = {name: value for name, value in row.items() if name != "id"}
    values["name"] = free_names.free_name(target, row["name"])
    values["zarr_path"] = None if whole is None else naming.stored_place(whole, folder_of(target))
    new = registration.insert_numbered(target, _without_nulls(acquisitions, values))
    for table in OF_RESULTS:
        _copy(source, target, table, number, new)
    _copy_events(source, target, number, new, _copy_corrections(source, target, number, new))
    _copy_sources(source, target, number, new)
    return TakenOver(new, "taken", values["name"])


def take_rest(source: Connection, target: Connection) -> None:
    """Take over what is of no acquisition: who changed what, which files were forgotten, where folders were mounted."""
    keys = ("at", "who", "via", "what", "subject")
    here = {tuple(row) for row in target.execute(select(*(changes.c[key] for key in keys)))}
    for row in source.execute(select(changes).order_by(changes.c.id)).mappings().all():
        if tuple(row[key] for key in keys) not in here:
            # the requests are of the other service; what it answered by then is told
            values = {name: value for name, value in row.items() if name not in ("id", "requests")}
            target.execute(insert(changes).values(_without_nulls(changes, values)))
    taken = set(target.execute(select(sources.c.path)).scalars())
    for table, also in ((forgotten_sources, taken), (folders, set())):
        known = also | set(target.execute(select(table.c.path)).scalars())
        rows = source.execute(select(table)).mappings().all()
        _insert(target, table, (dict(row) for row in rows if row["path"] not in known))


def _known(target: Connection, row: RowMapping) -> TakenOver | None:
    """Return the acquisition that is this one, or a result of the same source made in the same way; None: neither."""
    table = acquisitions
    query = select(table.c.id, table.c.name)
    same = (table.c.source_key == row["source_key"]) & (table.c.result_key == row["result_key"])
    if row["store_id"] is not None:
        mine = target.execute(query.where(table.c.store_id == row["store_id"])).one_or_none()
        if mine is not None:
            return TakenOver(int(mine.id), "known", mine.name)
    other = target.execute(query.where(same)).one_or_none()
    return None if other is None else TakenOver(int(other.id), "other", other.name)


def _copy(source: Connection, target: Connection, table: Table, old: int, new: int) -> None:
    columns = [column for column in table.c if column.name != "id"]
    query = select(*columns).where(table.c.acquisition_id == old).order_by(*table.primary_key.columns)
    found = source.execute(query.execution_options(yield_per=_AT_ONCE)).mappings()
    for part in found.partitions():
        _insert(target, table, ({**row, "acquisition_id": new} for row in part))


def _copy_corrections(source: Connection, target: Connection, old: int, new: int) -> Mapping[int, int]:
    """Copy what people said; those that speak of one another go on doing so. Return their new numbers by the old."""
    of = corrections.c.acquisition_id
    numbers: dict[int, int] = {}
    rows = source.execute(select(corrections).where(of == old).order_by(corrections.c.id)).mappings().all()
    for row in rows:
        values = {name: value for name, value in row.items() if name not in ("id", *_OTHERS)}
        # Which event of another result it was carried from is a number of that database.
        values |= {"acquisition_id": new, "carried_from": None}
        undoes = row["parameters"].get("undoes")
        if undoes is not None:
            values["parameters"] = {**row["parameters"], "undoes": numbers[undoes]}
            if together := row["parameters"].get("together"):
                values["parameters"]["together"] = [numbers[one] for one in together]
        key = target.execute(insert(corrections).values(_without_nulls(corrections, values))).inserted_primary_key
        assert key is not None  # every dialect that we use reports the key of a single row
        numbers[row["id"]] = int(key[0])
    for row in rows:
        known = {name: numbers[row[name]] for name in _OTHERS if row[name] is not None}
        if known:
            here = corrections.c.id == numbers[row["id"]]
            target.execute(update(corrections).where(here).values(known))
    return numbers


def _copy_events(source: Connection, target: Connection, old: int, new: int, numbers: Mapping[int, int]) -> None:
    """Tell what was told of it, behind all that is told there already."""
    query = select(events).where(events.c.acquisition_id == old).order_by(events.c.id)
    for row in source.execute(query).mappings().all():
        facts = dict(row["facts"] or {})
        facts |= {name: [numbers[n] for n in facts[name] if n in numbers] for name in _SAID if name in facts}
        entries.tell(target, EventKind(row["kind"]), new, row["at"], row["t"], facts)


def _copy_sources(source: Connection, target: Connection, old: int, new: int) -> None:
    """Copy which files it was taken from, but for those that are known to belong to another one."""
    rows = source.execute(select(sources).where(sources.c.acquisition_id == old)).mappings().all()
    for row in rows:
        here = sources.c.path == row["path"]
        if target.execute(select(sources.c.path).where(here)).first() is None:
            target.execute(insert(sources).values({**row, "acquisition_id": new}))
            target.execute(delete(forgotten_sources).where(forgotten_sources.c.path == row["path"]))


def _insert(target: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows, those that have the same columns together."""
    for _, alike in groupby((_without_nulls(table, row) for row in rows), key=_columns):
        target.execute(insert(table), list(alike))


def _columns(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row)


def _without_nulls(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values without the JSON ones that are None: given as None, such a column would hold the word ``null``."""
    return {name: one for name, one in values.items() if one is not None or not isinstance(table.c[name].type, JSON)}
