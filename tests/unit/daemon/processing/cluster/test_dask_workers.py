"""The workers of a cluster as the queue loop sees them; the cluster is played: who comes, goes, answers late."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.configuration.cluster.scheduler_access import SchedulerAccess
from daemon.processing.cluster import at_worker, dask_workers
from daemon.processing.cluster.at_worker import Introduced
from daemon.processing.cluster.dask_workers import ClusterWorker, DaskWorkers, Lost
from daemon.processing.cluster.watcher import Away, Members, Over, SignOfLife
from daemon.processing.messages import CannotServe, EngineSetup, Painted, PaintTask, Progress, Ready, StoreMade
from daemon.processing.workers.local_workers import LocalWorkers, Worker
from daemon.processing.workers.protocol import Event

MODEL = Ready("classical", "ab" * 32)
TASK = PaintTask("/out/a.ome.zarr", 3, {})


class PlayedCluster:
    """What a watcher would notice, said by the test; what is given to the cluster is kept."""

    def __init__(self, access: SchedulerAccess, topic: str) -> None:
        self.given: list[tuple[str, str, Any, tuple[Any, ...]]] = []
        self.back: list[str] = []
        self.waiting: list[Any] = []
        self.started = self.ended = False
        self.descriptor, self._wake = os.pipe()

    def start(self) -> None:
        self.started = True

    def noticed(self) -> list[Any]:
        found, self.waiting = self.waiting, []
        if found:
            os.read(self.descriptor, 1)
        return found

    def say(self, *noticed: Any) -> None:
        if not self.waiting:
            os.write(self._wake, b"x")
        self.waiting += noticed

    def submit(self, address: str, key: str, priority: int, function: Any, *arguments: Any) -> None:
        self.given.append((address, key, function, arguments))

    def take_back(self, key: str) -> None:
        self.back.append(key)

    def end(self) -> None:
        self.ended = True

    def introduce(self, *addresses: str) -> None:
        """They have loaded their engine."""
        for address, key, function, _ in list(self.given):
            if address in addresses and function is at_worker.introduce:
                self.say(Over(key, Introduced(MODEL, f"host of {address}", 7)))


class Scene:
    """A cluster, and the time."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dask_workers, "Watcher", PlayedCluster)
        self.now = 0.0
        setup = EngineSetup("x:y", "weights", None)
        self.workers = DaskWorkers(
            SchedulerAccess("tcp://127.0.0.1:8786"), setup, LocalWorkers([]), [folder / "out"], [folder], "me",
            silence_s=100.0, clock=lambda: self.now,
        )  # fmt: skip
        self.cluster: PlayedCluster = self.workers._watcher  # type: ignore[assignment]
        self.workers.start()

    def hear(self, *noticed: Any) -> list[tuple[str, Event]]:
        """What the queue loop hears of it."""
        self.cluster.say(*noticed)
        return [
            (worker.address, event) for worker, event in self.workers.hear(0.0) if isinstance(worker, ClusterWorker)
        ]

    def serve(self, *addresses: str) -> list[tuple[str, Event]]:
        """These are there, and serve."""
        self.hear(Members(frozenset(addresses)))
        self.cluster.introduce(*addresses)
        return self.hear()

    def give(self) -> tuple[ClusterWorker, str]:
        """The first idle one gets a task; the task's key."""
        worker = self.workers.idle()[0]
        assert isinstance(worker, ClusterWorker)
        self.workers.give(worker, TASK)
        return worker, self.cluster.given[-1][1]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made = Scene(tmp_path, monkeypatch)
    yield made
    made.workers.end()
    assert made.cluster.ended
    assert not list((tmp_path / "out").glob(".nusetd*")), "nothing is left in the output"


def test_those_who_are_there_are_introduced_and_serve(scene: Scene) -> None:
    assert "is not reached yet" in str(scene.workers.waits_for)
    assert scene.hear(Members(frozenset())) == []
    assert "has no workers: start one with `nusetd worker" in str(scene.workers.waits_for)
    assert scene.serve("a") == [("a", MODEL)]
    assert scene.workers.waits_for is None
    worker, key = scene.give()
    assert not scene.workers.idle()
    assert scene.hear(SignOfLife({"key": key, "done": 2, "total": 9}), SignOfLife({"key": key, "made": True})) == [
        ("a", Progress(2, 9)),
        ("a", StoreMade()),
    ]
    assert scene.hear(Over(key, Painted())) == [("a", Painted())]
    assert scene.workers.idle() == [worker]


def test_nothing_is_given_before_all_that_were_there_first_have_come(scene: Scene) -> None:
    """One of them may still be at a task of a daemon that was killed."""
    assert scene.hear(Members(frozenset("ab"))) == []
    scene.cluster.introduce("a")
    assert scene.hear() == []
    assert not scene.workers.idle()
    scene.cluster.introduce("b")
    assert sorted(scene.hear()) == [("a", MODEL), ("b", MODEL)]
    assert len(scene.workers.idle()) == 2
    scene.hear(Members(frozenset("abc")))  # who comes later is waited for by nobody
    assert len(scene.workers.idle()) == 2


def test_a_worker_with_another_weights_file_is_refused_and_stops_nobody(scene: Scene) -> None:
    assert scene.serve("a") == [("a", MODEL)]
    scene.hear(Members(frozenset("ab")))
    key = next(key for address, key, _, _ in scene.cluster.given if address == "b")
    other = Ready("classical", "cd" * 32)
    assert scene.hear(Over(key, Introduced(other, "host of b", 7))) == []
    assert [worker.address for worker in scene.workers.idle() if isinstance(worker, ClusterWorker)] == ["a"]
    assert scene.workers.waits_for is None
    scene.hear(Members(frozenset("b")))
    assert "host of b has loaded the weights classical (cdcdcdcdcdcd), the others classical (abababababab)" in str(
        scene.workers.waits_for
    )


def test_of_a_worker_that_computes_otherwise_the_runtime_is_what_is_to_be_named(scene: Scene) -> None:
    assert scene.serve("a") == [("a", MODEL)]
    scene.hear(Members(frozenset("ab")))
    key = next(key for address, key, _, _ in scene.cluster.given if address == "b")
    scene.hear(Over(key, Introduced(Ready(f"{MODEL.model_name}.bfloat16", "cd" * 32), "host of b", 7)))
    scene.hear(Members(frozenset("b")))
    said = str(scene.workers.waits_for)
    assert (
        "host of b has loaded the weights classical.bfloat16 (cdcdcdcdcdcd), the others classical (abababababab): "
        in said
    )
    assert "name as [engine] runtime one that all can have, such as 'tensorflow'" in said


@pytest.mark.parametrize("end", ["leaves", "refuses", "is silent"])
def test_one_of_the_first_that_does_not_come_does_not_keep_the_others(scene: Scene, end: str) -> None:
    scene.hear(Members(frozenset("ab")))
    scene.cluster.introduce("a")
    key = next(key for address, key, _, _ in scene.cluster.given if address == "b")
    if end == "leaves":
        heard = scene.hear(Members(frozenset("a")))
    elif end == "refuses":
        heard = scene.hear(Over(key, CannotServe("host b does not see /out")))
    else:
        scene.hear()
        scene.now = 121.0
        heard = scene.hear(Members(frozenset("ab")))
    assert heard == [("a", MODEL)]


def test_a_lost_worker_is_told_and_its_late_answer_changes_nothing(scene: Scene) -> None:
    scene.serve("a", "b")
    worker, key = scene.give()
    other = next(one for one in "ab" if one != worker.address)
    [(address, death)] = scene.hear(Members(frozenset(other)))
    assert address == worker.address
    assert isinstance(death, Lost)
    assert death.killed
    assert "is no longer in the cluster" in death.reason
    assert not scene.workers.is_gone(death)
    scene.now = 31.0
    assert scene.workers.is_gone(death)
    assert scene.hear(SignOfLife({"key": key, "done": 3, "total": 9}), Over(key, Painted())) == []
    [again] = [one for one in scene.workers.idle() if isinstance(one, ClusterWorker)]
    assert again.address == other


def test_an_idle_worker_that_leaves_is_ordinary(scene: Scene) -> None:
    scene.serve("a", "b")
    assert scene.hear(Members(frozenset("a"))) == []
    assert [one.address for one in scene.workers.idle() if isinstance(one, ClusterWorker)] == ["a"]


def test_one_that_leaves_as_it_is_spoken_to_is_told_of_until_another_serves(scene: Scene) -> None:
    """A worker of Dask without this program, or with another version of it, falls over what it cannot read."""
    scene.hear(Members(frozenset("a")))
    scene.hear(Members(frozenset()))
    assert "has no workers (a left when it was spoken to" in str(scene.workers.waits_for)
    scene.serve("b")
    scene.hear(Members(frozenset()))
    assert "has no workers: start one" in str(scene.workers.waits_for)


def test_a_scheduler_that_goes_and_comes_back_is_waited_for(scene: Scene) -> None:
    scene.serve("a")
    scene.give()
    [(_, death)] = scene.hear(Away("connection refused"))
    assert isinstance(death, Lost)
    assert "does not answer (connection refused)" in str(scene.workers.waits_for)
    assert scene.serve("a") == [("a", MODEL)]
    assert scene.workers.idle()


def test_a_silent_worker_is_given_up(scene: Scene) -> None:
    scene.serve("a")
    _, key = scene.give()
    scene.now = 99.0
    assert scene.hear(SignOfLife({"key": key, "done": 1, "total": 9})) == [("a", Progress(1, 9))]
    scene.now = 198.0
    assert scene.hear() == []
    scene.now = 200.0
    [(_, death)] = scene.hear()
    assert isinstance(death, Lost)
    assert "said nothing for 100 s" in death.reason
    assert scene.cluster.back == [key]


def test_what_dask_could_not_do_is_a_loss_and_the_worker_is_introduced_again(scene: Scene) -> None:
    scene.serve("a")
    _, key = scene.give()
    [(_, death)] = scene.hear(Over(key, error="KilledWorker: gone"))
    assert isinstance(death, Lost)
    assert not scene.workers.idle()
    assert scene.serve("a") == [("a", MODEL)]


def test_a_worker_that_cannot_see_the_output_is_named_and_the_others_serve(scene: Scene) -> None:
    scene.hear(Members(frozenset("ab")))
    key = next(key for address, key, _, _ in scene.cluster.given if address == "b")
    scene.hear(Over(key, CannotServe("host b does not see /out: mount it there.")))
    scene.cluster.introduce("a")
    assert scene.hear() == [("a", MODEL)]
    assert scene.workers.waits_for is None
    scene.hear(Members(frozenset("b")))
    assert "can be used: host b does not see /out" in str(scene.workers.waits_for)


def test_a_worker_that_cannot_run_the_program_is_named_once_and_asked_again_in_a_while(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """As one that is not `nusetd worker`, or of another version: Dask itself cannot read what it is given."""
    caplog.set_level(logging.WARNING, "nusetd")
    fault = "ModuleNotFoundError: No module named 'daemon'"
    scene.hear(Members(frozenset("a")))
    assert scene.hear(Over(scene.cluster.given[-1][1], error=fault)) == []
    reason = str(scene.workers.waits_for)
    assert "the worker a could not run this program (ModuleNotFoundError" in reason
    assert "nusetd worker --scheduler tcp://127.0.0.1:8786" in reason
    scene.hear(Members(frozenset("a")))
    assert len(scene.cluster.given) == 1, "it was asked again at once"
    scene.now = 31.0
    scene.hear()
    scene.hear()
    assert len(scene.cluster.given) == 2
    assert scene.workers.waits_for == reason, "nothing has changed yet"
    scene.hear(Over(scene.cluster.given[-1][1], error=fault))
    scene.now = 62.0
    scene.hear()
    assert scene.hear(Over(scene.cluster.given[-1][1], Introduced(MODEL, "host of a", 7))) == [("a", MODEL)]
    assert scene.workers.waits_for is None
    assert scene.workers.idle()
    assert sum("a worker cannot be used" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("after", ["a folder was mounted", "other weights"])
def test_a_refused_worker_serves_once_its_reason_is_gone(scene: Scene, after: str) -> None:
    scene.serve("a")
    scene.hear(Members(frozenset("ab")))
    scene.hear(Over(scene.cluster.given[-1][1], CannotServe("host b does not see /out: mount it there.")))
    assert len(scene.workers.idle()) == 1
    if after == "other weights":
        scene.workers.use("others")
        scene.cluster.introduce("a")
    else:
        scene.now = 31.0
    scene.hear()
    key = [key for address, key, _, _ in scene.cluster.given if address == "b"][-1]
    scene.hear(Over(key, Introduced(MODEL, "host of b", 8)))
    assert len(scene.workers.idle()) == 2


def test_one_that_is_ended_gives_its_memory_back_and_is_introduced_anew(scene: Scene) -> None:
    scene.serve("a")
    worker, key = scene.give()
    scene.workers.end(worker)
    assert scene.cluster.back == [key]
    assert [function for _, _, function, _ in scene.cluster.given[-2:]] == [at_worker.let_go, at_worker.introduce]
    assert not scene.workers.idle()


def test_what_reads_the_database_stays_here(scene: Scene) -> None:
    scene.serve("a")
    [far] = scene.workers.idle()
    near = Worker(EngineSetup("x:y", "weights", None, later=True), 10.0, lambda: 0.0)
    for step in ("track", "finish", "replay", "correct"):
        assert scene.workers.can(near, step)
        assert not scene.workers.can(far, step)
    for step in ("analyse", "paint", "choose channel"):
        assert scene.workers.can(far, step)
        assert not scene.workers.can(near, step)


def test_every_step_of_the_pipeline_is_done_somewhere() -> None:
    from daemon.pipeline import FLOW, Runner

    assert {step.name for step in FLOW if step.by is Runner.WORKER} >= dask_workers.NEAR_STEPS


def test_other_weights_are_loaded_by_all_and_one_that_cannot_says_so(scene: Scene) -> None:
    scene.serve("a", "b")
    scene.cluster.given.clear()
    scene.workers.use("others")
    assert scene.workers.weights == "others"
    assert not scene.workers.idle()
    assert {arguments[0].weights for _, _, _, arguments in scene.cluster.given} == {"others"}
    first, second = ((address, key) for address, key, _, _ in scene.cluster.given)
    assert scene.hear(Over(first[1], Introduced(MODEL, "host", 7))) == [(first[0], MODEL)]
    refused = CannotServe("there are no such weights.")
    assert scene.hear(Over(second[1], refused)) == [(second[0], refused)]
