"""Images in several files of which some are missing, come late, or come in any order, as the service takes them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zarr
from cases import images, mmstack_file, ndtiff_file, oir_file, olympus_file
from cases.ome_set_file import DESCRIBED, SPLITS, ome_set
from cases.stored import pixels
from desk import Desk

from daemon.watching.inspection import Look, Open
from storage.database.catalog import Catalog
from storage.readers import companions
from storage.schema.states import AcquisitionState

ARRAY = pixels(4, 2, 3, 12, 16)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, catalog: Catalog) -> Desk:
    return Desk(tmp_path, catalog)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def arrive(desk: Desk, file: Path) -> Path:
    return Path(shutil.copyfile(file, desk.incoming / file.name))


@pytest.mark.parametrize("which", [0, 1, 3])
def test_without_a_part_the_others_are_taken_and_what_lacks_is_said(desk: Desk, elsewhere: Path, which: int) -> None:
    files = ome_set(elsewhere, ARRAY, SPLITS["t"])
    for file in files:
        if file != files[which]:
            arrive(desk, file)
    there = [t for t in range(4) if t != which]
    desk.run(0.0, 8.0)
    assert desk.queued() == {"embryo_0": there}, "at once"
    assert desk.queue_loop.ended == set()
    assert desk.catalog.acquisition(1).doubts == (), "it may still come"
    desk.run(8.5, 60.0)
    assert desk.queue_loop.ended == {1}
    assert desk.intake.settling == 0
    (row,) = desk.catalog.acquisitions()
    assert len(row.doubts) == 1
    assert f"{files[which].name} is not there (t {which}, c 0-1, z 0-2)" in row.doubts[0]
    before = {point.t: point.fingerprint for point in desk.catalog.timepoints(1)}
    arrive(desk, files[which])
    desk.run(60.5, 70.0)
    assert desk.queued() == {"embryo_0": [0, 1, 2, 3]}, "the late one goes on where it was waited for"
    assert desk.queue_loop.ended == {1}
    assert desk.catalog.acquisition(1).doubts == ()
    after = {point.t: point.fingerprint for point in desk.catalog.timepoints(1)}
    assert {t: after[t] for t in before} == before


@pytest.mark.parametrize("split", ["z", "c"])
def test_without_a_part_of_each_time_point_one_complaint_stands_until_it_comes(
    desk: Desk, elsewhere: Path, split: str
) -> None:
    files = ome_set(elsewhere, ARRAY, SPLITS[split])
    for file in files[1:]:
        arrive(desk, file)
    desk.run(0.0, 40.0)
    assert desk.intake.settling > 0, "it is waited for"
    desk.run(40.5, 130.0)
    (row,) = desk.catalog.acquisitions()
    assert (row.state, row.source_path) == (AcquisitionState.SET_ASIDE, str(desk.incoming / files[0].name))
    assert "embryo_0.ome.tif is not there (t 0-3, c 0" in (row.error or "")
    assert desk.intake.settling == 0
    arrive(desk, files[0])
    desk.run(130.5, 140.0)
    assert desk.queued() == {"embryo_0": [0, 1, 2, 3]}
    (row,) = desk.catalog.acquisitions()
    assert (row.state, row.error, row.doubts) == (AcquisitionState.QUEUED, None, ())


@pytest.mark.parametrize("described", DESCRIBED)
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("seed", [1, 2])
def test_parts_that_come_in_any_order_with_pauses_become_one_image(
    desk: Desk, elsewhere: Path, split: str, described: str, seed: int
) -> None:
    files = ome_set(elsewhere, ARRAY, SPLITS[split], described)
    order, rng, now = files[:], random.Random(seed), 0.0
    rng.shuffle(order)
    for file in order:
        arrive(desk, file)
        pause = rng.choice([0.0, 1.0, 20.0, 100.0])
        desk.run(now, now + pause)
        now += pause + 0.5
    desk.run(now, now + 60.0)
    assert desk.intake.settling == 0
    (row,) = [row for row in desk.catalog.acquisitions() if row.zarr_path is not None]
    assert (row.name, row.doubts, row.error) == ("embryo_0", (), None)
    assert desk.queued()["embryo_0"] == [0, 1, 2, 3]
    assert row.id in desk.queue_loop.ended
    told = [row for row in desk.catalog.acquisitions() if row.zarr_path is None]
    assert all(one.state is AcquisitionState.SET_ASIDE for one in told)
    assert described != "each" or not told
    again = Desk(desk.incoming.parent, desk.catalog)
    again.run(0.0, 10.0)
    assert again.reader.asked == [], "after a restart nothing is looked at again"


def test_a_part_that_is_cut_is_waited_for_and_the_others_go_on(desk: Desk, elsewhere: Path) -> None:
    files = ome_set(elsewhere, ARRAY, SPLITS["t"])
    for file in files:
        arrive(desk, file)
    cut = desk.incoming / files[2].name
    cut.write_bytes(files[2].read_bytes()[:-200])
    desk.run(0.0, 8.0)
    assert desk.queued() == {"embryo_0": [0, 1, 3]}
    desk.run(8.5, 60.0)
    assert "embryo_2.ome.tif is not whole" in desk.catalog.acquisition(1).doubts[0]
    shutil.copyfile(files[2], cut)
    desk.run(60.5, 70.0)
    assert desk.queued() == {"embryo_0": [0, 1, 2, 3]}
    assert desk.catalog.acquisition(1).doubts == ()


def test_a_set_that_grows_is_looked_at_through_one_of_its_files(desk: Desk, elsewhere: Path) -> None:
    """Each time point is opened once, and no file is waited for less long than the whole."""
    array = pixels(12, 1, 2, 12, 16)
    files = ome_set(elsewhere, array, SPLITS["t"])
    for t, file in enumerate(files):
        arrive(desk, file)
        desk.run(20.0 * t, 20.0 * t + 19.5)
        assert desk.queued() == {"embryo_0": list(range(t + 1))}
        assert desk.queue_loop.ended == ({1} if t == 11 else set())
    opened = [one.time_points for one in desk.reader.asked if isinstance(one, Open)]
    assert opened[:11] == [(t,) for t in range(11)]
    assert len(opened) <= 13
    looks = sum(isinstance(one, Look) for one in desk.reader.asked)
    assert looks < 12 * 10, "a few for each that came, whatever the number of the others"


def test_complaints_about_files_that_were_taken_after_all_are_not_told(desk: Desk, elsewhere: Path) -> None:
    files = ome_set(elsewhere, ARRAY, SPLITS["t"], "companion")
    for file in files[:-1]:
        arrive(desk, file)
    desk.run(0.0, 130.0)
    assert len(desk.catalog.acquisitions(AcquisitionState.SET_ASIDE)) == 4
    arrive(desk, files[-1])
    desk.run(130.5, 140.0)
    assert desk.queued()["embryo_0"] == [0, 1, 2, 3]
    with desk.catalog._transaction() as connection:
        query = "select count(*) from acquisitions where state = 'set_aside' and dismissed_at is null"
        assert connection.exec_driver_sql(query).scalar() == 0


def test_an_mmstack_goes_on_without_a_file_between_others(desk: Desk, elsewhere: Path) -> None:
    path = mmstack_file.stack(elsewhere / "a_MMStack_Pos0.ome.tif", ARRAY[None], per_file=6)
    missing = elsewhere / "a_MMStack_Pos0_1.ome.tif"
    for file in (path, *companions(path)):
        if file != missing:
            arrive(desk, file)
    desk.run(0.0, 8.0)
    assert desk.queued() == {"a_MMStack_Pos0": [0, 2, 3]}
    desk.run(8.5, 60.0)
    assert "a_MMStack_Pos0_1.ome.tif is not there" in desk.catalog.acquisition(1).doubts[0]
    arrive(desk, missing)
    desk.run(60.5, 70.0)
    assert desk.queued() == {"a_MMStack_Pos0": [0, 1, 2, 3]}
    assert desk.catalog.acquisition(1).doubts == ()


@pytest.mark.parametrize("write", [olympus_file.oif, oir_file.oir_in_parts, ndtiff_file.ndtiff])
def test_parts_without_the_file_that_describes_them_are_said_and_taken_when_it_comes(
    desk: Desk, write: Callable[..., Path]
) -> None:
    head = write(desk.incoming, ARRAY)
    data = head.read_bytes()
    head.unlink()
    desk.run(0.0, 50.0)
    assert desk.catalog.acquisitions() == [], "it may still come"
    desk.run(50.5, 120.0)
    (aside,) = desk.catalog.acquisitions(AcquisitionState.SET_ASIDE)
    assert f"{head} is not there, but what belongs to it is (" in str(aside.error)
    head.write_bytes(data)
    desk.run(120.5, 140.0)
    assert [times for times in desk.queued().values() if times] == [[0, 1, 2, 3]]
    assert desk.catalog.acquisitions(AcquisitionState.SET_ASIDE) == []


def test_files_of_an_mmstack_wait_for_the_first_one(desk: Desk, elsewhere: Path) -> None:
    path = mmstack_file.stack(elsewhere / "a_MMStack_Pos0.ome.tif", ARRAY[None], per_file=6)
    for file in companions(path):
        arrive(desk, file)
    desk.run(0.0, 60.0)
    assert desk.queued() == {"a_MMStack_Pos0": []}
    (aside,) = desk.catalog.acquisitions(AcquisitionState.SET_ASIDE)
    assert "goes on from a_MMStack_Pos0.ome.tif, which is not there" in str(aside.error)
    arrive(desk, path)
    desk.run(60.5, 80.0)
    assert desk.queued() == {"a_MMStack_Pos0": [0, 1, 2, 3]}
    assert desk.catalog.acquisitions(AcquisitionState.SET_ASIDE) == []


def test_a_store_that_lacks_a_plane_is_waited_for_then_taken_with_a_doubt(desk: Desk) -> None:
    array = ARRAY + 1
    array[2, 1, :2] = 0  # the chunks hold two slices
    path = images.ome_zarr_05(desk.incoming, array)
    desk.run(0.0, 8.0)
    assert desk.queued() == {"embryo": [0, 1, 3]}
    assert desk.queue_loop.ended == set()
    desk.run(8.5, 45.0)
    assert desk.queued() == {"embryo": [0, 1, 2, 3]}
    assert desk.queue_loop.ended == {1}
    (doubt,) = desk.catalog.acquisition(1).doubts
    assert "has no chunk of 2 planes (t 2, c 1, z 0-1), which count as 0" in doubt
    before = {point.t: point.fingerprint for point in desk.catalog.timepoints(1)}
    zarr.open_group(path, mode="r+")["0"][2, 1, :2] = ARRAY[2, 1, :2] + 1  # type: ignore[index]
    desk.run(45.5, 60.0)
    after = {point.t: point.fingerprint for point in desk.catalog.timepoints(1)}
    assert {t for t in after if after[t] != before[t]} == {2}
    assert desk.catalog.acquisition(1).doubts == ()


def test_a_copy_of_a_set_without_its_first_file_is_an_image_of_its_own(desk: Desk) -> None:
    """The path that it is called by is not there, which does not mean that it was moved."""
    for folder in (desk.incoming / "one", desk.incoming / "two"):
        folder.mkdir()
        ome_set(folder, ARRAY, SPLITS["two t"])[0].unlink()
    desk.run(0.0, 60.0)
    assert desk.queued() == {"one/embryo_0": [2, 3], "two/embryo_0": [2, 3]}
    moved = desk.incoming / "three"
    (desk.incoming / "two").rename(moved)
    desk.run(60.5, 120.0)
    rows = {row.name: row.source_path for row in desk.catalog.acquisitions()}
    assert rows == {
        "one/embryo_0": str(desk.incoming / "one" / "embryo_0.ome.tif"),
        "two/embryo_0": str(moved / "embryo_0.ome.tif"),
    }
    with desk.catalog._transaction() as connection:
        query = "select distinct source_file from timepoints order by source_file"
        files = connection.exec_driver_sql(query).scalars().all()
    assert files == [str(desk.incoming / name / "embryo_1.ome.tif") for name in ("one", "three")]
