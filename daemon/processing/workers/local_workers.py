"""Workers that are processes of this machine: started, given tasks, heard, and replaced when they die or hang."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from selectors import EVENT_READ, EpollSelector

from daemon import logs
from daemon.children.child import Child, ChildGoneError
from daemon.processing.engine_factory import QUIET_ENGINE
from daemon.processing.messages import CannotServe, EngineSetup, Message, Progress, Ready, StoreMade, Task
from daemon.processing.workers.protocol import Awaited, Died, Event
from daemon.processing.workers.stores_lock import StoresLock

_KILLED = "signal SIGKILL"
_PATIENCE_S = 5.0  # what a worker may take to die by itself
_HEARD = 32  # messages that are taken from a worker before the first of them is acted on
_ROUND_S = 1.0  # how often those that say nothing are looked after


class Worker:
    """One worker process at a time, started anew when it is needed.

    Parameters
    ----------
    setup : EngineSetup
    silence_s : float
        A worker that has a task and says nothing for this long hangs, and is killed.
    clock : callable
        Steady seconds.
    """

    def __init__(self, setup: EngineSetup, silence_s: float, clock: Callable[[], float]) -> None:
        self._setup = setup
        self._silence_s = silence_s
        self._child: Child[Task, Message] = Child("daemon.processing.worker", clock, QUIET_ENGINE)
        self.model: Ready | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None when no worker runs."""
        return self._child.pid

    @property
    def connection(self) -> Connection | None:
        """What to wait for when there is nothing else to do."""
        return self._child.connection

    @property
    def task(self) -> Task | None:
        """What it is at."""
        return next(iter(self._child.given), None)

    @property
    def idle(self) -> bool:
        """True when the engine is loaded and no task is under way."""
        return self.pid is not None and self.model is not None and self.task is None

    @property
    def weights(self) -> str:
        """What it is started with."""
        return self._setup.weights

    def use(self, weights: str) -> None:
        """End the process; the next start loads these weights."""
        self.stop()
        self.model = None
        self._setup = replace(self._setup, weights=weights)

    @property
    def dying(self) -> frozenset[int]:
        """Process ids of those before it that were killed and are not gone yet."""
        return self._child.dying

    def start(self, *held: int) -> None:
        """Start the process, which inherits the descriptors `held`; it says `Ready` when its engine is loaded."""
        self.model = None
        self._child.start(self._setup, held=held)

    def give(self, task: Task) -> None:
        """Hand a task to an idle worker; one that just died says so with the next `events`."""
        assert self.task is None
        self._child.give(task)

    def events(self, wait_s: float) -> Iterator[Event]:
        """What the worker said, waiting at most `wait_s` for the first word; `Died` is the last word of a worker."""
        try:
            while (message := self._child.hear(wait_s)) is not None:
                wait_s = 0.0
                if isinstance(message, Ready):
                    self.model = message
                elif not isinstance(message, (Progress, StoreMade, CannotServe)):
                    self._child.answered()
                yield message
        except ChildGoneError:
            yield self._died()
            return
        if self.pid is not None and self._child.silent_s > self._silence_s and not self.idle:
            pid = self.pid
            self.kill()
            how = self._child.blame(_PATIENCE_S).how
            self.model = None
            yield Died(f"The program that segments said nothing for {self._silence_s:g} s ({how})", pid=pid)

    def kill(self) -> None:
        """End the process at once; redoing what it did is safe at any moment."""
        self._child.kill()

    def stop(self, patience_s: float = _PATIENCE_S) -> None:
        """Let an idle worker end by itself, and kill a busy one."""
        if not self.idle:
            self.kill()
        self._child.blame(patience_s)
        self._child.reap(patience_s)

    def _died(self) -> Died:
        self.model, pid = None, self.pid
        how = self._child.blame(_PATIENCE_S).how
        return Died(f"The program that segments died ({how})", how == _KILLED, pid)


class LocalWorkers:
    """A fixed number of processes, each started anew when it died.

    Parameters
    ----------
    workers : sequence of Worker
    lock : StoresLock, optional
        None is started before it can be had.
    """

    def __init__(self, workers: Sequence[Worker], lock: StoresLock | None = None) -> None:
        self._workers = list(workers)
        self._lock = lock
        self._selector = EpollSelector()
        self._watched: dict[Worker, int] = {}  # the descriptor of each pipe: it is needed when the pipe is closed
        self._next_round = float("-inf")
        self._said = False

    @property
    def all(self) -> Sequence[Worker]:
        """All of them, in order of their numbers."""
        return self._workers

    @property
    def told(self) -> Sequence[Awaited]:
        """One thing to wait for, however many they are."""
        return [self._selector.fileno()] if self._watched else []

    @property
    def waits_for(self) -> str | None:
        """Why none is started yet."""
        if self._lock is None or self._lock.descriptor is not None:
            return None
        return "the workers of a service that was killed have not ended yet"

    @property
    def weights(self) -> str:
        """With which they are started."""
        return self._workers[0].weights

    def use(self, weights: str) -> None:
        """End all of them; the next start loads these weights."""
        for worker in self._workers:
            self._forget(worker)
            worker.use(weights)

    def start(self) -> None:
        """Start those that do not run."""
        if all(worker.pid is not None for worker in self._workers):
            return
        if self._lock is not None and not self._lock.take():
            if not self._said:
                logs.warning("workers wait", reason=self.waits_for)
            self._said = True
            return
        held = [] if self._lock is None or self._lock.descriptor is None else [self._lock.descriptor]
        for worker in self._workers:
            if worker.pid is None:
                worker.start(*held)
                self._watch(worker)

    def idle(self) -> Sequence[Worker]:
        """Those that have their engine loaded, and no task."""
        return [worker for worker in self._workers if worker.idle]

    def can(self, worker: Worker, step: str) -> bool:
        """All can do everything."""
        return True

    def give(self, worker: Worker, task: Task) -> None:
        """Hand it a task."""
        worker.give(task)

    def hear(self, wait_s: float) -> Iterator[tuple[Worker, Event]]:
        """What those say who have something to say; of the others it is looked now and then whether they hang."""
        spoke = self._workers
        if len(self._workers) > 1:
            spoke, wait_s = self._ready(wait_s), 0.0
        for worker in spoke:
            for count, event in enumerate(worker.events(wait_s), start=1):
                yield worker, event
                if count == _HEARD:
                    break
            if worker.pid is None:
                self._forget(worker)

    def is_gone(self, death: Died) -> bool:
        """True once the kernel has let go of its process."""
        return death.pid is None or not any(death.pid in worker.dying for worker in self._workers)

    def end(self, worker: Worker | None = None) -> None:
        """End one, or all and let others have the stores."""
        for one in self._workers if worker is None else [worker]:
            self._forget(one)
            one.stop()
        if worker is None and self._lock is not None:
            self._lock.release()

    def _ready(self, wait_s: float) -> list[Worker]:
        spoke = {key.data for key, _ in self._selector.select(wait_s)} if self._watched else set()
        now = time.monotonic()
        if now < self._next_round:
            return [worker for worker in self._workers if worker in spoke or worker not in self._watched]
        self._next_round = now + _ROUND_S
        return self._workers

    def _watch(self, worker: Worker) -> None:
        self._forget(worker)
        if worker.connection is not None:
            self._watched[worker] = worker.connection.fileno()
            self._selector.register(self._watched[worker], EVENT_READ, worker)

    def _forget(self, worker: Worker) -> None:
        descriptor = self._watched.pop(worker, None)
        if descriptor is not None:
            self._selector.unregister(descriptor)
