"""What the queue loop does with several workers: a real database, workers that are played by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from cases.actor import MODEL, Actor, cast
from cases.stored import Clock

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.errors import EngineFailedError
from daemon.processing.messages import (
    Analysed,
    AnalyseTask,
    Cause,
    Failed,
    Painted,
    PaintTask,
    Ready,
    ReplayTask,
    StoreMade,
    TrackTask,
)
from daemon.processing.queue_loop import QueueLoop, Seen
from daemon.processing.recipe import Recipe
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.workers.protocol import Died
from nuset_engine.nuclei import Nuclei
from storage import readers
from storage.database.catalog import Catalog
from storage.omezarr.ownership import Owner
from storage.schema.rows import AcquisitionRow
from storage.schema.states import TimepointState

FRAMES = 4


class Crew:
    """A queue loop with three actors over a database; what it shows and sweeps is noted, not done."""

    def __init__(self, root: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.catalog, self.now, self.clock = root, catalog, 0.0, Clock()
        self.seen = list[Seen]()
        self.shown, self.swept = list[int](), list[tuple[int, str]]()
        monkeypatch.setattr(pipeline, "publish", self._publish)
        monkeypatch.setattr(pipeline, "show_tracks", lambda catalog, row, t: catalog.mark_painted(row.id, t))
        monkeypatch.setattr(pipeline, "sweep", self._sweep)
        self.actors = [Actor() for _ in range(3)]
        for actor in self.actors:
            actor.makes_stores = False
        policy = RetryPolicy(pause_s=0.0, kill_pause_s=0.0)
        self.loop = QueueLoop(catalog, cast(*self.actors), policy, self.seen.append, clock=lambda: self.now)

    def admit(self, name: str, frames: int = FRAMES, archive: bool = False) -> AcquisitionRow:
        """A series of empty planes."""
        files = [self.root / f"{name}_t{t}.tif" for t in range(frames)]
        for t, file in enumerate(files):
            tifffile.imwrite(file, np.full((16, 16), t, np.uint16))
        (image,) = readers.open_acquisitions(files)
        return pipeline.admit(self.catalog, image, Recipe(MODEL, Processing(), archive=archive), self.root / "out")

    def turn(self, times: int = 3) -> None:
        """Some turns, a while apart."""
        for _ in range(times):
            self.loop.step(0.0)
            self.now += 100.0

    def ready(self) -> None:
        """Time points of the first acquisition are under way, and its store is made."""
        self.turn()
        self.at(0).lines.append(StoreMade())
        self.turn()

    def at(self, t: int) -> Actor:
        """Who analyses a time point."""
        return next(actor for actor in self.actors if isinstance(actor.task, AnalyseTask) and actor.task.t == t)

    def under_way(self) -> list[int]:
        """The time points that are being analysed."""
        return sorted(actor.task.t for actor in self.actors if isinstance(actor.task, AnalyseTask))

    def answer(self, t: int) -> None:
        """A time point is analysed."""
        self.at(t).lines.append(Analysed(Nuclei.empty(t, "px"), {"segment_s": 1.0}))
        self.turn()

    def done(self) -> list[int | None]:
        """What was committed, in order."""
        return [seen.t for seen in self.seen if seen.what == "done"]

    def _publish(self, catalog: Catalog, row: AcquisitionRow, t: int) -> None:
        self.shown.append(t)
        catalog.mark_published(row.id, t)

    def _sweep(self, row: AcquisitionRow, owner: Owner, t: int | None = None, lease: str = "") -> None:
        if t is not None:
            self.swept.append((t, lease))


@pytest.fixture
def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crew]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        yield Crew(tmp_path, catalog, monkeypatch)


def killed(actor: Actor) -> Died:
    return Died("The program that segments died (signal SIGKILL)", killed=True, pid=actor.pid)


def test_they_are_analysed_in_any_order_and_committed_in_order(crew: Crew) -> None:
    crew.admit("a")
    crew.ready()
    assert crew.under_way() == [0, 1, 2]
    crew.answer(2)
    assert (crew.done(), crew.under_way()) == ([], [0, 1, 3])
    crew.answer(3)
    crew.answer(1)
    assert crew.done() == []
    crew.answer(0)
    crew.turn(12)
    assert crew.done() == [0, 1, 2, 3]
    assert not any(isinstance(task, ReplayTask) for actor in crew.actors for task in actor.given), "mere order"


def test_archives_get_half_of_the_workers_while_an_experiment_runs(crew: Crew) -> None:
    """Three of them: one for archives, so that what lands finds another one idle."""

    def at_work() -> list[tuple[str, int]]:
        tasks = [actor.task for actor in crew.actors if isinstance(actor.task, AnalyseTask)]
        return sorted((task.acquisition.name, task.t) for task in tasks)

    crew.admit("old", archive=True)
    crew.admit("live", 1)
    crew.turn(2)
    for actor in crew.actors:
        actor.lines.append(StoreMade())
    crew.turn(2)
    assert at_work() == [("live", 0), ("old", 0)]
    crew.now += 1000.0
    crew.turn(1)
    assert at_work() == [("live", 0), ("old", 0), ("old", 1)], "nothing landed for long"


def test_workers_at_what_follows_from_an_archives_result_are_of_its_half(crew: Crew) -> None:
    """Else they would be at tracks and paintings of many small images when something lands."""
    for actor in crew.actors:
        actor.tracks, actor.makes_stores = False, True

    def tracked() -> list[str]:
        return sorted(actor.task.acquisition.name for actor in crew.actors if isinstance(actor.task, TrackTask))

    for name, archive in (("old", True), ("older", True), ("now", False)):
        crew.admit(name, 1, archive)
        crew.turn(2)
    for actor in crew.actors:
        actor.lines.append(Analysed(Nuclei.empty(0, "px"), {}))
    crew.turn(2)
    assert tracked() == ["now", "old"]
    crew.now += 1000.0
    crew.turn(1)
    assert tracked() == ["now", "old", "older"], "nothing landed for long"


def analyses(actor: Actor) -> AnalyseTask | None:
    """What it analyses."""
    return actor.task if isinstance(actor.task, AnalyseTask) else None


def test_each_step_is_due_for_what_landed_first_and_for_archives_in_a_part_of_a_turn(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[str]()

    def slow(step: Callable[..., Any]) -> Callable[..., Any]:
        def run(catalog: Catalog, *work: Any) -> Any:
            row = work[0].job.acquisition if step is commit else work[0]
            told.append(f"{step.__name__.strip('_')}-{row.name}")
            crew.now += 0.06
            return step(catalog, *work)

        return run

    commit = pipeline.commit
    monkeypatch.setattr(pipeline, "commit", slow(commit))
    monkeypatch.setattr(pipeline, "publish", slow(pipeline.publish))
    for name, archive in (("old", True), ("older", True), ("now", False)):
        crew.admit(name, 1, archive)
        crew.turn(2)
        next(
            actor for actor in crew.actors if (task := analyses(actor)) and task.acquisition.name == name
        ).lines.append(StoreMade())
    for actor in crew.actors:
        actor.lines.append(Analysed(Nuclei.empty(0, "px"), {}))
    for _ in range(9):
        told.append("turn")
        crew.loop.step(0.0)
    turns = [turn.split() for turn in " ".join(told).split("turn")]
    names = [step.partition("-")[2] for turn in turns for step in turn]
    assert names == ["now", "now", "old", "old", "older", "older"], told
    assert all(sum("-old" in step for step in turn) < 2 for turn in turns), told
    rows = sorted(crew.catalog.acquisitions(), key=lambda row: row.name, reverse=True)
    crew.loop._books.pending.to_publish.update({(row.id, 0): row for row in rows})
    told.clear()
    for done in (["publish-now"], ["publish-now", "publish-older"], ["publish-now", "publish-older", "publish-old"]):
        crew.loop.step(0.0)
        assert told == done


def test_what_is_done_is_shown_while_others_write_later_time_points(crew: Crew) -> None:
    """Else nothing would be, as long as one of them is at any."""
    crew.admit("a")
    crew.ready()
    crew.answer(0)
    assert crew.under_way() == [1, 2, 3]
    assert crew.shown == [0]


def test_nobody_is_idle_while_the_loop_commits(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does takes moments, which many workers would wait for."""
    crew.admit("a", 9)
    crew.ready()
    idle, commit = list[int](), pipeline.commit

    def look_and_commit(*work: Any) -> bool:
        idle.append(sum(actor.idle for actor in crew.actors))
        return commit(*work)

    monkeypatch.setattr(pipeline, "commit", look_and_commit)
    for t in range(5):
        crew.answer(t)
    assert idle == [0] * 5
    assert crew.done() == [0, 1, 2, 3, 4]


def test_what_is_done_is_not_shown_while_one_before_it_is_being_written(crew: Crew) -> None:
    """The arrays would end behind both."""
    row = crew.admit("a", frames=2)
    crew.ready()
    crew.loop._books.writing.begin(row, AnalyseTask(row, -1))
    crew.answer(0)
    assert (crew.done(), crew.shown) == ([0], [])
    crew.loop._books.writing.over(row, AnalyseTask(row, -1))
    crew.turn()
    assert crew.shown == [0]


def test_one_worker_makes_a_store_and_the_others_wait_until_it_is_there(crew: Crew) -> None:
    crew.admit("a")
    crew.admit("b")
    crew.turn()
    names = sorted((actor.task.acquisition.name, actor.task.t) for actor in crew.actors if actor.task)  # type: ignore[union-attr]
    assert names == [("a", 0), ("b", 0)]
    crew.at(0).lines.append(StoreMade())
    crew.turn()
    assert all(isinstance(actor.task, AnalyseTask) for actor in crew.actors)


def test_a_store_that_one_could_not_make_is_made_by_the_next(crew: Crew) -> None:
    crew.admit("a")
    crew.turn()
    first = crew.at(0)
    first.lines.append(Failed("The share does not answer.", Cause.PASSING))
    crew.turn()
    (second,) = crew.under_way()
    crew.at(second).lines.append(StoreMade())
    crew.turn()
    assert crew.under_way() == [0, 1, 2]


def test_a_kill_costs_its_time_point_alone_and_is_swept_when_the_dead_is_gone(crew: Crew) -> None:
    crew.admit("a")
    crew.ready()
    victim = crew.at(1)
    lease = victim.task.lease  # type: ignore[union-attr]
    victim.dying = frozenset([victim.pid or 0])
    victim.lines.append(killed(victim))
    crew.turn()
    assert crew.swept == [], "it may still be writing"
    assert sorted({0, 2} & {*crew.under_way()}) == [0, 2], "the others go on"
    assert 1 not in crew.under_way()
    victim.dying = frozenset()
    crew.turn()
    assert crew.swept == [(1, lease)]
    assert crew.under_way() == [0, 1, 2]
    assert crew.at(1).task.lease != lease  # type: ignore[union-attr]


def test_how_many_are_at_work_is_known_at_every_moment(crew: Crew) -> None:
    crew.admit("a")
    crew.ready()
    assert crew.loop._books.busy == len(crew.under_way()) == 3
    crew.answer(0)
    assert crew.loop._books.busy == len(crew.under_way())


def kill_until_alone(crew: Crew) -> Actor:
    """Kill whoever is at time point 0 until it gets it alone."""
    for _ in range(3):
        crew.at(0).lines.append(killed(crew.at(0)))
        crew.turn(5)
        for t in [t for t in crew.under_way() if t != 0]:
            crew.answer(t)
        crew.turn(5)
    return crew.at(0)


def test_the_last_attempt_after_kills_has_the_machine_for_itself(crew: Crew) -> None:
    crew.admit("a")
    crew.ready()
    alone = kill_until_alone(crew)
    assert crew.under_way() == [0]
    assert alone.task.frugal  # type: ignore[union-attr]
    assert [actor.pid for actor in crew.actors if actor is not alone] == [None, None], "their memory is free"
    crew.turn(5)
    assert [actor.pid for actor in crew.actors if actor is not alone] == [None, None]
    crew.answer(0)
    crew.turn(12)
    assert all(actor.pid is not None for actor in crew.actors)
    assert crew.done() == [0, 1, 2, 3]


def test_what_lacked_memory_beside_others_is_tried_alone_before_it_is_set_aside(crew: Crew) -> None:
    row = crew.admit("a")
    crew.ready()
    crew.at(0).lines.append(Failed("The computer ran out of memory.", Cause.MEMORY))
    crew.turn()
    assert crew.under_way() == [1, 2], "nothing more is begun"
    crew.answer(1)
    crew.answer(2)
    assert crew.under_way() == [0]
    crew.at(0).lines.append(Failed("The computer ran out of memory.", Cause.MEMORY))
    crew.turn(5)
    assert crew.catalog.timepoints(row.id)[0].state is TimepointState.FAILED
    assert crew.under_way() == [3], "the others go on"


def test_a_store_that_is_lost_is_made_anew_when_nobody_writes_there_any_more(crew: Crew) -> None:
    row = crew.admit("a")
    crew.ready()
    before = crew.catalog.acquisition(row.id).store_id
    for t in (0, 1):
        crew.at(t).lines.append(Failed("It is not there any more.", Cause.LOST))
        crew.turn()
        assert crew.catalog.acquisition(row.id).store_id == before
    assert crew.under_way() == [2], "nothing more of it is begun"
    crew.at(2).lines.append(Failed("It is not there any more.", Cause.LOST))
    crew.turn()
    assert crew.catalog.acquisition(row.id).store_id != before
    assert [seen.what for seen in crew.seen].count("store lost") == 1, "once, whoever found it"
    assert crew.under_way() == [0]


def test_the_worker_that_has_an_acquisition_open_gets_its_next_time_point(crew: Crew) -> None:
    for name in "abc":
        crew.admit(name, frames=2)
    crew.turn()
    held = {actor: actor.task.acquisition.id for actor in crew.actors}  # type: ignore[union-attr]
    assert len({*held.values()}) == 3
    for actor in crew.actors[::-1]:
        actor.lines.append(Analysed(Nuclei.empty(0, "px"), {}))
    crew.turn(6)
    assert {actor: actor.task.acquisition.id for actor in crew.actors} == held  # type: ignore[union-attr]


def test_tracks_are_continued_by_the_worker_that_has_the_tracker(crew: Crew) -> None:
    crew.admit("a", frames=3)
    crew.ready()
    for t in (2, 1, 0):  # all of them rest when the first one is tracked
        crew.answer(t)
    crew.turn(6)
    assert crew.done() == [0, 1, 2]
    trackers = {index for index, actor in enumerate(crew.actors) if any(isinstance(t, TrackTask) for t in actor.given)}
    assert len(trackers) == 1


def test_one_time_point_of_an_acquisition_is_painted_at_a_time_and_others_are_analysed_meanwhile(crew: Crew) -> None:
    row = crew.admit("a", frames=2)
    crew.ready()
    crew.answer(0)
    crew.answer(1)
    crew.loop.end(row.id)
    crew.turn(6)
    painting = [actor for actor in crew.actors if isinstance(actor.task, PaintTask)]
    assert len(painting) == 1
    crew.admit("b", frames=2)
    crew.turn()
    assert crew.under_way() == [0]
    painting[0].lines.append(Painted())
    crew.turn()
    assert [isinstance(actor.task, PaintTask) for actor in crew.actors].count(True) == 1


def test_two_networks_are_never_mixed(crew: Crew) -> None:
    crew.turn()
    crew.actors[1].lines.append(Ready("other", "1" * 64))
    with pytest.raises(EngineFailedError, match="two networks"):
        crew.turn()


def test_each_worker_is_told_with_what_it_does(crew: Crew) -> None:
    crew.admit("a", frames=2)
    crew.ready()
    now = crew.loop.workers
    assert sorted((worker.state, worker.working_on) for worker in now if worker.working_on) == [
        ("works", "a t=0"),
        ("works", "a t=1"),
    ]
    assert [worker.state for worker in now].count("idle") == 1
