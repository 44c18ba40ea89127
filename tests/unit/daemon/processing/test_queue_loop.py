"""What the queue loop does with answers, deaths and leftovers: a real database, a worker that is played by the test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.actor import MODEL, Actor, cast
from cases.loop_stage import Stage, play_to_the_end, to_an_analysis, to_the_first_task

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.errors import EngineFailedError
from daemon.processing.messages import (
    AnalyseTask,
    CannotServe,
    Cause,
    Failed,
    Painted,
    PaintTask,
    Progress,
    Ready,
    Tracked,
    TrackTask,
)
from daemon.processing.queue_loop import QueueLoop
from daemon.processing.recipe import Recipe
from daemon.processing.tracker_cache import TrackerCache
from daemon.processing.workers.protocol import Died, Event
from nuset_engine.nuclei import Nuclei
from storage import readers
from storage.database.catalog import Catalog
from storage.database.stores.store_book import StoreBook
from storage.errors import DatabaseUnavailableError, StorageError
from storage.omezarr.ownership import Owner
from storage.schema.rows import AcquisitionRow, AnalysedTimepoint
from storage.schema.states import AcquisitionState, TimepointState
from tracking.tracker import Tracker


def test_time_points_go_in_order_and_the_end_comes_last(stage: Stage) -> None:
    stage.queue_loop.end(stage.row.id)
    play_to_the_end(stage)
    order = [task.t for task in stage.actor.given if isinstance(task, AnalyseTask)]
    painted = [task.t for task in stage.actor.given if isinstance(task, PaintTask)]
    assert order == sorted(painted) == stage.published == [0, 1, 2]
    assert stage.catalog.acquisition(stage.row.id).state is AcquisitionState.COMPLETE
    assert stage.seen[-1].what == "finished"
    assert not stage.queue_loop.unfinished


def test_complete_means_painted(stage: Stage) -> None:
    stage.queue_loop.end(stage.row.id)
    while stage.catalog.acquisition(stage.row.id).state is not AcquisitionState.COMPLETE:
        assert len(stage.actor.given) < 20
        task = stage.actor.task
        stage.step(*([stage.analysed()] if isinstance(task, AnalyseTask) else [Painted()] if task else []))
    assert stage.catalog.unpainted_final(stage.row.id) == []


def test_it_is_not_finished_before_it_ended(stage: Stage) -> None:
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.DONE] * 3
    assert stage.catalog.acquisition(stage.row.id).state is AcquisitionState.PROCESSING


def test_a_worker_that_dies_twice_on_a_time_point_costs_this_one_alone(stage: Stage) -> None:
    stage.queue_loop.end(stage.row.id)
    for _ in range(2):
        while not isinstance(stage.actor.task, AnalyseTask):
            stage.step()
        assert stage.actor.task.t == 0
        stage.step(Died("The program that segments died (signal SIGKILL)"))
    assert stage.states()[0] is TimepointState.FAILED
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.FAILED, TimepointState.DONE, TimepointState.DONE]
    row = stage.catalog.acquisition(stage.row.id)
    assert row.state is AcquisitionState.PARTIAL
    assert "SIGKILL" in (row.error or "")
    assert "while it worked on this time point" in (row.error or "")


def test_what_is_tried_again_between_final_tracks_and_the_end_becomes_final_and_is_painted_too(stage: Stage) -> None:
    """`retry`, or a source that is back, may come in just then."""
    for _ in range(2):
        to_an_analysis(stage)
        stage.step(stage.analysed())
    to_an_analysis(stage)
    stage.step(Failed("It cannot be read.", Cause.INPUT))
    stage.queue_loop.end(stage.row.id)
    while not list(stage.queue_loop._books.endings.to_complete()):
        task = stage.actor.task
        stage.step(*([stage.analysed()] if isinstance(task, AnalyseTask) else []))
    stage.catalog.retry(stage.row.id)
    play_to_the_end(stage)
    assert stage.catalog.acquisition(stage.row.id).state is AcquisitionState.COMPLETE
    assert stage.catalog.unpainted_final(stage.row.id) == []
    with stage.catalog._transaction() as connection:
        unpainted = connection.exec_driver_sql("SELECT count(*) FROM timepoints WHERE painted_at IS NULL")
        assert unpainted.scalar_one() == 0


KILLED = Died("The program that segments died (signal SIGKILL)", killed=True)


def test_kills_of_the_worker_are_no_evidence_until_one_that_was_alone_and_frugal(stage: Stage) -> None:
    stage.queue_loop.end(stage.row.id)
    frugal = []
    for kill in range(4):
        assert stage.states()[0] is not TimepointState.FAILED, kill
        frugal.append(to_an_analysis(stage).frugal)
        stage.step(KILLED)
    assert frugal == [False, False, False, True]
    point = stage.catalog.timepoints(stage.row.id)[0]
    assert point.state is TimepointState.FAILED
    assert "memory does not suffice" in (point.error or "")


def test_what_is_done_after_kills_begins_anew_to_count_them(stage: Stage) -> None:
    for _ in range(3):
        to_an_analysis(stage)
        stage.step(KILLED)
    to_an_analysis(stage)
    stage.step(stage.analysed())
    assert not stage.queue_loop._books.kills


def test_a_worker_that_is_killed_before_it_does_anything_ends_no_service(stage: Stage) -> None:
    play_to_the_end(stage)
    for kill in range(5):
        stage.step(KILLED)
        assert [str(trouble) for trouble in stage.queue_loop.troubles] == [
            f"worker: the program that segments was killed {kill + 1} times."
        ]
        stage.now += 100.0
        stage.step()
    assert stage.queue_loop.troubles == []


def test_a_full_disk_is_a_trouble_until_there_is_room_or_a_result_was_written(stage: Stage) -> None:
    stage.patience(1000.0)
    books = stage.queue_loop._books
    books.stall._room = lambda: free
    free = 0
    to_an_analysis(stage)
    stage.step(Failed("The disk is full.", Cause.MACHINE))
    assert [str(trouble) for trouble in stage.queue_loop.troubles] == ["results: The disk is full."]
    stage.step()
    assert stage.actor.task is None, "everything waits"
    free = 2**30
    to_an_analysis(stage)
    stage.step(stage.analysed())
    assert stage.queue_loop.troubles == []


def test_a_kill_counts_once_however_often_the_database_refuses_to_hear_of_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(stage, monkeypatch, "fail_timepoint", times=3)
    to_an_analysis(stage)
    for _ in range(3):
        with pytest.raises(DatabaseUnavailableError):
            stage.step(*([] if stage.queue_loop._heard else [KILLED]))
    again = to_an_analysis(stage)
    assert (again.t, again.frugal) == (0, False), "this is the second attempt, not the last one"


@pytest.mark.parametrize("cause", [Cause.STORE, Cause.DAMAGED])
def test_one_broken_store_holds_back_its_own_acquisition_and_no_other(
    stage: Stage, tmp_path: Path, cause: Cause
) -> None:
    other = tmp_path / "other.tif"
    tifffile.imwrite(other, np.zeros((16, 16), np.uint16))
    (image,) = readers.open_acquisitions(other)
    row = pipeline.admit(stage.catalog, image, Recipe(MODEL, Processing()), tmp_path / "out")
    assert to_an_analysis(stage).acquisition.id == stage.row.id
    stage.step(Failed("Its OME-Zarr is broken.", cause))
    stage.step()
    assert isinstance(stage.actor.task, AnalyseTask)
    assert stage.actor.task.acquisition.id == row.id
    assert [str(trouble) for trouble in stage.queue_loop.troubles] == ["a: Its OME-Zarr is broken."]


def test_a_store_that_is_gone_is_made_anew_and_one_that_is_lost_again_and_again_is_for_people(stage: Stage) -> None:
    stores = set()
    for _ in range(4):
        stores.add(stage.catalog.acquisition(stage.row.id).store_id)
        to_an_analysis(stage)
        stage.step(Failed("It is not there any more.", Cause.LOST))
    assert len(stores) == 4, "made anew each time"
    row = stage.catalog.acquisition(stage.row.id)
    assert row.state is AcquisitionState.SET_ASIDE
    assert "made anew 3 times" in (row.error or "")
    assert [seen.what for seen in stage.seen].count("store lost") == 3


def test_a_place_that_is_taken_leads_to_the_next_free_one_without_a_word_of_loss(stage: Stage) -> None:
    to_an_analysis(stage)
    stage.step(Failed("It is another database's.", Cause.TAKEN))
    row = stage.catalog.acquisition(stage.row.id)
    assert Path(str(row.zarr_path)).name == "a-2.ome.zarr"
    assert "store lost" not in [seen.what for seen in stage.seen]
    assert stage.queue_loop.troubles == []


def test_a_store_in_which_a_worker_died_is_swept_before_the_next_one_writes(stage: Stage) -> None:
    """Once, and not before the system has let go of the dead: until then it may still write."""
    to_the_first_task(stage)
    stage.swept.clear()
    stage.actor.dying = frozenset([1])
    stage.step(Died("The program that segments died (signal SIGKILL)", pid=1))
    for _ in range(3):
        stage.step()
    assert (stage.swept, stage.actor.task) == ([], None)
    stage.actor.dying = frozenset()
    given = len(stage.actor.given)
    while len(stage.actor.given) == given:
        stage.step()
    assert stage.swept == [stage.row.id]
    play_to_the_end(stage)
    assert stage.swept == [stage.row.id]


def test_what_may_pass_is_tried_again_and_then_done(stage: Stage) -> None:
    stage.step()
    stage.step()
    stage.step(Failed("The share does not answer.", Cause.PASSING))
    assert stage.states()[0] in (TimepointState.QUEUED, TimepointState.RUNNING)
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.DONE] * 3


def test_what_does_not_pass_is_set_aside_at_once(stage: Stage) -> None:
    stage.step()
    stage.step()
    stage.step(Failed("The file is damaged.", Cause.INPUT))
    assert stage.states()[0] is TimepointState.FAILED
    assert stage.catalog.timepoints(stage.row.id)[0].error == "The file is damaged."


def test_an_engine_that_cannot_start_ends_it(stage: Stage) -> None:
    stage.actor.start()
    stage.actor.lines = []
    with pytest.raises(EngineFailedError, match="no weights"):
        stage.step(CannotServe("There are no weights."))


def test_workers_that_die_before_any_work_end_it(stage: Stage) -> None:
    death = Died("The program that segments died (exit code 1)")
    for _ in range(2):
        stage.actor.pid = 1
        stage.step(death)
    stage.actor.pid = 1
    with pytest.raises(EngineFailedError, match="three times"):
        stage.step(death)


def test_what_a_killed_service_left_is_taken_up(stage: Stage) -> None:
    job = stage.catalog.claim_next()
    assert job is not None
    nuclei = Nuclei.empty(0, "px")
    tracker = Tracker()
    update = tracker.advance(nuclei)
    stage.catalog.commit_timepoint(job, nuclei, update, tracker.state(), {})
    stage.catalog.claim_next()
    assert stage.states() == [TimepointState.DONE, TimepointState.RUNNING, TimepointState.QUEUED]
    stage.step()
    assert stage.published == [0]
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.DONE] * 3
    assert [point.attempts for point in stage.catalog.timepoints(stage.row.id)] == [1, 1, 1]


def test_a_job_of_another_model_is_not_mixed_in(stage: Stage) -> None:
    stage.actor.start()
    stage.actor.lines = [Ready("other", "1" * 64)]
    stage.step()
    stage.step()
    assert stage.states()[0] is TimepointState.FAILED
    assert stage.actor.given == []


@pytest.mark.parametrize("ending", [".bfloat16", ".int8"])
def test_a_job_of_another_runtime_is_not_mixed_in_and_names_the_one_it_was_begun_with(
    stage: Stage, ending: str
) -> None:
    stage.actor.start()
    stage.actor.lines = [Ready(MODEL.model_name + ending, "1" * 64)]
    stage.step()
    stage.step()
    assert stage.states()[0] is TimepointState.FAILED
    said = str(stage.catalog.timepoints(stage.row.id)[0].error)
    assert said.startswith(f"It was begun with test, and test{ending} computes now: process its file anew, or give ")
    assert "runtime = 'tensorflow' and retry it." in said


def test_other_weights_are_loaded_between_two_time_points(stage: Stage) -> None:
    """The one under way ends first and is committed; nothing is given before whoever takes files has had a turn."""
    other, told = Ready("other", "1" * 64), list[str | None]()
    stage.actor.loads["ours"] = other
    to_the_first_task(stage)
    stage.queue_loop.exchange.ask("ours", told.append)
    assert stage.queue_loop.model is None
    stage.step()
    assert (stage.actor.weights, stage.actor.stopped) == (MODEL.model_name, 0)
    stage.step(stage.analysed())
    for _ in range(4):
        stage.step()
        if told:
            break
    assert (told, stage.queue_loop.model, stage.actor.weights) == ([None], other, "ours")
    assert len([task for task in stage.actor.given if isinstance(task, AnalyseTask)]) == 1
    for _ in range(6):
        stage.step(*([Painted()] if isinstance(stage.actor.task, PaintTask) else []))
    assert stage.states()[:2] == [TimepointState.DONE, TimepointState.FAILED]
    assert "begun with other weights" in str(stage.catalog.timepoints(stage.row.id)[1].error)


@pytest.mark.parametrize(
    "said", [CannotServe("They are not whole."), Died("The program that segments died (exit code 1)")]
)
def test_weights_that_cannot_be_loaded_give_way_to_those_so_far(stage: Stage, said: Event) -> None:
    told = list[str | None]()
    stage.actor.loads["ours"] = said
    stage.queue_loop.exchange.ask("ours", told.append)
    for _ in range(3):
        stage.step()
    [reason] = told
    assert str(reason).startswith("They are not whole." if isinstance(said, CannotServe) else said.reason)
    assert (stage.queue_loop.model, stage.actor.weights) == (MODEL, MODEL.model_name)
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.DONE] * 3


def test_what_the_database_refuses_to_hear_of_other_weights_is_told_again(stage: Stage) -> None:
    told = list[str | None]()

    def hear(reason: str | None) -> None:
        told.append(reason)
        if len(told) == 1:
            raise DatabaseUnavailableError("locked")

    stage.actor.loads["ours"] = Ready("other", "1" * 64)
    stage.queue_loop.exchange.ask("ours", hear)
    stage.step()
    with pytest.raises(DatabaseUnavailableError):
        stage.step()
    assert stage.queue_loop.exchange.under_way
    stage.step()
    assert told == [None, None]
    assert not stage.queue_loop.exchange.under_way


def test_stopping_takes_nothing_new(stage: Stage) -> None:
    stage.step()
    stage.step()
    stage.queue_loop.stopping = True
    stage.step(stage.analysed())
    for _ in range(5):
        stage.step(*([Painted()] if stage.actor.task else []))
    assert stage.states() == [TimepointState.DONE, TimepointState.QUEUED, TimepointState.QUEUED]
    assert not stage.queue_loop.winding_down


def test_a_full_disk_stops_everything_and_costs_nothing(stage: Stage) -> None:
    """However long it lasts: no time point is set aside for a disk that is full."""
    stage.patience(30.0)
    for failures in range(1, 9):
        to_the_first_task(stage)
        stage.step(Failed("No space left on device", Cause.MACHINE))
        given = len(stage.actor.given)
        for _ in range(3):
            stage.step()
        assert len(stage.actor.given) == given == failures, "nothing is begun while the disk is full"
        stage.now += 600.0
    assert stage.catalog.timepoints(stage.row.id)[0].attempts == 0
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.DONE] * 3


def test_after_a_success_the_next_full_disk_is_waited_for_from_the_shortest_pause_on(stage: Stage) -> None:
    """Results that were committed are one success, tracks that were painted the other."""
    stage.patience(30.0)
    stage.queue_loop.end(stage.row.id)

    def pause_s() -> float:
        """How long nothing is begun after one more failure to write."""
        stage.step(Failed("No space left on device", Cause.MACHINE))
        begun, since = len(stage.actor.given), stage.now
        while len(stage.actor.given) == begun:
            stage.now += 10.0
            stage.step()
        return stage.now - since

    to_the_first_task(stage)
    assert [pause_s() for _ in range(3)] == [30.0, 60.0, 120.0]
    while not isinstance(stage.actor.task, PaintTask):
        stage.step(*([stage.analysed()] if isinstance(stage.actor.task, AnalyseTask) else []))
    assert [pause_s() for _ in range(2)] == [30.0, 60.0]
    begun = len(stage.actor.given)
    stage.step(Painted())
    while len(stage.actor.given) == begun:
        stage.step()
    assert isinstance(stage.actor.task, PaintTask)
    assert [pause_s() for _ in range(2)] == [30.0, 60.0]


def test_an_offline_folder_is_waited_for_without_counting(stage: Stage) -> None:
    stage.reachable = False
    for _ in range(12):
        stage.step()
    assert stage.actor.given == []
    assert stage.states() == [TimepointState.QUEUED] * 3 or TimepointState.RUNNING in stage.states()
    stage.reachable = True
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.DONE] * 3


def test_a_source_that_is_gone_is_looked_for_once_more(stage: Stage) -> None:
    for _ in range(2):
        to_the_first_task(stage)
        stage.step(Failed("a_t0.tif is gone", Cause.GONE))
    assert stage.states()[0] is TimepointState.FAILED


def test_a_source_that_changes_while_it_is_read_is_seen_anew_and_never_set_aside(stage: Stage) -> None:
    for _ in range(7):
        to_the_first_task(stage)
        stage.step(Failed("a_t0.tif changed while it was read", Cause.CHANGED, (Path("a_t0.tif"),)))
    assert stage.looked_again == [Path("a_t0.tif")] * 7
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.DONE] * 3


def test_memory_that_does_not_suffice_replaces_the_worker_and_costs_the_time_point_the_second_time(
    stage: Stage,
) -> None:
    for _ in range(2):
        to_the_first_task(stage)
        stage.step(Failed("out of memory", Cause.MEMORY))
    assert stage.actor.stopped == 2
    assert stage.states()[0] is TimepointState.FAILED
    play_to_the_end(stage)
    assert stage.states()[1:] == [TimepointState.DONE] * 2


def refusing(stage: Stage, monkeypatch: pytest.MonkeyPatch, method: str, times: int) -> list[int]:
    """The database refuses a method a few times, as a locked one does."""
    real, calls = getattr(stage.catalog, method), list[int]()

    def refuses(*arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) <= times:
            raise DatabaseUnavailableError("database is locked")
        return real(*arguments, **options)

    monkeypatch.setattr(stage.catalog, method, refuses)
    return calls


@pytest.mark.parametrize(
    "method",
    ["commit_timepoint", "mark_painted", "mark_published", "claim_next", "finalise_tracks", "complete_acquisition"],
)
def test_a_database_that_refuses_for_a_while_loses_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    calls = refusing(stage, monkeypatch, method, times=3)
    stage.queue_loop.end(stage.row.id)
    refused = 0
    for _ in range(60):
        task = stage.actor.task
        lines: list[Event] = []
        if isinstance(task, AnalyseTask):
            lines = [stage.analysed()]
        elif isinstance(task, PaintTask):
            lines = [Painted()]
        try:
            stage.step(*lines)
        except DatabaseUnavailableError:
            refused += 1
    assert refused == 3
    assert len(calls) > 3
    assert stage.states() == [TimepointState.DONE] * 3
    assert [point.attempts for point in stage.catalog.timepoints(stage.row.id)] == [1, 1, 1]
    assert stage.catalog.acquisition(stage.row.id).state is AcquisitionState.COMPLETE


@pytest.mark.parametrize("refusal", [DatabaseUnavailableError("database is locked"), ZeroDivisionError("our fault")])
def test_what_cannot_be_handed_to_the_worker_is_not_left_claimed_by_nobody(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    """Its time point would be `running` for ever, and the worker idle."""
    good, refused = StoreBook.owner, list[int]()

    def owner(self: StoreBook, row: AcquisitionRow) -> Owner:
        if not refused:
            refused.append(1)
            raise refusal
        return good(self, row)

    play_to_the_end(stage, limit=1)
    monkeypatch.setattr(StoreBook, "owner", owner)
    stage.queue_loop.end(stage.row.id)
    for _ in range(5):
        stage.now += 100.0
        play_to_the_end(stage)
    lost = int(isinstance(refusal, ZeroDivisionError))
    assert Counter(stage.states()) == Counter({TimepointState.DONE: 3 - lost, TimepointState.FAILED: lost})
    assert not stage.queue_loop.unfinished


def test_files_of_another_version_under_a_running_worker_end_the_service_that_the_next_start_is_of_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads the database is loaded with the first tracks: waiting would not help, the database stays as it is."""
    monkeypatch.setattr("storage.query.snapshots.HEAD", "9999")
    to_an_analysis(stage)
    stage.step(stage.analysed())
    with pytest.raises(EngineFailedError, match="files of nusetd were exchanged"):
        stage.step()


def test_a_store_that_cannot_be_written_is_shown_and_painted_when_it_can(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = stage.publish
    full = True

    def publish(catalog: Catalog, row: object, t: int) -> None:
        if full:
            raise StorageError("No space left on device")
        shown(catalog, row, t)

    monkeypatch.setattr(pipeline, "publish", publish)
    stage.patience(30.0)
    to_the_first_task(stage)
    stage.step(stage.analysed())
    stage.step()
    assert stage.states()[0] is TimepointState.DONE
    assert stage.published == []
    full = False
    stage.now += 600.0
    play_to_the_end(stage)
    assert stage.published == [0, 1, 2]


def test_a_fault_of_ours_while_a_result_is_committed_costs_one_time_point(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = pipeline.commit

    def commit(catalog: Catalog, found: AnalysedTimepoint, tracked: Tracked) -> bool:
        if found.job.t == 1:
            raise ZeroDivisionError("nobody thought of that")
        return good(catalog, found, tracked)

    monkeypatch.setattr(pipeline, "commit", commit)
    stage.queue_loop.end(stage.row.id)
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.DONE, TimepointState.FAILED, TimepointState.DONE]
    assert "nobody thought of that" in str(stage.catalog.timepoints(stage.row.id)[1].error)
    assert stage.catalog.acquisition(stage.row.id).state is AcquisitionState.PARTIAL


def fault(*arguments: object, **options: object) -> None:
    raise ZeroDivisionError("nobody thought of that")


@pytest.mark.parametrize("method", ["turn_of", "commit_timepoint"])
def test_a_fault_of_ours_on_the_way_to_a_commit_sets_time_points_aside(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(stage.catalog, method, fault)
    stage.queue_loop.end(stage.row.id)
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.FAILED] * 3
    assert "nobody thought of that" in str(stage.catalog.timepoints(stage.row.id)[0].error)


@pytest.mark.parametrize("method", ["finalise_tracks", "complete_acquisition", "mark_published"])
def test_a_fault_of_ours_after_the_commit_leaves_the_acquisition_to_the_next_start(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """What readers do not see all of is not called complete, and nothing is tried without end."""
    good = getattr(stage.catalog, method)
    monkeypatch.setattr(stage.catalog, method, fault)
    stage.queue_loop.end(stage.row.id)
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.DONE] * 3
    assert stage.catalog.acquisition(stage.row.id).state is AcquisitionState.PROCESSING
    assert not stage.queue_loop.unfinished
    stage.queue_loop.end(stage.row.id)
    play_to_the_end(stage)
    assert stage.catalog.acquisition(stage.row.id).state is AcquisitionState.PROCESSING
    monkeypatch.setattr(stage.catalog, method, good)
    stage.begin()
    stage.queue_loop.end(stage.row.id)
    play_to_the_end(stage)
    assert stage.catalog.acquisition(stage.row.id).state is AcquisitionState.COMPLETE


def test_an_end_that_fails_stops_nothing_else(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    good = pipeline.track

    def track(task: TrackTask, trackers: TrackerCache) -> Tracked:
        if task.nuclei is None:
            raise ZeroDivisionError("nobody thought of that")
        return good(task, trackers)

    monkeypatch.setattr(pipeline, "track", track)
    stage.queue_loop.end(stage.row.id)
    play_to_the_end(stage)
    assert stage.states() == [TimepointState.DONE] * 3
    assert not stage.queue_loop.unfinished


def test_progress_is_told_in_the_slices_of_the_time_point_under_way(stage: Stage) -> None:
    to_the_first_task(stage)
    stage.step(Progress(1, 3))
    told = stage.seen[-1]
    assert (told.what, told.t, told.done, told.total) == ("slices", 0, 1, 3)


def test_a_lone_worker_is_waited_for_and_of_many_none(stage: Stage) -> None:
    """Many are waited for together: each of them in turn would hold up the others."""
    stage.queue_loop.step(0.03)
    assert stage.actor.waited == [0.03]
    others = [Actor(), Actor()]
    QueueLoop(stage.catalog, cast(*others)).step(0.03)
    assert [actor.waited for actor in others] == [[0.0], [0.0]]


class Long:
    """Stands for work beside the loop."""

    def __init__(self) -> None:
        self.busy, self.waited = True, list[float | None]()

    def wait(self, seconds: float | None = None) -> None:
        self.waited.append(seconds)

    def outcome(self) -> BaseException | None:
        return None


def test_while_a_transaction_lasts_beside_it_the_loop_does_nothing_but_wait(stage: Stage) -> None:
    """The database has one writer at a time."""
    beside, over = Long(), list[BaseException | None]()
    stage.queue_loop._beside = beside  # type: ignore[assignment]
    stage.queue_loop._over = over.append
    for _ in range(3):
        stage.queue_loop.step(0.5)
    assert beside.waited == [0.5] * 3
    assert (stage.actor.pid, stage.actor.waited, over) == (None, [], [])
    assert stage.queue_loop.working
    assert stage.queue_loop.writing_beside
    beside.busy = False
    stage.queue_loop.step(0.5)
    assert over == [None]
    assert stage.actor.pid is not None
    stage.queue_loop.step(0.5)
    assert over == [None], "once"
    stage.queue_loop.abandon()
    assert beside.waited[-1] is None, "however long it takes"


class Talkative(Actor):
    """Says more than a turn has time for."""

    def __init__(self) -> None:
        super().__init__()
        self.said, self.makes_stores = 0, False

    def events(self, wait_s: float) -> Iterator[Event]:
        yield from super().events(wait_s)
        while self.said < 100:
            self.said += 1
            yield Progress(self.said, 100)


def test_a_worker_is_heard_so_long_in_one_turn_and_no_longer(stage: Stage) -> None:
    actors = [Talkative(), Talkative()]
    loop = QueueLoop(stage.catalog, cast(*actors))
    loop.step(0.0)
    assert [actor.said for actor in actors] == [31, 31], "its first word was that it is ready"
    loop.step(0.0)
    assert [actor.said for actor in actors] == [63, 63]
