"""Content decides, not the clock: what is touched, restored, copied or moved, with a clock in our hands."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zarr
from cases import czi_file, images
from cases.stored import pixels
from desk import MODEL, Desk

from daemon.watching.idle_lane import IdleLane
from daemon.watching.inspection import Answer, InspectionRequest, Look, Looked, Open
from storage.database.catalog import Catalog

ARRAY = pixels(3, 1, 2)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        yield Desk(tmp_path, catalog)


def work_off(desk: Desk) -> list[tuple[str, int]]:
    """Claim whatever waits, and settle it; return what it was."""
    worked: list[tuple[str, int]] = []
    while (job := desk.catalog.claim_next()) is not None:
        worked.append((job.acquisition.name, job.t))
        desk.catalog.fail_timepoint(job, "settled for the test", retry=False)
    return worked


def places(desk: Desk) -> dict[str, str]:
    """Where each acquisition comes from, by name."""
    return {row.name: Path(row.source_path).name for row in desk.catalog.acquisitions()}


@pytest.mark.parametrize("write", [images.ome_tiff, images.tiff_series, images.ome_zarr_04, czi_file.czi])
def test_touching_everything_reprocesses_nothing(desk: Desk, write: images.Writer) -> None:
    write(desk.incoming, ARRAY)
    desk.run(0.0, 10.0)
    assert len(work_off(desk)) == 3
    for file in desk.incoming.rglob("*"):
        os.utime(file)
    asked = len(desk.reader.asked)
    desk.run(10.5, 30.0)
    assert work_off(desk) == []
    looks = desk.reader.asked[asked:]
    assert looks, "the content was looked at"
    assert all(isinstance(one, Open) and one.idle for one in looks)
    desk.run(30.5, 60.0)
    assert len(desk.reader.asked) == asked + len(looks), "and once only"


@pytest.mark.parametrize("write", [images.ome_tiff, images.tiff_series, images.ome_zarr_04, czi_file.czi])
def test_touched_while_the_service_was_away(desk: Desk, tmp_path: Path, write: images.Writer) -> None:
    write(desk.incoming, ARRAY)
    desk.run(0.0, 10.0)
    work_off(desk)
    for file in desk.incoming.rglob("*"):
        os.utime(file)
    again = Desk(tmp_path, desk.catalog)
    again.run(0.0, 20.0)
    assert work_off(again) == []
    third = Desk(tmp_path, desk.catalog)
    third.run(0.0, 20.0)
    assert third.reader.asked == [], "what they look like now is known"


def test_one_changed_time_point_of_a_hundred_is_done_again(desk: Desk) -> None:
    array = pixels(100, 1, 2, 8, 8)
    images.ome_tiff(desk.incoming, array)
    desk.run(0.0, 10.0)
    assert len(work_off(desk)) == 100
    array[42] += 1
    images.ome_tiff(desk.incoming, array)
    desk.run(10.5, 30.0)
    assert work_off(desk) == [("embryo", 42)]


def test_a_moved_source_keeps_its_result_and_its_row_says_where_it_lies(desk: Desk) -> None:
    path = images.ome_tiff(desk.incoming, ARRAY)
    desk.run(0.0, 10.0)
    work_off(desk)
    (desk.incoming / "archive").mkdir()
    moved = desk.incoming / "archive" / "renamed.ome.tif"
    path.rename(moved)
    desk.run(10.5, 30.0)
    assert work_off(desk) == []
    (row,) = desk.catalog.acquisitions()
    assert row.source_path == row.source_key == str(moved)
    shutil.copy2(moved, path)  # a copy comes to lie where it was: a source of its own
    desk.run(30.5, 60.0)
    assert [name for name, _ in work_off(desk)] == ["embryo-2"] * 3


def test_a_moved_series_takes_all_its_files_along(desk: Desk, tmp_path: Path) -> None:
    images.tiff_series(desk.incoming, ARRAY)
    desk.run(0.0, 60.0)
    work_off(desk)
    target = desk.incoming / "kept"
    target.mkdir()
    for t in range(3):
        (desk.incoming / f"embryo_t{t:03d}.tif").rename(target / f"egg_t{t:03d}.tif")
    desk.run(60.5, 120.0)
    assert work_off(desk) == []
    (row,) = desk.catalog.acquisitions()
    assert row.source_path == str(target / "egg_t*.tif")
    again = Desk(tmp_path, desk.catalog)
    again.run(0.0, 20.0)
    assert again.reader.asked == []


def test_a_part_of_a_series_elsewhere_moves_nothing(desk: Desk) -> None:
    images.tiff_series(desk.incoming, ARRAY)
    desk.run(0.0, 60.0)
    work_off(desk)
    target = desk.incoming / "kept"
    target.mkdir()
    (desk.incoming / "embryo_t001.tif").rename(target / "embryo_t001.tif")
    desk.run(60.5, 120.0)
    assert len(desk.catalog.acquisitions()) == 2
    assert desk.catalog.acquisitions()[0].source_path == str(desk.incoming / "embryo_t*.tif")


def test_a_copy_beside_its_original_is_a_source_of_its_own(desk: Desk) -> None:
    path = images.ome_tiff(desk.incoming, ARRAY)
    desk.run(0.0, 10.0)
    work_off(desk)
    shutil.copy2(path, path.with_name("copy.ome.tif"))
    desk.run(10.5, 30.0)
    assert work_off(desk) == [("copy", t) for t in range(3)]
    assert places(desk) == {"embryo": "embryo.ome.tif", "copy": "copy.ome.tif"}


def test_a_source_whose_share_is_away_was_not_moved(desk: Desk) -> None:
    share = desk.incoming / "share"
    share.mkdir()
    path = images.ome_tiff(share, ARRAY)
    desk.run(0.0, 10.0)
    work_off(desk)
    shutil.copy2(path, desk.incoming / "copy.ome.tif")
    path.unlink()  # the mount point is left, and empty
    desk.run(10.5, 30.0)
    assert [name for name, _ in work_off(desk)] == ["copy"] * 3
    assert places(desk) == {"share/embryo": "embryo.ome.tif", "copy": "copy.ome.tif"}


def test_what_is_moved_is_not_done_again_with_other_weights(desk: Desk) -> None:
    path = images.ome_tiff(desk.incoming, ARRAY)
    desk.run(0.0, 10.0)
    work_off(desk)
    desk.model = replace(MODEL, model_sha256="1" * 64)
    path.rename(path.with_name("renamed.ome.tif"))
    desk.run(10.5, 30.0)
    assert work_off(desk) == []
    assert places(desk) == {"embryo": "renamed.ome.tif"}


def test_an_ome_zarr_that_is_declared_at_once_is_worked_on_once_a_time_point(desk: Desk) -> None:
    path = desk.incoming / "a.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    axes = [{"name": letter, "type": "time" if letter == "t" else "space"} for letter in "tzyx"]
    scale = [{"type": "scale", "scale": [1.0, 2.0, 0.5, 0.5]}]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    stored = group.create_array("0", shape=(4, 2, 8, 8), chunks=(1, 1, 8, 8), dtype="uint16", fill_value=0)
    desk.run(0.0, 20.0)
    worked = work_off(desk)
    assert worked == [], "nothing of it is written yet"
    for t in range(4):
        stored[t] = t + 1
        desk.run(20.5 + 30 * t, 50.0 + 30 * t)
        worked += work_off(desk)
        assert worked == [("a", n) for n in range(t + 1)]


class Client:
    """Looks into files when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[InspectionRequest, Callable[[Answer], None]]] = []

    @property
    def load(self) -> int:
        return len(self.asked)

    def ask(self, request: InspectionRequest, then: Callable[[Answer], None]) -> None:
        self.asked.append((request, then))

    def turn(self) -> None:
        pass

    def stop(self) -> None:
        self.asked.clear()


def test_live_files_come_first_and_the_share_rests_between_looks() -> None:
    live, own, now, heard = Client(), Client(), [0.0], list[Answer]()
    lane = IdleLane(live, own, lambda: now[0])
    live.ask(Look(Path("new.tif")), heard.append)
    for name in ("a.tif", "b.tif"):
        lane.ask(Open((Path(name),), None, None, idle=True), heard.append)
    lane.turn()
    assert own.load == 0, "something new is being looked into"
    live.asked.clear()
    lane.turn()
    lane.turn()
    assert own.load == 1, "one at a time"
    now[0] = 4.0
    own.asked.pop()[1](Looked(None))
    lane.turn()
    assert own.load == 0, "it rests for as long as that took"
    now[0] = 8.0
    lane.turn()
    assert own.load == 1
    assert lane.load == 1
