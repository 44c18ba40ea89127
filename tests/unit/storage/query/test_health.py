"""The queue at a moment, the course of an acquisition, and the service's own report."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases.stored import Clock, acquisition, nuclei, one_to_one, pixels, register

from storage.database.catalog import Catalog
from storage.query.health import health
from storage.schema.states import AcquisitionState


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> Path:
    """Six time points queued in one moment: two done, one failed, one to be tried again, two queued."""
    path = tmp_path / "nusetd.sqlite"
    with Catalog.open(path, clock) as catalog:
        row = register(catalog, acquisition(pixels(t=6)))
        catalog.add_timepoints(row.id, dict.fromkeys(range(6), "f"))
        for t in range(2):
            clock.pass_seconds(10.0)
            job = catalog.claim_next()
            assert job is not None
            clock.pass_seconds(5.0)
            quality = {"signal": 100.0 - t, "blank_slices": [t]}
            catalog.commit_timepoint(job, nuclei(t), one_to_one(t, 3), b"", {"segment_s": 4.0}, quality)
        failed = catalog.claim_next()
        assert failed is not None
        catalog.fail_timepoint(failed, "The file is damaged.", retry=False)
        again = catalog.claim_next()
        assert again is not None
        clock.pass_seconds(1.0)
        catalog.fail_timepoint(again, "The share does not answer.", retry=True, pause_s=60.0)
        catalog.set_aside_source("/data/notes.tif", "notes", "It is no image.")
        catalog.report({"pid": 1})
        clock.pass_seconds(2.0)
        catalog.report({"pid": 7, "roots": [{"path": "/data", "online": False}]})
    return path


def test_the_queue_counts_what_waits_and_what_is_paused(kept: Path, clock: Clock) -> None:
    state, _ = health(kept, clock())
    assert state.counts == {"queued": 3, "running": 0, "done": 2, "failed": 1}
    assert state.paused == 1
    assert state.oldest_waiting is not None
    assert (clock() - state.oldest_waiting).total_seconds() == 33.0
    assert state.arrived is not None
    assert state.arrived[0] == 3


def test_passages_are_the_latest_first(kept: Path, clock: Clock) -> None:
    state, _ = health(kept, clock())
    waited = [(p.completed_at - p.queued_at).total_seconds() for p in state.recent]
    worked = [(p.completed_at - p.started_at).total_seconds() for p in state.recent]
    assert (waited, worked) == ([30.0, 15.0], [5.0, 5.0])


def test_problems_tell_their_reason_the_latest_first(kept: Path, clock: Clock) -> None:
    state, _ = health(kept, clock())
    assert {(p.acquisition, p.t, p.reason) for p in state.problems} == {
        ("notes", None, "It is no image."),
        ("embryo", 2, "The file is damaged."),
        ("embryo", 3, "The share does not answer."),
    }
    assert [p.at for p in state.problems] == sorted((p.at for p in state.problems), reverse=True)


def test_the_last_report_counts(kept: Path, clock: Clock) -> None:
    _, reported = health(kept, clock())
    assert reported == (clock(), {"pid": 7, "roots": [{"path": "/data", "online": False}]})


def test_without_any_work_there_is_nothing_to_tell(tmp_path: Path, clock: Clock) -> None:
    Catalog.open(tmp_path / "new.sqlite").close()
    state, reported = health(tmp_path / "new.sqlite", clock())
    assert reported is None
    assert (state.oldest_waiting, state.arrived, state.recent, state.problems) == (None, None, (), ())


def test_an_acquisition_that_is_set_aside_waits_for_a_person_not_in_the_queue(catalog: Catalog, clock: Clock) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "f"})
    assert catalog.queue_state().counts["queued"] == 1
    catalog.set_acquisition_state(row.id, AcquisitionState.SET_ASIDE, "It has no voxel size.")
    assert catalog.queue_state().counts["queued"] == 0


def test_the_course_of_an_acquisition(kept: Path) -> None:
    with Catalog.open(kept) as catalog:
        course = catalog.recent_quality(1, 1, 1)
        assert [(step.t, step.nuclei_count, step.quality["signal"]) for step in course.latest] == [(1, 3, 99.0)]
        assert [step.t for step in course.first] == [0, 1]
        assert catalog.recent_quality(1, 5, 9).latest[-1].quality["blank_slices"] == [1]
