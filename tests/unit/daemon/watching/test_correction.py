"""Sources that are read again with facts that a person gives: what they were taken for gives way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.stored import work_off
from desk import Desk

from daemon.processing.messages import Ready
from storage.database.catalog import Catalog
from storage.given_facts import GivenFacts
from storage.schema.states import AcquisitionState


@pytest.fixture
def catalog(tmp_path: Path):
    with Catalog.open(tmp_path / "nusetd.sqlite") as opened:
        yield opened


class Answers(list):
    """What came of a request."""

    def __call__(self, done: bool, text: str) -> None:
        self.append((done, text))


def correct(desk: Desk, path: Path, start: float = 10.0, **facts: object) -> tuple[bool, str]:
    """Read a file with these facts, and hear what came of it."""
    answers = Answers()
    desk.intake.correct(path, GivenFacts(**facts), answers)
    desk.run(start, start + 3.0)
    (answer,) = answers
    return answer


def test_a_stack_becomes_a_series_of_planes_in_its_own_row(tmp_path: Path, catalog: Catalog) -> None:
    desk = Desk(tmp_path, catalog)
    path = desk.put("a.tif")
    desk.run(0.0, 5.0)
    work_off(catalog)
    done, text = correct(desk, path, axes="TYX", frame_interval_s=30.0)
    assert done
    assert "3 time points, 1 channel, 1 slice of 16 x 16 pixels" in text
    assert "replaced" in text
    (row,) = catalog.acquisitions()
    assert (row.name, row.size_t, row.size_z, row.axes_source, row.reading) == ("a", 3, 1, "configured", 1)
    assert (row.frame_interval_s, row.frame_interval_source) == (30.0, "configured")
    assert [(point.t, point.state) for point in catalog.timepoints(row.id)] == [(t, "queued") for t in range(3)]
    assert row.id in desk.queue_loop.ended
    assert row.params["axes"] == "TYX"


def test_labels_are_set_aside_until_a_person_says_that_they_are_an_image(tmp_path: Path, catalog: Catalog) -> None:
    desk, labels = Desk(tmp_path, catalog), np.kron(np.arange(16).reshape(4, 4), np.ones((6, 6)))
    path = desk.incoming / "a.tif"
    tifffile.imwrite(path, labels.astype(np.uint16), photometric="minisblack")
    desk.run(0.0, 5.0)
    (aside,) = catalog.acquisitions(AcquisitionState.SET_ASIDE)
    assert "is taken for no image" in str(aside.error)
    assert "--as-image" in str(aside.error)
    assert correct(desk, path, as_image=True)[0]
    (row,) = catalog.acquisitions()
    assert (row.state, row.given) == (AcquisitionState.QUEUED, {"as_image": True})
    tifffile.imwrite(path, labels.astype(np.uint16) + 1, photometric="minisblack")
    desk.run(20.0, 30.0)
    (row,) = catalog.acquisitions()
    assert row.state is AcquisitionState.QUEUED


def test_what_was_said_of_a_source_counts_after_a_restart_and_when_it_changes(tmp_path: Path, catalog: Catalog) -> None:
    desk = Desk(tmp_path, catalog)
    path = desk.put("a.tif")
    desk.run(0.0, 5.0)
    correct(desk, path, axes="TYX")
    work_off(catalog)
    again = Desk(tmp_path, catalog)
    again.run(20.0, 25.0)
    assert len(catalog.acquisitions()) == 1
    desk.put("a.tif", value=2)
    again.run(30.0, 40.0)
    (row,) = catalog.acquisitions()
    assert (row.size_t, row.size_z) == (3, 1)
    assert [point.state for point in catalog.timepoints(row.id)] == ["queued"] * 3


def test_the_right_facts_come_bit_by_bit(tmp_path: Path, catalog: Catalog) -> None:
    desk = Desk(tmp_path, catalog)
    path = desk.put("a.tif")
    desk.run(0.0, 5.0)
    correct(desk, path, axes="TYX")
    assert correct(desk, path, 20.0, voxel_size_override_um=(0.25,))[0]
    (row,) = catalog.acquisitions()
    assert (row.size_t, row.voxel_size_um, row.reading) == (3, (0.25, 0.25, 0.25), 2)


def test_a_series_is_read_again_as_a_whole_by_one_of_its_files(tmp_path: Path, catalog: Catalog) -> None:
    desk = Desk(tmp_path, catalog)
    for t in range(3):
        desk.put(f"exp_t00{t}.tif")
    desk.run(0.0, 6.0)
    work_off(catalog)
    done, text = correct(desk, desk.incoming / "exp_t001.tif", voxel_size_override_um=(2.0, 1.0, 1.0))
    assert (done, "3 time points" in text) == (True, True)
    (row,) = catalog.acquisitions()
    assert (row.voxel_size_um, row.reading) == ((2.0, 1.0, 1.0), 1)
    desk.put("exp_t003.tif")
    desk.run(20.0, 25.0)
    assert desk.queued() == {"exp": [0, 1, 2, 3]}
    assert catalog.acquisition(row.id).voxel_size_um == (2.0, 1.0, 1.0)


def test_an_interval_alone_does_nothing_anew(tmp_path: Path, catalog: Catalog) -> None:
    desk = Desk(tmp_path, catalog)
    for t in range(3):
        desk.put(f"exp_t{t}.tif")
    desk.run(0.0, 6.0)
    work_off(catalog)
    (before,) = catalog.acquisitions()
    assert (before.frame_interval_s, "--frame-interval" in before.doubts[-1]) == (None, True)
    done, text = correct(desk, desk.incoming / "exp_t1.tif", frame_interval_s=30.0)
    assert (done, "nothing had to be replaced" in text) == (True, True)
    (row,) = catalog.acquisitions()
    assert (row.frame_interval_s, row.reading) == (30.0, 0)
    assert [point.state for point in catalog.timepoints(row.id)] == ["done"] * 3


def test_wrong_facts_are_refused_and_what_is_stored_stays(tmp_path: Path, catalog: Catalog) -> None:
    desk = Desk(tmp_path, catalog)
    path = desk.put("a.tif")
    desk.run(0.0, 5.0)
    work_off(catalog)
    done, text = correct(desk, path, axes="TZYX")
    assert (done, "give a letter for each" in text) == (False, True)
    done, text = correct(desk, path, 20.0, nuclear_channel=7)
    assert (done, "has no channel 7" in text) == (False, True)
    (row,) = catalog.acquisitions()
    assert (row.size_z, row.reading, row.given) == (3, 0, {})
    assert [point.state for point in catalog.timepoints(row.id)] == ["done"]
    desk.put("a.tif", value=2)
    desk.run(30.0, 35.0)
    assert [point.state for point in catalog.timepoints(row.id)] == ["queued"]  # with the facts that counted before


def test_it_waits_until_nobody_works_on_the_old_reading(tmp_path: Path, catalog: Catalog) -> None:
    desk = Desk(tmp_path, catalog)
    path = desk.put("a.tif")
    desk.run(0.0, 5.0)
    (row,) = catalog.acquisitions()
    desk.queue_loop.busy.add(row.id)
    answers = Answers()
    desk.intake.correct(path, GivenFacts(axes="TYX"), answers)
    desk.run(10.0, 12.0)
    assert (answers, catalog.acquisition(row.id).reading) == ([], 0)
    desk.queue_loop.busy.clear()
    desk.run(13.0, 14.0)
    assert (len(answers), catalog.acquisition(row.id).reading) == (1, 1)


def test_what_was_set_aside_for_want_of_a_voxel_size_is_taken_with_one(tmp_path: Path, catalog: Catalog) -> None:
    desk = Desk(tmp_path, catalog, voxel_size_um=None)
    path = desk.put("a.tif")
    desk.run(0.0, 5.0)
    (row,) = catalog.acquisitions()
    assert (row.state, "nusetd submit" in str(row.error)) == (AcquisitionState.SET_ASIDE, True)
    assert correct(desk, path, voxel_size_um=(1.0, 0.5, 0.5))[0]
    assert catalog.acquisition(row.id).voxel_size_um == (1.0, 0.5, 0.5)
    assert desk.queued() == {"a": [0]}


def test_a_file_that_was_not_taken_yet_is_taken_with_what_was_said(tmp_path: Path, catalog: Catalog) -> None:
    desk = Desk(tmp_path, catalog, quiet_s=3600.0)
    done, _ = correct(desk, desk.put("exp_t0.tif"), 0.0, axes="TYX")
    assert done
    desk.run(5.0, 10.0)
    rows = catalog.acquisitions()
    assert [(row.size_t, row.size_z, row.axes_source) for row in rows] == [(3, 1, "configured")]


@pytest.mark.parametrize("facts", [{"axes": "TYX"}, {"voxel_size_override_um": (2.0, 1.0, 1.0)}])
def test_a_watch_says_it_of_all_its_images(tmp_path: Path, catalog: Catalog, facts: dict) -> None:
    desk = Desk(tmp_path, catalog, frame_interval_s=45.0, **facts)
    tifffile.imwrite(
        desk.incoming / "a.tif", np.zeros((3, 16, 16), np.uint16), imagej=True,
        resolution=(4.0, 4.0), metadata={"axes": "ZYX", "finterval": 30.0, "spacing": 2.0, "unit": "um"},
    )  # fmt: skip
    desk.run(0.0, 5.0)
    (row,) = catalog.acquisitions()
    assert (row.frame_interval_s, row.overruled["frame_interval_s"], row.given) == (45.0, 30.0, {})
    assert (row.size_t, row.voxel_size_um) == ((3, (2.0, 0.25, 0.25)) if "axes" in facts else (1, (2.0, 1.0, 1.0)))


def test_other_weights_make_a_second_result_without_facts_and_replace_with_them(
    tmp_path: Path, catalog: Catalog
) -> None:
    desk = Desk(tmp_path, catalog)
    path = desk.put("a.tif")
    desk.run(0.0, 5.0)
    work_off(catalog)
    desk.model = Ready("newer", "1" * 64)
    assert correct(desk, path, axes="TYX")[0]
    (row,) = catalog.acquisitions()
    assert (row.name, row.size_t, row.model_name) == ("a", 3, "newer")


def test_a_channel_is_said_while_it_is_open_which_shows_nuclei(tmp_path: Path, catalog: Catalog) -> None:
    desk = Desk(tmp_path, catalog)
    path = desk.incoming / "two.tif"
    pixels = np.ones((3, 2, 16, 16), np.uint16)
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "ZCYX"})
    desk.run(0.0, 5.0)
    (row,) = catalog.acquisitions()
    assert (row.size_c, row.nuclear_channel, row.params["nuclear_channel"]) == (2, None, None)
    work_off(catalog)
    done, text = correct(desk, path, nuclear_channel=1)
    assert (done, "replaced" in text) == (True, True)
    (row,) = catalog.acquisitions()
    assert (row.nuclear_channel, row.channel_source, row.params["nuclear_channel"]) == (1, "configured", 1)
    assert [point.state for point in catalog.timepoints(row.id)] == ["queued"]
    assert correct(desk, path, 20.0, nuclear_channel="channel 0")[0]
    (row,) = catalog.acquisitions()
    assert (row.nuclear_channel, row.reading) == (0, 2)
