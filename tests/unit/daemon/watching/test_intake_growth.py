"""Files that grow, stop early, are declared done, are submitted, or come from before a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from desk import Desk, Microscope

from daemon.processing.messages import Ready
from daemon.watching.inspection import Look, Open, Stuck
from storage.database.catalog import Catalog
from storage.schema.states import AcquisitionState, TimepointState


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, catalog: Catalog) -> Desk:
    return Desk(tmp_path, catalog)


def test_a_growing_file_is_taken_time_point_by_time_point(desk: Desk) -> None:
    microscope = Microscope(desk.incoming / "a.ome.tif", 3, 2)
    microscope.write(3)  # one time point and a half
    desk.run(0.0, 10.0)
    assert desk.queued() == {"a": [0]}
    microscope.write(1)
    desk.run(10.5, 20.0)
    assert desk.queued() == {"a": [0, 1]}
    assert desk.queue_loop.ended == set()
    before = {point.t: point.fingerprint for point in desk.catalog.timepoints(1)}
    microscope.write(2)
    desk.run(20.5, 30.0)
    assert desk.queued() == {"a": [0, 1, 2]}
    assert desk.queue_loop.ended == {1}
    after = {point.t: point.fingerprint for point in desk.catalog.timepoints(1)}
    assert {t: after[t] for t in before} == before, "what was taken is not taken again"


def test_a_file_that_never_rests_is_taken_while_it_is_written(desk: Desk) -> None:
    microscope = Microscope(desk.incoming / "a.ome.tif", 30, 1)
    for second in range(25):
        microscope.write(1)
        desk.run(float(second), second + 0.5)
    (taken,) = desk.queued().values()
    assert taken == list(range(taken[-1] + 1))
    assert 5 < len(taken) < 25, "the newest time points may still change"


def test_an_acquisition_that_stops_early_is_taken_as_far_as_it_goes_and_says_so(desk: Desk) -> None:
    microscope = Microscope(desk.incoming / "a.ome.tif", 5, 2)
    microscope.write(5)
    desk.run(0.0, 29.0)
    assert desk.queue_loop.ended == set(), "more may come"
    desk.run(29.5, 45.0)
    assert desk.queued() == {"a": [0, 1]}
    assert desk.queue_loop.ended == {1}
    for t in range(2):
        job = desk.catalog.claim_next()
        assert job is not None
        assert job.t == t
        desk.catalog.fail_timepoint(job, "no matter", retry=False)
    # one done, so that it is not set aside as a whole
    with desk.catalog._transaction() as connection:
        connection.exec_driver_sql("update timepoints set state = 'done' where t = 0")
    row = desk.catalog.complete_acquisition(1)
    assert row.state is AcquisitionState.PARTIAL
    assert "3 never arrived" in (row.error or "")
    microscope.write(5)
    desk.run(45.5, 60.0)
    assert desk.queued() == {"a": [0, 1, 2, 3, 4]}, "it went on after all"


@pytest.mark.parametrize("note", ["a.ome.tif.done", "a.done"])
def test_a_note_says_that_a_file_is_done(desk: Desk, note: str) -> None:
    Microscope(desk.incoming / "a.ome.tif", 5, 2).write(5)
    desk.run(0.0, 8.0)
    assert desk.queue_loop.ended == set()
    (desk.incoming / note).touch()
    desk.run(8.5, 10.5)
    assert desk.queued() == {"a": [0, 1]}
    assert desk.queue_loop.ended == {1}


def test_a_note_ends_a_series_and_passes_over_its_gaps(desk: Desk) -> None:
    for t in (0, 1, 3):
        desk.put(f"a_t{t}.tif")
    desk.run(0.0, 6.0)
    assert desk.queued() == {"a": [0, 1]}
    (desk.incoming / "a.done").touch()
    desk.run(6.5, 8.0)
    assert desk.queued() == {"a": [0, 1, 3]}
    assert desk.queue_loop.ended == {1}


def test_a_note_beside_a_folder_is_about_all_in_it_and_may_come_first(desk: Desk) -> None:
    (desk.incoming / "day.done").touch()
    desk.run(0.0, 1.0)
    (desk.incoming / "day").mkdir()
    desk.put("day/b_t0.tif")
    desk.put("day/c.tif")
    desk.run(1.5, 3.0)
    assert desk.queued() == {"day/b": [0], "day/c": [0]}
    assert len(desk.queue_loop.ended) == 2


def test_what_is_submitted_is_taken_as_it_is(desk: Desk) -> None:
    Microscope(desk.incoming / "a.ome.tif", 5, 2).write(5)
    desk.run(0.0, 1.0)
    desk.intake.submit(desk.incoming / "a.ome.tif")
    desk.run(1.5, 2.5)
    assert desk.queued() == {"a": [0, 1]}
    assert desk.queue_loop.ended == {1}


def test_nothing_is_opened_again_after_a_restart(desk: Desk, tmp_path: Path) -> None:
    desk.put("single.tif")
    (desk.incoming / "bad.tif").write_text("no image")
    for t in (0, 1):
        desk.put(f"a_t{t}.tif")
    desk.run(0.0, 65.0)
    queued = desk.queued()
    again = Desk(tmp_path, desk.catalog)
    again.run(0.0, 10.0)
    assert again.reader.asked == []
    assert again.queue_loop.ended == {1}, "what was whole before is finished, the series may go on"
    again.put("a_t2.tif")
    again.run(10.5, 15.0)
    assert [one.paths[0].name for one in again.reader.asked if isinstance(one, Open)] == ["a_t2.tif"]
    assert again.queued() == {**queued, "a": [0, 1, 2]}
    again.run(15.5, 50.0)
    assert len(again.queue_loop.ended) == 2


def test_a_file_that_changed_while_the_service_was_away_is_taken_again(desk: Desk, tmp_path: Path) -> None:
    desk.put("single.tif")
    desk.run(0.0, 5.0)
    before = desk.catalog.timepoints(1)[0].fingerprint
    desk.put("single.tif", value=7)
    again = Desk(tmp_path, desk.catalog)
    again.run(0.0, 5.0)
    assert desk.catalog.timepoints(1)[0].fingerprint != before


def test_new_weights_leave_finished_acquisitions_alone(desk: Desk, tmp_path: Path) -> None:
    desk.put("single.tif")
    desk.run(0.0, 5.0)
    desk.catalog.set_acquisition_state(1, AcquisitionState.PROCESSING)
    desk.catalog.set_acquisition_state(1, AcquisitionState.COMPLETE)
    again = Desk(tmp_path, desk.catalog)
    again.model = Ready("better", "1" * 64)
    again.run(0.0, 10.0)
    assert len(desk.catalog.acquisitions()) == 1
    again.intake.submit(desk.incoming / "single.tif")
    again.run(10.5, 15.0)
    assert [row.model_name for row in desk.catalog.acquisitions()] == ["test", "better"], "when people ask for it"


def test_new_weights_begin_an_unfinished_series_anew_and_never_mix(desk: Desk, tmp_path: Path) -> None:
    for t in (0, 1):
        desk.put(f"a_t{t}.tif")
    desk.run(0.0, 5.0)
    again = Desk(tmp_path, desk.catalog)
    again.model = Ready("better", "1" * 64)
    again.put("a_t2.tif")
    again.run(0.0, 10.0)
    old, new = desk.catalog.acquisitions()
    assert (old.model_name, new.model_name) == ("test", "better")
    assert {point.state for point in desk.catalog.timepoints(old.id)} == {TimepointState.FAILED}
    assert old.id in again.queue_loop.ended
    assert [point.t for point in desk.catalog.timepoints(new.id)] == [0, 1, 2]


def test_a_file_over_which_the_reader_hangs_is_tried_again_then_set_aside_and_the_others_go_on(desk: Desk) -> None:
    desk.put("hangs.tif")
    desk.put("good.tif")
    answer = desk.reader.answer
    tries = []

    def hangs(request: Look | Open) -> object:
        if isinstance(request, Look) and request.path.name == "hangs.tif":
            tries.append(request)
            return Stuck(f"The program that looks into files did not come to an end within 60 s over {request.path}.")
        return answer(request)

    desk.reader.answer = hangs  # type: ignore[method-assign,assignment]
    desk.run(0.0, 20.0)
    assert desk.queued() == {"good": [0]}
    desk.run(20.5, 100.0)
    assert len(tries) == 3
    row = desk.catalog.acquisitions(AcquisitionState.SET_ASIDE)[0]
    assert "3 times" in (row.error or "")


def test_a_name_that_is_no_text_is_set_aside_with_the_remedy(desk: Desk) -> None:
    good = desk.put("good.tif")
    odd = good.with_name("b\udcff.tif")
    odd.write_bytes(good.read_bytes())
    desk.run(0.0, 5.0)
    assert desk.queued() == {"good": [0], "b\\udcff": []}
    row = desk.catalog.acquisitions(AcquisitionState.SET_ASIDE)[0]
    assert "rename it" in (row.error or "")


@pytest.mark.parametrize("name", ["with space.tif", "line\nend.tif", "分裂 µ.tif", "é" * 120 + ".tif", "'; drop.tif"])
def test_odd_names_are_taken_like_others(desk: Desk, name: str) -> None:
    desk.put(name)
    desk.run(0.0, 4.0)
    assert desk.queued() == {name.removesuffix(".tif"): [0]}


def test_thousands_of_files_of_a_series_are_opened_few_at_a_time(desk: Desk) -> None:
    desk.watch = replace(desk.watch, quiet_s=0.5)
    for t in range(100):
        desk.put(f"a_t{t}.tif", shape=(8, 8))
    desk.run(0.0, 12.0)
    assert desk.queued() == {"a": list(range(100))}
    assert max(len(one.paths) for one in desk.reader.asked if isinstance(one, Open)) <= 16


def test_of_a_growing_file_only_what_came_is_opened(desk: Desk) -> None:
    microscope = Microscope(desk.incoming / "a.ome.tif", size_t=4, size_z=2)
    for t in range(3):
        microscope.write(2)
        desk.run(20.0 * t, 20.0 * t + 19.5)
    opened = [one.time_points for one in desk.reader.asked if isinstance(one, Open)]
    assert opened == [(0,), (1,), (2,)]
