"""What the queue loop says of itself while it works, holds and stops, and what it knows of its workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cases.actor import Actor, cast
from cases.stored import Clock

from daemon.errors import EngineFailedError
from daemon.processing.messages import AnalyseTask, Painted, PaintTask
from daemon.processing.queue_loop import QueueLoop
from daemon.processing.workers.protocol import Died, WorkerNow
from storage.database.catalog import Catalog
from storage.schema.states import AcquisitionState, TimepointState
from tests.unit.daemon.processing.test_queue_loop import Stage, play_to_the_end, to_the_first_task

DEATH = Died("The program that segments died (exit code 1)")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """One acquisition of three time points, and one worker."""
    clock = Clock()
    with Catalog.open(tmp_path / "nusetd.sqlite", clock=clock) as catalog:
        stage = Stage(tmp_path, catalog, monkeypatch)
        stage.clock = clock
        yield stage


def test_each_worker_says_what_it_does_and_for_how_long(made: Stage) -> None:
    loop = made.queue_loop
    assert (loop.workers, loop.working_on) == ((WorkerNow(None, "waits"),), None)
    made.actor.start()
    assert loop.workers == (WorkerNow(1, "starts"),)
    to_the_first_task(made)
    made.now += 7.5
    assert loop.workers == (WorkerNow(1, "works", loop.working_on, 7.5),)
    assert loop.working_on is not None
    assert "a" in loop.working_on
    play_to_the_end(made)
    assert (loop.workers, loop.working_on) == ((WorkerNow(1, "idle"),), None)


def test_an_acquisition_is_held_until_nobody_works_on_it_and_then_nothing_of_it_counts(made: Stage) -> None:
    loop = made.queue_loop
    task = to_the_first_task(made)
    assert not loop.hold(made.row.id, "It is read again."), "a worker is at it"
    assert made.states() == [TimepointState.RUNNING, *[TimepointState.FAILED] * 2]
    loop.end(made.row.id)
    made.actor.tracks = False
    while made.actor.task is task:
        made.step(made.analysed())
    for _ in range(3):
        made.step()
    assert not loop.hold(made.row.id, "It is read again."), "its tracks are worked on"
    made.actor.tracks = True
    made.step(DEATH)
    for _ in range(10):
        loop.show_again(made.row.id)
        loop._books.settled(made.row.id)
        if loop.hold(made.row.id, "It is read again."):
            break
        made.step(*([Painted()] if isinstance(made.actor.task, PaintTask) else []))
    else:
        raise AssertionError("it is held up for ever")
    assert not loop.unfinished
    assert made.row.id not in loop._books.to_look_at
    given = len(made.actor.given)
    for _ in range(5):
        made.step()
    assert len([one for one in made.actor.given[given:] if isinstance(one, AnalyseTask)]) == 0
    assert made.catalog.acquisition(made.row.id).state is not AcquisitionState.COMPLETE


def test_what_is_claimed_keeps_a_loop_working_unless_it_stops(made: Stage) -> None:
    """Whoever stops it waits for what a worker has, and not for what waits for one."""
    loop, books = made.queue_loop, made.queue_loop._books
    job = made.catalog.claim_next()
    assert job is not None
    assert not loop.working
    books.claimed.append(job)
    assert (loop.working, loop.unfinished, loop.winding_down) == (True, True, True)
    loop.stopping = True
    assert (loop.working, loop.winding_down) == (False, False)
    loop.stopping = False
    books.claimed.clear()
    assert not loop.working
    to_the_first_task(made)
    loop.stopping = True
    assert loop.working


def test_deaths_without_work_are_counted_anew_after_work(made: Stage) -> None:
    def die() -> None:
        made.actor.pid = 1  # it is there, and says nothing else
        made.step(DEATH)

    for _ in range(2):
        die()
    to_the_first_task(made)
    made.step(made.analysed())
    play_to_the_end(made)
    for _ in range(2):
        die()
    with pytest.raises(EngineFailedError, match="three times before it did any work"):
        die()
    assert made.queue_loop.deaths == 5


def test_as_many_workers_are_reckoned_with_as_there_are(made: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a cluster they come and go; where there is none, one is awaited."""
    actors = [Actor(), Actor()]
    loop = QueueLoop(made.catalog, cast(*actors))
    loop.step(0.0)
    loop.step(0.0)
    assert loop._books.workers == 2
    everybody = cast(Actor(), Actor(), Actor()).all
    for there, reckoned in ((everybody, 3), ((), 1), (everybody[:2], 2)):
        monkeypatch.setattr(type(loop._workers), "all", there)
        loop._execute(gives=False)
        assert loop._books.workers == reckoned


def test_what_workers_wait_for_is_a_trouble(made: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made.queue_loop.troubles == []
    monkeypatch.setattr(type(made.queue_loop._workers), "waits_for", "a killed service has not ended")
    assert [str(one) for one in made.queue_loop.troubles] == ["worker: a killed service has not ended."]


def test_what_people_said_is_unfinished_until_it_is_carried_out(made: Stage) -> None:
    books = made.queue_loop._books
    play_to_the_end(made)
    assert not made.queue_loop.unfinished
    books.to_correct.add(made.row.id)
    assert made.queue_loop.unfinished
    books.to_correct.clear()
    books.corrections_changed = True
    assert made.queue_loop.unfinished
