"""Rows of one database in another one: each under its new number, and those that both know as they are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cases.stored import acquisition, register, work_off
from sqlalchemy import Table, insert, select

from storage.database.catalog import Catalog
from storage.database.sources.taken_files import Source
from storage.database.upkeep import merging
from storage.database.upkeep.merging import TakenOver, take, take_rest
from storage.schema.tables import changes, corrections, events, folders, forgotten_sources, nuclei, sources, timepoints


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Catalog]:
    """The database of which rows are taken over; its first acquisition stays there."""
    with Catalog.open(tmp_path / "theirs.sqlite") as catalog:
        first = register(catalog, acquisition(name="stays"))
        catalog.add_timepoints(first.id, {0: "x"})
        yield catalog


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "ours.sqlite") as catalog:
        for name in ("one", "two", "three"):
            register(catalog, acquisition(name=name))
        yield catalog


def add(catalog: Catalog, table: Table, *found: dict[str, Any]) -> None:
    with catalog._transaction() as connection:
        for values in found:
            connection.execute(insert(table).values(values))


def rows(catalog: Catalog, table: Table, *columns: str, of: int | None = None) -> list[tuple[Any, ...]]:
    query = select(*(table.c[name] for name in columns)).order_by(*table.primary_key.columns)
    with catalog._transaction() as connection:
        query = query if of is None else query.where(table.c.acquisition_id == of)
        return [tuple(row) for row in connection.execute(query)]


def taken(theirs: Catalog, ours: Catalog, number: int) -> TakenOver:
    with theirs._transaction() as source, ours._transaction() as target:
        return take(source, target, number)


def seen_file(path: str, size: int = 1) -> dict[str, Any]:
    return {"path": path, "size": size, "mtime_ns": 2, "files": 3, "readable": True}


def test_files_go_with_their_acquisition_unless_they_are_known_as_another_ones(theirs: Catalog, ours: Catalog) -> None:
    row, other = register(theirs), register(ours, acquisition(name="other"))
    theirs.add_timepoints(row.id, {0: "a"}, taken=[Source(f"/data/{n}.tif", 1, 2, 3, True) for n in "ab"])
    ours.add_timepoints(other.id, {0: "a"}, taken=[Source("/data/b.tif", 1, 2, 3, True)])
    forgotten = [seen_file(f"/data/{n}.tif") | {"forgotten_at": "then"} for n in "aco"]
    add(ours, forgotten_sources, *forgotten)
    new = taken(theirs, ours, row.id)
    assert new == TakenOver(new.number, "taken", "embryo")
    assert rows(ours, sources, "path", "acquisition_id") == [("/data/a.tif", new.number), ("/data/b.tif", other.id)]
    assert rows(ours, forgotten_sources, "path") == [("/data/c.tif",), ("/data/o.tif",)]


def change(**other: Any) -> dict[str, Any]:
    return {"at": "1", "who": "me", "via": "page", "what": "config", "subject": "quiet_s", **other}


def test_what_is_of_no_acquisition_is_taken_over_once_where_it_is_not_known(theirs: Catalog, ours: Catalog) -> None:
    others = [change(**{key: "other"}) for key in ("at", "who", "via", "what", "subject")]
    add(theirs, changes, change(outcome="theirs"), *others, change(at="9", requests=[3], outcome="done"))
    add(ours, changes, change(outcome="ours"))
    row = register(ours, acquisition(name="other"))
    ours.add_timepoints(row.id, {0: "a"}, taken=[Source("/taken", 1, 2, 3, True)])
    add(theirs, forgotten_sources, *(seen_file(path) | {"forgotten_at": "then"} for path in ("/1", "/2", "/taken")))
    add(ours, forgotten_sources, seen_file("/1", 9) | {"forgotten_at": "now"})
    mounts = [{"path": path, "mount": {"is": path}, "seen_at": "then"} for path in ("/a", "/taken")]
    add(theirs, folders, *mounts)
    add(ours, folders, mounts[0] | {"seen_at": "now"})
    for _ in range(2):
        with theirs._transaction() as source, ours._transaction() as target:
            take_rest(source, target)
    told = rows(ours, changes, "at", "outcome", "requests")
    assert told == [("1", "ours", None), ("other", None, None), *[("1", None, None)] * 4, ("9", "done", None)]
    assert rows(ours, forgotten_sources, "path", "size") == [("/1", 9), ("/2", 1)]
    assert rows(ours, folders, "path", "seen_at") == [("/a", "now"), ("/taken", "then")]


def said(acquisition_id: int, kind: str, **other: Any) -> dict[str, Any]:
    plain = {"t": 0, "source_t": 0, "labels": [1], "tracks": [1], "author": "me", "ordered_at": "1"}
    return {"acquisition_id": acquisition_id, "kind": kind, "parameters": {}, "state": "applied", **plain, **other}


def test_what_people_said_goes_on_speaking_of_each_other(theirs: Catalog, ours: Catalog) -> None:
    row = register(theirs)
    add(
        theirs,
        corrections,
        said(1, "delete"),  # of the one that stays: the numbers of the others are 2 to 6
        said(row.id, "delete", said_with=2, carried_from=99, changed={"how": "x"}),
        said(row.id, "merge", said_with=2, undone_by=4),
        said(row.id, "undo", parameters={"undoes": 3}),
        said(row.id, "undo", parameters={"undoes": 2, "together": [2, 3], "more": 1}),
        said(row.id, "split", parameters={"more": 2}),
    )
    add(ours, corrections, *[said(1, "delete")] * 10)
    told = [
        {"kind": "timepoint", "t": 4, "facts": None},
        {"kind": "corrected", "t": None, "facts": {"applied": [2, 3], "misfits": [6, 77], "renewed": [2]}},
        {"kind": "finished", "t": None, "facts": {"state": "complete"}},
    ]
    add(theirs, events, *({"acquisition_id": row.id, "at": "then", **one} for one in told))
    new = taken(theirs, ours, row.id).number
    columns = ("id", "kind", "parameters", "undone_by", "said_with", "carried_from", "changed")
    assert rows(ours, corrections, *columns, of=new) == [
        (11, "delete", {}, None, 11, None, {"how": "x"}),
        (12, "merge", {}, 13, 11, None, None),
        (13, "undo", {"undoes": 12}, None, None, None, None),
        (14, "undo", {"undoes": 11, "together": [11, 12], "more": 1}, None, None, None, None),
        (15, "split", {"more": 2}, None, None, None, None),
    ]
    assert rows(ours, events, "kind", "t", "at", "facts", of=new) == [
        ("timepoint", 4, "then", None),
        ("corrected", None, "then", {"applied": [11, 12], "misfits": [15], "renewed": [2]}),
        ("finished", None, "then", {"state": "complete"}),
    ]
    assert len(rows(ours, corrections, "id", of=1)) == 10


def test_a_result_is_known_by_its_store_and_another_one_by_what_it_was_made_of(theirs: Catalog, ours: Catalog) -> None:
    row = register(theirs)
    first = taken(theirs, ours, row.id)
    assert taken(theirs, ours, row.id) == TakenOver(first.number, "known", "embryo")
    same = register(ours, acquisition(name="again"))
    assert taken(theirs, ours, register(theirs, acquisition(name="again")).id) == TakenOver(same.id, "other", "again")
    otherwise = taken(theirs, ours, register(theirs, acquisition(name="again"), threshold=0.5).id)
    assert otherwise.how == "taken"
    assert otherwise.name != "again", "that name is taken"
    elsewhere = taken(theirs, ours, register(theirs, acquisition(name="elsewhere")).id)
    assert (elsewhere.how, elsewhere.name) == ("taken", "elsewhere")


def test_what_has_no_store_is_not_taken_for_something_else_that_has_none(theirs: Catalog, ours: Catalog) -> None:
    here = ours.set_aside_source("/data/here.tif", "here", "It is empty.")
    there = theirs.set_aside_source("/data/there.tif", "there", "It is empty.")
    found = taken(theirs, ours, there.id)
    assert (found.how, found.number > here.id) == ("taken", True)
    row = ours.acquisition(found.number)
    assert (row.name, row.error, row.zarr_path) == ("there", "It is empty.", None)


def test_all_rows_are_copied_in_their_order_however_many_there_are(
    theirs: Catalog, ours: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_AT_ONCE", 2)
    row = register(theirs)
    theirs.add_timepoints(row.id, {0: "a", 1: "b", 2: "c"})
    work_off(theirs)
    new = taken(theirs, ours, row.id).number
    columns = ("t", "label", "track_id", "centroid_y_um", "measurements")
    assert rows(ours, nuclei, *columns, of=new) == rows(theirs, nuclei, *columns, of=row.id)
    assert len(rows(ours, nuclei, "t", of=new)) == 9
    columns = ("t", "state", "fingerprint", "completed_at")
    assert rows(ours, timepoints, *columns, of=new) == rows(theirs, timepoints, *columns, of=row.id)
    assert ours.tracker_state(new) == theirs.tracker_state(row.id)
