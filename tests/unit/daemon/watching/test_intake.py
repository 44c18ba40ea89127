"""From files to queued time points: real files, a real database, a clock in our hands, no processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import MODEL, Desk

from storage.database.catalog import Catalog
from storage.schema.states import AcquisitionState


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        yield Desk(tmp_path, catalog)


def test_a_whole_file_is_queued_after_the_quiet_period_and_ends_at_once(desk: Desk) -> None:
    desk.put("stack.tif")
    desk.run(0.0, 1.5)
    assert desk.queued() == {}
    desk.run(2.0, 2.5)
    assert desk.queued() == {"stack": [0]}
    assert desk.queue_loop.ended == {1}


def test_a_series_grows_and_ends_after_its_own_quiet_time(desk: Desk) -> None:
    desk.put("a_t0.tif")
    desk.run(0.0, 5.0)
    desk.put("a_t1.tif")
    desk.run(5.5, 10.0)
    assert desk.queued() == {"a": [0, 1]}
    assert desk.queue_loop.ended == set()
    desk.run(10.5, 45.0)
    assert desk.queue_loop.ended == {1}
    desk.put("a_t2.tif")
    desk.run(45.5, 50.0)
    assert desk.queued() == {"a": [0, 1, 2]}
    assert desk.queue_loop.ended == set(), "more came after all"


def test_finished_files_wait_for_the_model(desk: Desk) -> None:
    desk.model = None  # type: ignore[assignment]
    desk.put("stack.tif")
    desk.run(0.0, 5.0)
    assert desk.queued() == {}
    desk.model = MODEL
    desk.run(5.5, 6.0)
    assert desk.queued() == {"stack": [0]}


def test_a_file_that_is_not_whole_is_set_aside_and_taken_when_it_is(desk: Desk) -> None:
    path = desk.put("stack.tif")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    desk.run(0.0, 70.0)
    (row,) = desk.catalog.acquisitions()
    assert row.state is AcquisitionState.SET_ASIDE
    assert row.error is not None
    assert "stack.tif" in row.error
    path.write_bytes(content)
    desk.run(70.5, 75.0)
    (row,) = desk.catalog.acquisitions()
    assert (row.state, row.error) == (AcquisitionState.QUEUED, None)
    assert desk.queued() == {"stack": [0]}


def test_a_stack_without_voxel_size_is_set_aside_with_the_remedy(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        desk = Desk(tmp_path, catalog, voxel_size_um=None)
        desk.put("stack.tif")
        desk.put("plane.tif", shape=(16, 16))
        desk.run(0.0, 5.0)
        states = {row.name: (row.state, row.error or "") for row in catalog.acquisitions()}
    assert states["plane"][0] is AcquisitionState.QUEUED
    assert states["stack"][0] is AcquisitionState.SET_ASIDE
    assert "voxel_size_um = [z, y, x]" in states["stack"][1]


def test_one_bad_file_of_a_series_holds_the_others_up_only_until_it_is_set_aside(desk: Desk) -> None:
    for t in (0, 2):
        desk.put(f"a_t{t}.tif")
    (desk.incoming / "a_t1.tif").write_text("no image")
    desk.run(0.0, 10.0)
    assert desk.queued() == {"a": [0]}
    desk.run(10.5, 65.0)
    assert desk.queued()["a"] == [0, 2]


def test_a_changed_file_is_queued_again(desk: Desk) -> None:
    desk.put("stack.tif")
    desk.run(0.0, 3.0)
    before = desk.catalog.timepoints(1)[0].fingerprint
    desk.put("stack.tif", value=2)
    desk.run(3.5, 8.0)
    assert desk.catalog.timepoints(1)[0].fingerprint != before


def test_nothing_is_forgotten_while_the_folder_is_offline(desk: Desk) -> None:
    desk.put("stack.tif")
    desk.run(0.0, 3.0)
    away = desk.incoming.with_name("away")
    desk.incoming.rename(away)
    desk.run(3.5, 10.0)
    assert desk.queued() == {"stack": [0]}
    away.rename(desk.incoming)
    desk.put("later.tif")
    desk.run(10.5, 15.0)
    assert desk.queued() == {"stack": [0], "later": [0]}


def test_what_is_no_image_by_name_is_ignored(desk: Desk) -> None:
    (desk.incoming / "notes.txt").write_text("x")
    (desk.incoming / "stack.tif.part").write_text("x")
    desk.run(0.0, 70.0)
    assert desk.queued() == {}


def test_a_second_start_queues_nothing_twice(desk: Desk, tmp_path: Path) -> None:
    for t in (0, 1):
        desk.put(f"a_t{t}.tif")
    desk.run(0.0, 5.0)
    again = Desk(tmp_path, desk.catalog)
    again.run(0.0, 5.0)
    assert desk.queued() == {"a": [0, 1]}
    assert len(desk.catalog.acquisitions()) == 1


def test_a_source_that_is_asked_for_again_is_looked_at_again(desk: Desk) -> None:
    path = desk.incoming / "bad.tif"
    path.write_text("no image")
    desk.run(0.0, 65.0)
    desk.catalog.retry()
    assert desk.catalog.acquisitions()[0].state is AcquisitionState.QUEUED
    desk.intake.reconsider(path)
    desk.run(65.5, 130.0)
    assert desk.catalog.acquisitions()[0].state is AcquisitionState.SET_ASIDE


def test_many_files_at_once_are_all_taken_in_turns(desk: Desk) -> None:
    for number in range(120):
        desk.put(f"plane {number}.tif", number, shape=(8, 8))
    desk.run(0.0, 2.0)
    assert 0 < len(desk.queued()) <= 50
    desk.run(2.5, 5.0)
    assert len(desk.queued()) == 120
