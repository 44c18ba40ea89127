"""Forgetting rows: nothing of an acquisition is left, others are untouched, its files are remembered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cases.stored import Clock, acquisition, register, work_off

import storage
from storage.database.catalog import Catalog
from storage.database.sources.taken_files import Source
from storage.database.upkeep import forgetting
from storage.errors import UnknownAcquisitionError, WrongRequestError
from storage.schema import tables


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalog(tmp_path: Path, clock: Clock) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "nusetd.sqlite", clock) as opened:
        yield opened


def left(folder: Path) -> dict[str, set[int]]:
    """Which acquisitions have rows in which tables."""
    found = {}
    with closing(sqlite3.connect(folder / "nusetd.sqlite")) as connection:
        for table in tables.metadata.sorted_tables:
            column = "id" if table.name == "acquisitions" else "acquisition_id"
            if column in table.columns:
                found[table.name] = {row[0] for row in connection.execute(f"SELECT {column} FROM {table.name}")}
    return found


def test_everything_of_one_goes_and_nothing_of_another(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "_AT_ONCE", 2)
    rows = [register(catalog, acquisition(name=name)) for name in ("one", "other")]
    for row in rows:
        taken = [Source(row.source_path, 10, 20, 1, True)]
        catalog.add_timepoints(row.id, {0: "a", 1: "b"}, {}, taken)
    work_off(catalog)
    turns = 1
    while not catalog.upkeep.forget_some(rows[0].id):
        turns += 1
    assert turns > 3, "a few rows at a time"
    lines = list(storage.open(tmp_path).follow("start", until_now=True))
    told = [line["kind"] for line in lines if line["acquisition"] == "one"]
    assert told == ["forgotten"], "that is all that remains"
    for table, numbers in left(tmp_path).items():
        assert rows[0].id not in numbers or table == "events", table
    assert {table for table, numbers in left(tmp_path).items() if rows[1].id in numbers} >= {
        "acquisitions", "timepoints", "nuclei", "tracks", "tracker_states", "sources",
    }  # fmt: skip
    assert catalog.upkeep.forgotten_files(Path("/data")) == [Source(rows[0].source_path, 10, 20, 1, True)]
    assert catalog.upkeep.forgotten_files(Path("/dat")) == []
    with pytest.raises(UnknownAcquisitionError):
        catalog.upkeep.forget_some(rows[0].id)


def test_what_is_taken_again_is_no_longer_forgotten(catalog: Catalog) -> None:
    row = register(catalog)
    taken = [Source(row.source_path, 10, 20, 1, True)]
    catalog.add_timepoints(row.id, {0: "a"}, {}, taken)
    while not catalog.upkeep.forget_some(row.id):
        pass
    catalog.add_timepoints(register(catalog).id, {0: "a"}, {}, taken)
    assert catalog.upkeep.forgotten_files(Path("/data")) == []


def test_the_number_of_a_forgotten_acquisition_is_not_given_again(catalog: Catalog) -> None:
    rows = [register(catalog, acquisition(name=name)) for name in ("one", "other")]
    assert catalog.upkeep.forget_some(rows[1].id)
    assert register(catalog, acquisition(name="third")).id == 3
    assert catalog.set_aside_source("/in/x.tif", "x", "No.").id == 4


def test_what_is_under_way_is_not_forgotten(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    assert catalog.claim_next() is not None
    with pytest.raises(WrongRequestError, match="is being processed: wait"):
        catalog.upkeep.forget_some(row.id)
    assert len(catalog.acquisitions()) == 1


def test_problems_are_dismissed_and_new_ones_told(catalog: Catalog, clock: Clock) -> None:
    broken = catalog.set_aside_source("/in/broken.tif", "broken", "It is cut.")
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"}, {0: Path("/in/x.tif")})
    job = catalog.claim_next()
    assert job is not None
    catalog.fail_timepoint(job, "It is damaged.", retry=False)
    assert {problem.reason for problem in catalog.queue_state().problems} == {"It is cut.", "It is damaged."}
    assert catalog.upkeep.files_with_problems(10) == {
        row.id: (Path("/in/x.tif"),),
        broken.id: (Path("/in/broken.tif"),),
    }
    clock.pass_seconds(10)
    assert catalog.upkeep.dismiss([broken.id]) == 1
    assert [problem.reason for problem in catalog.queue_state().problems] == ["It is damaged."]
    assert catalog.upkeep.dismiss(None) == 1
    assert catalog.queue_state().problems == ()
    assert catalog.upkeep.files_with_problems(10) == {}
    assert catalog.upkeep.dismiss(None) == 0
    clock.pass_seconds(10)
    catalog.set_aside_source("/in/broken.tif", "broken", "It is cut again.")
    catalog.retry(row.id)
    job = catalog.claim_next()
    assert job is not None
    catalog.fail_timepoint(job, "Still damaged.", retry=False)
    assert {problem.reason for problem in catalog.queue_state().problems} == {"It is cut again.", "Still damaged."}


def test_only_complete_ones_are_candidates_oldest_first(catalog: Catalog, clock: Clock) -> None:
    rows = [register(catalog, acquisition(name=name)) for name in ("failed", "older", "newer", "working")]
    for row in rows[:3]:
        catalog.add_timepoints(row.id, dict.fromkeys(range(acquisition().size_t), "a"))
    job = catalog.claim_next()
    assert job is not None
    catalog.fail_timepoint(job, "No.", retry=False)  # of the oldest
    work_off(catalog)
    for row in rows[:3]:
        clock.pass_seconds(100)
        for t, _ in catalog.unpainted_final(row.id):
            catalog.mark_published(row.id, t)
            catalog.mark_painted(row.id, t)
        catalog.complete_acquisition(row.id)
    found = catalog.upkeep.complete_before("9999", 10)
    assert [row.name for row in found] == ["older", "newer"]
    assert catalog.upkeep.complete_before(str(found[1].completed_at), 10) == found[:1]
    assert catalog.upkeep.complete_before("9999", 1) == found[:1]
