"""A worker that is played by the test: it takes tasks, and says what the test puts into its mouth."""

from __future__ import annotations

from collections.abc import Iterator

from daemon.processing.messages import AnalyseTask, Progress, Ready, ReplayTask, StoreMade, Task, TrackTask
from daemon.processing.tracker_cache import TrackerCache
from daemon.processing.worker import answer
from daemon.processing.workers.local_workers import LocalWorkers
from daemon.processing.workers.protocol import Died, Event

MODEL = Ready("test", "0" * 64)


class EngineOfTests:
    """What a worker has loaded, without a network."""

    def __init__(self) -> None:
        self.trackers = TrackerCache()


class Actor:
    """Plays the worker."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.engine = EngineOfTests()
        self.model: Ready | None = None
        self.task: Task | None = None
        self.given: list[Task] = []
        self.lines: list[Event] = []
        self.stopped = 0
        self.dying: frozenset[int] = frozenset()
        self.connection = None  # there is nothing to wait for
        self.tracks = self.makes_stores = True
        self.waited: list[float] = []
        self.weights = MODEL.model_name
        self.loads: dict[str, Event] = {MODEL.model_name: MODEL}  # what it says after a start with which weights

    @property
    def idle(self) -> bool:
        return self.model is not None and self.task is None

    def start(self, *held: int) -> None:
        self.pid, self.lines = 1, [self.loads[self.weights]]

    def use(self, weights: str) -> None:
        self.stop()
        self.weights = weights

    def kill(self) -> None:
        """What it was at is left; `stop` follows."""
        self.task = None

    def stop(self) -> None:
        self.pid = self.model = self.task = None
        self.stopped += 1

    def give(self, task: Task) -> None:
        """Tracking is done as the worker does it, at once; the rest is up to the test."""
        self.task = task
        self.given.append(task)
        if isinstance(task, TrackTask | ReplayTask) and self.tracks:
            self.lines.append(answer(task, self.engine, lambda message: None))  # type: ignore[arg-type]
        if isinstance(task, AnalyseTask) and self.makes_stores:
            self.lines.append(StoreMade())

    def events(self, wait_s: float) -> Iterator[Event]:
        self.waited.append(wait_s)
        lines, self.lines = self.lines, []
        for line in lines:
            if isinstance(line, Ready):
                self.model = line
            elif isinstance(line, Died):
                self.pid = self.model = self.task = None
            elif not isinstance(line, Progress | StoreMade):
                self.task = None
            yield line


def cast(*actors: Actor) -> LocalWorkers:
    """The workers that actors play."""
    return LocalWorkers(actors)  # type: ignore[arg-type]
