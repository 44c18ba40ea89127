"""The catalog: registering, queueing, claiming, giving back, finishing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cases.stored import NO_UPDATE, Clock, acquisition, nuclei, one_to_one, pixels, register, work_off

from storage.database.catalog import Catalog
from storage.errors import IllegalTransitionError, StaleJobError, StorageError, UnknownAcquisitionError
from storage.schema.rows import AcquisitionRow
from storage.schema.states import AcquisitionState, TimepointState


def states(catalog: Catalog, acquisition_id: int) -> str:
    """One letter per time point: q, r, d, f."""
    return "".join(str(row.state)[0] for row in catalog.timepoints(acquisition_id))


def finish(catalog: Catalog, acquisition_id: int, state: bytes = b"") -> AcquisitionRow:
    """Everything final, painted, complete."""
    catalog.finalise_tracks(acquisition_id, NO_UPDATE, state)
    for t, _ in catalog.unpainted_final(acquisition_id):
        catalog.mark_painted(acquisition_id, t)
    return catalog.complete_acquisition(acquisition_id)


def test_what_made_a_result_is_kept_with_it(catalog: Catalog) -> None:
    row = register(catalog, min_score=0.5)
    assert (row.model_name, row.model_sha256, row.params) == ("m", "0" * 64, {"min_score": 0.5})
    assert row.nusetd_version
    assert row.created_at == "2026-01-01T00:00:00.000Z"
    assert row.voxel_size_um == (2.0, 0.5, 0.5)
    assert row.unit == "um"
    assert row.state is AcquisitionState.QUEUED


def test_registering_again_changes_nothing(catalog: Catalog) -> None:
    assert register(catalog) == register(catalog)
    assert len(catalog.acquisitions()) == 1


def test_other_parameters_make_another_result(catalog: Catalog) -> None:
    first, second = register(catalog, min_score=0.5), register(catalog, min_score=0.6)
    assert (first.name, second.name) == ("embryo", "embryo-2")
    assert Path(second.zarr_path or "").name == "embryo-2.ome.zarr"
    assert register(catalog, min_score=0.6) == second


def test_another_voxel_size_makes_another_result(catalog: Catalog) -> None:
    image = acquisition(voxel=False)
    first = register(catalog, image)
    second = register(catalog, image.with_voxel_size((1, 1, 1)))
    assert first.id != second.id
    assert (first.unit, first.voxel_source, second.voxel_source) == ("px", "none", "configured")


def test_two_sources_of_one_name_stay_apart(catalog: Catalog) -> None:
    image = acquisition()
    other = replace(image, source_path=Path("/elsewhere/embryo.tif"))
    assert register(catalog, image).name != register(catalog, other).name
    assert len({row.zarr_path for row in catalog.acquisitions()}) == 2


def test_another_image_under_the_same_name_supersedes_the_old_result(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b"})
    work_off(catalog)
    new = register(catalog, acquisition(pixels(y=40)))
    assert new.id == row.id
    assert new.size_y == 40
    assert new.zarr_path != row.zarr_path
    assert catalog.timepoints(row.id) == []
    assert list(catalog.stored_nuclei(row.id)) == []
    assert catalog.tracker_state(row.id) is None
    assert catalog.add_timepoints(row.id, {0: "c"}) == (0,)


def test_a_growing_acquisition_keeps_its_longest_length(catalog: Catalog) -> None:
    image = acquisition()
    row = register(catalog, replace(image, size_t=1))
    catalog.add_timepoints(row.id, {4: "x"})
    assert catalog.acquisition(row.id).size_t == 5
    assert register(catalog, replace(image, size_t=2)).size_t == 5


def test_time_points_are_queued_once(catalog: Catalog) -> None:
    row = register(catalog)
    assert catalog.add_timepoints(row.id, {1: "b", 0: "a"}) == (0, 1)
    assert catalog.add_timepoints(row.id, {0: "a", 1: "b"}) == ()
    assert catalog.add_timepoints(row.id, {1: "b", 2: "c"}) == (2,)
    assert states(catalog, row.id) == "qqq"


def test_a_negative_time_point_is_refused(catalog: Catalog) -> None:
    row = register(catalog)
    with pytest.raises(StorageError, match="below 0"):
        catalog.add_timepoints(row.id, {-1: "a", 0: "b"})
    assert catalog.timepoints(row.id) == []


def test_the_oldest_acquisition_comes_first_and_time_goes_forward(catalog: Catalog) -> None:
    first, second = register(catalog), register(catalog, acquisition(name="later"))
    catalog.add_timepoints(second.id, {0: "a"})
    catalog.add_timepoints(first.id, {2: "c", 0: "a"})
    assert work_off(catalog) == [(first.id, 0), (first.id, 2), (second.id, 0)]


def test_while_one_runs_its_successors_wait(catalog: Catalog) -> None:
    first, second = register(catalog), register(catalog, acquisition(name="later"))
    catalog.add_timepoints(first.id, {0: "a", 1: "b"})
    catalog.add_timepoints(second.id, {0: "a"})
    jobs = [catalog.claim_next() for _ in range(3)]
    assert [job and (job.acquisition.id, job.t) for job in jobs] == [(first.id, 0), (second.id, 0), None]


def test_claiming_begins_the_acquisition(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    assert catalog.acquisition(row.id).state is AcquisitionState.QUEUED
    job = catalog.claim_next()
    assert job is not None
    assert job.acquisition.state is AcquisitionState.PROCESSING
    assert (job.attempts, job.fingerprint, job.needs_replay) == (1, "a", False)


def test_a_retry_waits_for_its_pause(catalog: Catalog, clock: Clock) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b"})
    job = catalog.claim_next()
    assert job is not None
    catalog.fail_timepoint(job, "disk full", retry=True, pause_s=30)
    assert catalog.claim_next() is None  # t = 1 must not overtake
    clock.pass_seconds(30)
    again = catalog.claim_next()
    assert again is not None
    assert (again.t, again.attempts) == (0, 2)


def test_a_time_point_that_fails_for_good_lets_the_others_go_on(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b"})
    job = catalog.claim_next()
    assert job is not None
    catalog.fail_timepoint(job, "the file is damaged", retry=False)
    assert states(catalog, row.id) == "fq"
    assert catalog.timepoints(row.id)[0].error == "the file is damaged"
    assert work_off(catalog) == [(row.id, 1)]


def test_a_failure_of_a_source_that_changed_meanwhile_is_tried_again(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "half a file"})
    job = catalog.claim_next()
    assert job is not None
    catalog.add_timepoints(row.id, {0: "whole file"})
    catalog.fail_timepoint(job, "it breaks off", retry=False)
    assert states(catalog, row.id) == "q"


def test_what_ran_during_a_crash_is_queued_again_without_counting(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    for _ in range(10):
        job = catalog.claim_next()
        assert job is not None
        assert job.attempts == 1
        assert catalog.requeue_running() == ((row.id, 0),)
    assert catalog.requeue_running() == ()


def test_a_result_of_an_old_claim_is_refused(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    job = catalog.claim_next()
    assert job is not None
    catalog.fail_timepoint(job, "slow", retry=True, pause_s=0)
    with pytest.raises(StaleJobError, match="no longer claimed"):
        catalog.commit_timepoint(job, nuclei(0), one_to_one(0, 3), b"", {})
    newer = catalog.claim_next()
    assert newer is not None
    with pytest.raises(StaleJobError):
        catalog.commit_timepoint(job, nuclei(0), one_to_one(0, 3), b"", {})
    assert catalog.commit_timepoint(newer, nuclei(0), one_to_one(0, 3), b"", {})
    with pytest.raises(StaleJobError):
        catalog.commit_timepoint(newer, nuclei(0), one_to_one(0, 3), b"", {})


def test_finishing_says_what_is_missing(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a", 1: "b", 4: "e"})
    with pytest.raises(StorageError, match="time point 0 is not done"):
        finish(catalog, row.id)
    job = catalog.claim_next()
    assert job is not None
    catalog.fail_timepoint(job, "unreadable", retry=False)
    work_off(catalog)
    finished = finish(catalog, row.id, b"end")
    assert finished.state is AcquisitionState.PARTIAL
    assert finished.error == "time point 0 failed (unreadable); 2 never arrived (the first is 2)."
    assert finished.completed_at is not None
    assert catalog.tracker_state(row.id) == b"end"


def test_complete_means_painted_too(catalog: Catalog) -> None:
    row = register(catalog, acquisition(pixels(1)))
    catalog.add_timepoints(row.id, {0: "a"})
    with pytest.raises(StorageError, match="time point 0 is not done"):
        catalog.complete_acquisition(row.id)
    work_off(catalog)
    catalog.finalise_tracks(row.id, NO_UPDATE, b"")
    with pytest.raises(StorageError, match="t = 0 are not painted"):
        catalog.complete_acquisition(row.id)
    catalog.mark_painted(row.id, 0)
    catalog.finalise_tracks(row.id, NO_UPDATE, b"")  # again, after a crash
    assert catalog.complete_acquisition(row.id).state is AcquisitionState.COMPLETE
    assert catalog.complete_acquisition(row.id).state is AcquisitionState.COMPLETE


def test_an_acquisition_of_which_nothing_worked_is_set_aside_with_the_reason(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    job = catalog.claim_next()
    assert job is not None
    catalog.fail_timepoint(job, "unreadable", retry=False)
    finished = finish(catalog, row.id)
    assert (finished.state, finished.error) == (AcquisitionState.SET_ASIDE, "unreadable")


def test_retry_queues_what_was_set_aside(catalog: Catalog) -> None:
    row, other = (register(catalog, acquisition(pixels(1), name=name)) for name in ("embryo", "other"))
    for one in (row, other):
        catalog.add_timepoints(one.id, {0: "a"})
        job = catalog.claim_next()
        assert job is not None
        catalog.fail_timepoint(job, "unreadable", retry=False)
        finish(catalog, one.id)
    assert catalog.retry(row.id) == (row.id,)
    assert (states(catalog, row.id), states(catalog, other.id)) == ("q", "f")
    assert catalog.retry() == (other.id,)
    assert work_off(catalog) == [(row.id, 0), (other.id, 0)]
    assert finish(catalog, row.id).state is AcquisitionState.COMPLETE


def test_more_time_points_reopen_a_finished_acquisition(catalog: Catalog) -> None:
    row = register(catalog, acquisition(pixels(1)))
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    assert finish(catalog, row.id).state is AcquisitionState.COMPLETE
    catalog.add_timepoints(row.id, {0: "a"})
    assert catalog.acquisition(row.id).state is AcquisitionState.COMPLETE
    catalog.add_timepoints(row.id, {1: "b"})
    reopened = catalog.acquisition(row.id)
    assert (reopened.state, reopened.completed_at) == (AcquisitionState.PROCESSING, None)


def test_a_source_that_cannot_be_opened_is_known_with_the_reason(catalog: Catalog) -> None:
    row = catalog.set_aside_source("/data/embryo.tif", "embryo", "It is empty.")
    assert (row.state, row.error, row.size_t) == (AcquisitionState.SET_ASIDE, "It is empty.", None)
    assert catalog.set_aside_source("/data/embryo.tif", "embryo", "It breaks off.").id == row.id
    assert catalog.claim_next() is None
    whole = register(catalog)
    assert whole.id == row.id
    assert (whole.state, whole.error, whole.size_y, whole.name) == (AcquisitionState.QUEUED, None, 20, "embryo")
    assert whole.zarr_path == "/results/embryo.ome.zarr", "it has the name that it had, and nothing lay there"
    catalog.add_timepoints(whole.id, {0: "a"})
    assert work_off(catalog) == [(row.id, 0)]


def test_a_source_that_became_unreadable_keeps_its_result(catalog: Catalog) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    later = catalog.set_aside_source("/data/embryo.tif", "embryo", "It is empty now.")
    assert later.id == row.id
    assert later.state is AcquisitionState.PROCESSING
    assert later.error == "It is empty now."
    assert len(list(catalog.stored_nuclei(row.id))) == 1


def test_states_change_only_as_the_table_says(catalog: Catalog) -> None:
    row = register(catalog)
    with pytest.raises(IllegalTransitionError, match="queued and cannot become complete"):
        catalog.set_acquisition_state(row.id, AcquisitionState.COMPLETE)
    catalog.set_acquisition_state(row.id, AcquisitionState.SET_ASIDE, "no voxel size")
    assert catalog.acquisition(row.id).error == "no voxel size"


def test_an_unknown_acquisition_is_one_sentence(catalog: Catalog) -> None:
    for ask in (catalog.acquisition, catalog.retry):
        with pytest.raises(UnknownAcquisitionError, match="no acquisition 77"):
            ask(77)


def test_all_of_it_survives_reopening(tmp_path: Path) -> None:
    with Catalog.open(tmp_path) as catalog:
        row = register(catalog)
        catalog.add_timepoints(row.id, {0: "a", 1: "b"})
        catalog.claim_next()
    with Catalog.open(tmp_path) as catalog:
        assert states(catalog, row.id) == "rq"
        assert catalog.timepoints(row.id)[0].state is TimepointState.RUNNING
        catalog.requeue_running()
        assert work_off(catalog) == [(row.id, 0), (row.id, 1)]
        assert catalog.tracker_state(row.id) == b"state after 1"


def test_time_points_that_were_declared_and_never_came_make_it_partial(catalog: Catalog) -> None:
    row = register(catalog, acquisition(pixels(3)))
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    finished = finish(catalog, row.id)
    assert finished.state is AcquisitionState.PARTIAL
    assert finished.error == "2 never arrived (the first is 1)."


def test_what_was_refused_meanwhile_is_forgotten_once_all_is_well_again(catalog: Catalog, tmp_path: Path) -> None:
    row = register(catalog, acquisition(pixels(1)))
    catalog.add_timepoints(row.id, {0: "a"})
    work_off(catalog)
    catalog.mark_painted(row.id, 0)
    assert finish(catalog, row.id).state is AcquisitionState.COMPLETE
    catalog.set_aside_source(Path(row.source_path), row.name, "it has two dimensions, not three")
    refused = catalog.acquisition(row.id)
    assert (refused.state, refused.error) == (AcquisitionState.COMPLETE, "it has two dimensions, not three")
    again = register(catalog, acquisition(pixels(1)))
    assert (again.id, again.state, again.error) == (row.id, AcquisitionState.COMPLETE, None)
