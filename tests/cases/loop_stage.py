"""A queue loop over a database with one acquisition, and a worker that is played by the test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cases.actor import MODEL, Actor, cast
from cases.stored import Clock
from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.processing.messages import Analysed, AnalyseTask, Painted, PaintTask, Task
from daemon.processing.queue_loop import QueueLoop, Seen
from daemon.processing.recipe import Recipe
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.workers.protocol import Event
from nuset_engine.nuclei import Nuclei
from storage import readers
from storage.database.catalog import Catalog
from storage.schema.states import TimepointState


class Stage:
    """A queue loop with its actor, over a database with one acquisition of three time points."""

    def __init__(self, root: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        files = []
        for t in range(3):
            files.append(root / f"a_t{t}.tif")
            tifffile.imwrite(files[-1], np.zeros((16, 16), np.uint16))
        (acquisition,) = readers.open_acquisitions(files)
        self.row = pipeline.admit(catalog, acquisition, Recipe(MODEL, Processing()), root / "out")
        self.catalog, self.seen = catalog, list[Seen]()
        self.clock = Clock()  # of the database; `now` is the loop's
        self.published: list[int] = []
        monkeypatch.setattr(pipeline, "publish", self.publish)
        monkeypatch.setattr(pipeline, "show_tracks", lambda catalog, row, t: catalog.mark_painted(row.id, t))
        self.swept: list[int] = []
        monkeypatch.setattr(pipeline, "sweep", lambda row, owner, *left: self.swept.append(row.id))
        self.reachable, self.now, self.looked_again = True, 0.0, list[Path]()
        self.begin()

    def begin(self) -> None:
        """A loop with a new worker, as after a start."""
        self.actor = Actor()
        self.queue_loop = QueueLoop(
            self.catalog,
            cast(self.actor),
            RetryPolicy(pause_s=0.0),
            self.seen.append,
            lambda source: self.reachable,
            self.looked_again.extend,
            lambda: self.now,
        )

    def patience(self, pause_s: float) -> None:
        """Pauses are of this length from now on."""
        books = self.queue_loop._books
        books.retry_policy = books.stall.retry_policy = RetryPolicy(pause_s=pause_s)

    def publish(self, catalog: Catalog, row: object, t: int) -> None:
        self.published.append(t)
        catalog.mark_published(self.row.id, t)

    def step(self, *lines: Event) -> Task | None:
        self.actor.lines += lines
        self.queue_loop.step(0.0)
        return self.actor.task

    def analysed(self) -> Analysed:
        assert isinstance(self.actor.task, AnalyseTask)
        return Analysed(Nuclei.empty(self.actor.task.t, "px"), {"segment_s": 1.0})

    def states(self) -> list[TimepointState]:
        return [point.state for point in self.catalog.timepoints(self.row.id)]


def play_to_the_end(stage: Stage, limit: int = 40) -> None:
    idle = 0  # turns in a row: no clock moves, so that what was not due in them never will be
    for _ in range(limit):
        idle = 0 if stage.queue_loop.working else idle + 1
        if idle > 5:
            return
        task = stage.actor.task
        if isinstance(task, AnalyseTask):
            stage.step(stage.analysed())
        elif isinstance(task, PaintTask):
            stage.step(Painted())
        else:
            stage.step()


def to_an_analysis(stage: Stage) -> AnalyseTask:
    """Turn, over the pauses, until the worker has one."""
    for _ in range(20):
        if isinstance(stage.actor.task, AnalyseTask):
            return stage.actor.task
        stage.now += 100.0
        stage.clock.pass_seconds(100.0)
        stage.step()
    raise AssertionError("nothing was given to the worker")


def to_the_first_task(stage: Stage) -> AnalyseTask:
    for _ in range(20):
        if isinstance(stage.actor.task, AnalyseTask):
            return stage.actor.task
        stage.step(*([Painted()] if stage.actor.task else []))
    raise AssertionError("no time point was given to the worker")
