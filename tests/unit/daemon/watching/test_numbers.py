"""Series as they come: in steps, in other sizes, and files that stay alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.watching.series import Series
from storage.database.catalog import Catalog
from tests.unit.daemon.watching.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        yield Desk(tmp_path, catalog)


def test_a_series_in_steps_waits_for_nothing_from_its_third_file_on() -> None:
    series = Series()
    for number in (0, 3, 6):
        series.settle(number, 0.0)
    assert series.release(0.0, 10.0).ready == (0, 3, 6)
    series.settle(12, 1.0)
    assert series.release(1.0, 10.0).ready == (), "it waits for 9"
    assert series.release(11.0, 10.0).passed_over == (9,)


def test_a_given_step_counts_from_the_first_file_on() -> None:
    series = Series(given_step=3)
    series.settle(0, 0.0)
    series.settle(3, 0.0)
    assert series.release(0.0, 10.0).ready == (0, 3)
    series = Series(given_step=1)
    for number in (0, 3, 6):
        series.settle(number, 0.0)
    assert series.release(0.0, 10.0).ready == (0,)


def test_the_step_of_files_that_came_is_stored_and_said(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    for number in (1, 4, 7):
        desk.put(f"a_t{number}.tif", number)
    with caplog.at_level("WARNING", logger="nusetd"):
        desk.run(0.0, 10.0)
    assert desk.queued() == {"a": [0, 3, 6]}
    assert desk.catalog.acquisitions()[0].step == 3
    assert [record.message for record in caplog.records].count("numbers go in steps") == 1


def test_a_file_that_stays_alone_is_an_image_until_a_second_one_comes(desk: Desk) -> None:
    desk.put("drug_T6.tif")
    desk.run(0.0, 20.0)
    assert desk.queued() == {}, "the first ones may still come"
    desk.run(20.5, 45.0)
    assert desk.queued() == {"drug_T6": [0]}
    assert desk.queue_loop.ended == {1}
    desk.put("drug_T7.tif", 2)
    desk.run(45.5, 60.0)
    assert desk.queued() == {"drug_T6": [0], "drug": [5, 6]}


def test_a_further_file_of_another_size_is_set_aside_and_costs_nothing_else(desk: Desk) -> None:
    desk.put("drug_T1.tif")
    desk.run(0.0, 5.0)
    desk.put("drug_T2.tif", shape=(3, 16, 20))
    desk.run(5.5, 12.0)
    assert desk.queued()["drug"] == [0]
    assert any("--pattern none" in (row.error or "") for row in desk.catalog.acquisitions())


def test_images_of_different_sizes_that_come_together_are_images(desk: Desk) -> None:
    for number, width in ((1, 16), (2, 20), (3, 24)):
        desk.put(f"drug_T{number}.tif", shape=(3, 16, width))
    desk.run(0.0, 10.0)
    assert desk.queued() == {"drug_T1": [0], "drug_T2": [0], "drug_T3": [0]}
    assert desk.queue_loop.ended == {1, 2, 3}


def test_series_are_switched_off(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        desk = Desk(tmp_path, catalog, pattern="none")
        for number in (1, 2):
            desk.put(f"drug_T{number}.tif", number)
        desk.run(0.0, 5.0)
        assert desk.queued() == {"drug_T1": [0], "drug_T2": [0]}


def test_of_two_files_with_one_number_one_is_set_aside_and_the_series_goes_on(desk: Desk) -> None:
    desk.put("a_t1.tif", 1)
    desk.put("a_t2.tif", 2)
    desk.run(0.0, 5.0)
    desk.put("a_t01.tif", 5)
    desk.put("a_t3.tif", 3)
    desk.run(5.5, 12.0)
    assert desk.queued()["a"] == [0, 1, 2]
    (aside,) = [row for row in desk.catalog.acquisitions() if row.error]
    assert "a_t01.tif has the same number as a_t1.tif" in (aside.error or "")
    row = next(row for row in desk.catalog.acquisitions() if row.name == "a")
    (first, *_) = desk.catalog.timepoints(row.id)
    assert first.fingerprint is not None
    assert (row.axes_source, row.time_source) == ("guessed", "names")


def test_one_image_of_a_file_that_cannot_be_processed_costs_the_others_nothing(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        desk = Desk(tmp_path, catalog, voxel_size_um=None)
        with tifffile.TiffWriter(desk.incoming / "two.ome.tif") as writer:
            writer.write(np.ones((3, 16, 16), np.uint16), metadata={"axes": "ZYX", "Name": "unmeasured"})
            writer.write(np.ones((16, 16), np.uint16), metadata={"axes": "YX", "Name": "plane"})
        desk.run(0.0, 5.0)
        rows = {row.name: row for row in catalog.acquisitions()}
        assert desk.queued() == {"two_unmeasured": [], "two_plane": [0]}
        assert "does not give the voxel size" in (rows["two_unmeasured"].error or "")
        assert rows["two_unmeasured"].source_path.endswith("two.ome.tif#0")
        assert rows["two_plane"].id in desk.queue_loop.ended


def test_what_is_said_of_many_files_is_logged_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    for z in range(6):
        desk.put(f"a_z{z}.tif", z + 1, (16, 16))
    with caplog.at_level("WARNING", logger="nusetd"):
        desk.run(0.0, 6.0)
    assert len(desk.queued()) == 6
    assert [record.message for record in caplog.records].count("image in doubt") == 1
