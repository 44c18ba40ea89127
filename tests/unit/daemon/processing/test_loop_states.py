"""What the queue loop says of itself while it works, holds and stops, and what it knows of its workers."""

from __future__ import annotations

import pytest
from cases.actor import Actor, cast
from cases.loop_stage import Stage, play_to_the_end, to_the_first_task

from daemon.errors import EngineFailedError
from daemon.processing.messages import AnalyseTask, Painted, PaintTask
from daemon.processing.queue_loop import QueueLoop
from daemon.processing.workers.protocol import Died, WorkerNow
from storage.schema.states import AcquisitionState, TimepointState

DEATH = Died("The program that segments died (exit code 1)")


def test_each_worker_says_what_it_does_and_for_how_long(stage: Stage) -> None:
    loop = stage.queue_loop
    assert (loop.workers, loop.working_on) == ((WorkerNow(None, "waits"),), None)
    stage.actor.start()
    assert loop.workers == (WorkerNow(1, "starts"),)
    to_the_first_task(stage)
    stage.now += 7.5
    assert loop.workers == (WorkerNow(1, "works", loop.working_on, 7.5),)
    assert loop.working_on is not None
    assert "a" in loop.working_on
    play_to_the_end(stage)
    assert (loop.workers, loop.working_on) == ((WorkerNow(1, "idle"),), None)


def test_an_acquisition_is_held_until_nobody_works_on_it_and_then_nothing_of_it_counts(stage: Stage) -> None:
    loop = stage.queue_loop
    task = to_the_first_task(stage)
    assert not loop.hold(stage.row.id, "It is read again."), "a worker is at it"
    assert stage.states() == [TimepointState.RUNNING, *[TimepointState.FAILED] * 2]
    loop.end(stage.row.id)
    stage.actor.tracks = False
    while stage.actor.task is task:
        stage.step(stage.analysed())
    for _ in range(3):
        stage.step()
    assert not loop.hold(stage.row.id, "It is read again."), "its tracks are worked on"
    stage.actor.tracks = True
    stage.step(DEATH)
    for _ in range(10):
        loop.show_again(stage.row.id)
        loop._books.settled(stage.row.id)
        if loop.hold(stage.row.id, "It is read again."):
            break
        stage.step(*([Painted()] if isinstance(stage.actor.task, PaintTask) else []))
    else:
        raise AssertionError("it is held up for ever")
    assert not loop.unfinished
    assert stage.row.id not in loop._books.to_look_at
    given = len(stage.actor.given)
    for _ in range(5):
        stage.step()
    assert len([one for one in stage.actor.given[given:] if isinstance(one, AnalyseTask)]) == 0
    assert stage.catalog.acquisition(stage.row.id).state is not AcquisitionState.COMPLETE


def test_what_is_claimed_keeps_a_loop_working_unless_it_stops(stage: Stage) -> None:
    """Whoever stops it waits for what a worker has, and not for what waits for one."""
    loop, books = stage.queue_loop, stage.queue_loop._books
    job = stage.catalog.claim_next()
    assert job is not None
    assert not loop.working
    books.claimed.append(job)
    assert (loop.working, loop.unfinished, loop.winding_down) == (True, True, True)
    loop.stopping = True
    assert (loop.working, loop.winding_down) == (False, False)
    loop.stopping = False
    books.claimed.clear()
    assert not loop.working
    to_the_first_task(stage)
    loop.stopping = True
    assert loop.working


def test_deaths_without_work_are_counted_anew_after_work(stage: Stage) -> None:
    def die() -> None:
        stage.actor.pid = 1  # it is there, and says nothing else
        stage.step(DEATH)

    for _ in range(2):
        die()
    to_the_first_task(stage)
    stage.step(stage.analysed())
    play_to_the_end(stage)
    for _ in range(2):
        die()
    with pytest.raises(EngineFailedError, match="three times before it did any work"):
        die()
    assert stage.queue_loop.deaths == 5


def test_as_many_workers_are_reckoned_with_as_there_are(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a cluster they come and go; where there is none, one is awaited."""
    actors = [Actor(), Actor()]
    loop = QueueLoop(stage.catalog, cast(*actors))
    loop.step(0.0)
    loop.step(0.0)
    assert loop._books.workers == 2
    everybody = cast(Actor(), Actor(), Actor()).all
    for there, reckoned in ((everybody, 3), ((), 1), (everybody[:2], 2)):
        monkeypatch.setattr(type(loop._workers), "all", there)
        loop._execute(gives=False)
        assert loop._books.workers == reckoned


def test_what_workers_wait_for_is_a_trouble(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stage.queue_loop.troubles == []
    monkeypatch.setattr(type(stage.queue_loop._workers), "waits_for", "a killed service has not ended")
    assert [str(one) for one in stage.queue_loop.troubles] == ["worker: a killed service has not ended."]


def test_what_people_said_is_unfinished_until_it_is_carried_out(stage: Stage) -> None:
    books = stage.queue_loop._books
    play_to_the_end(stage)
    assert not stage.queue_loop.unfinished
    books.to_correct.add(stage.row.id)
    assert stage.queue_loop.unfinished
    books.to_correct.clear()
    books.corrections_changed = True
    assert stage.queue_loop.unfinished
