"""Workers of this machine, and one process more for what a person waits for while all of them are at long stacks.

It is started when there is such work and nobody is idle, has the network loaded only if a correction asks for it, stays
for a while, and ends. It writes labels of time points that are done, which no worker does meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait

from daemon import logs
from daemon.processing.messages import AnalyseTask, CannotServe, Cause, Failed, Progress, Ready, StoreMade, Task
from daemon.processing.workers.local_workers import LocalWorkers, Worker
from daemon.processing.workers.protocol import Awaited, Died, Event
from daemon.processing.workers.stores_lock import StoresLock

KEPT_S = 60.0
"""How long the helper stays without work: a person who corrects says more."""

LIMIT_S = 300.0
"""A helper that says nothing for so long hangs: what it does takes seconds."""


class HelpedWorkers:
    """Workers that are never too busy for corrections.

    Parameters
    ----------
    workers : LocalWorkers
    helper : Worker
        Started when it is needed; loads its engine later.
    lock : StoresLock
        That of the workers, which the helper inherits.
    clock : callable
        Steady seconds.
    """

    def __init__(self, workers: LocalWorkers, helper: Worker, lock: StoresLock, clock: Callable[[], float]) -> None:
        self._workers = workers
        self._helper = helper
        self._lock = lock
        self._clock = clock
        self._owes = False  # an answer
        self._rests_since = 0.0

    @property
    def all(self) -> Sequence[Worker]:
        """The workers; the helper does no time points."""
        return self._workers.all

    @property
    def told(self) -> Sequence[Awaited]:
        """What to wait for."""
        helps = self._helper.connection
        return [*self._workers.told, *([] if helps is None else [helps])]

    @property
    def waits_for(self) -> str | None:
        """Why no worker is started yet."""
        return self._workers.waits_for

    @property
    def weights(self) -> str:
        """With which all of them are started."""
        return self._workers.weights

    def use(self, weights: str) -> None:
        """End all of them; the next start loads these weights."""
        self._let_go()
        self._helper.use(weights)
        self._workers.use(weights)

    def start(self) -> None:
        """Start the workers that do not run."""
        self._workers.start()

    def idle(self) -> Sequence[Worker]:
        """Those that have no task; the helper where all others have one."""
        idle = self._workers.idle()
        return idle or ([self._helper] if self._may_help else [])

    @property
    def _may_help(self) -> bool:
        """False as well while one before it, which was killed, may still write."""
        busy = any(worker.task is not None for worker in self._workers.all)
        return busy and not self._owes and not self._helper.dying

    def can(self, worker: Worker, step: str) -> bool:
        """Say that the helper corrects, and paints what follows from that; the others do everything."""
        if worker is not self._helper:
            return self._workers.can(worker, step)
        return step == "correct" or (step == "paint" and self._helper.pid is not None)

    def give(self, worker: Worker, task: Task) -> None:
        """Hand it a task; the helper is started for its first one."""
        if worker is self._helper:
            if self._helper.pid is None:
                self._helper.start(*([] if self._lock.descriptor is None else [self._lock.descriptor]))
                logs.info("corrections are carried out beside the workers", pid=self._helper.pid)
            self._helper.give(task)
            self._owes = True
            return
        if isinstance(task, AnalyseTask) and task.frugal:  # it gets the memory that others hold
            self._let_go()
        self._workers.give(worker, task)

    def hear(self, wait_s: float) -> Iterator[tuple[Worker, Event]]:
        """What they say, waiting at most `wait_s` for the first word."""
        if self._helper.pid is None:
            yield from self._workers.hear(wait_s)
            return
        wait(self.told, wait_s)
        yield from self._workers.hear(0.0)
        for event in self._helper.events(0.0):
            yield from self._passed_on(event)
        if not self._owes and self._clock() - self._rests_since > KEPT_S:
            self._let_go()

    def is_gone(self, death: Died) -> bool:
        """True once the kernel has let go of its process."""
        return death.pid not in self._helper.dying and self._workers.is_gone(death)

    def end(self, worker: Worker | None = None) -> None:
        """End one, or all and let others have the stores."""
        if worker is None or worker is self._helper:
            self._let_go()
        if worker is not self._helper:
            self._workers.end(worker)

    def _passed_on(self, event: Event) -> Iterator[tuple[Worker, Event]]:
        """Give what concerns its task; that a helper without one ended changes nothing."""
        if isinstance(event, Ready):
            return
        if isinstance(event, Progress | StoreMade):
            yield self._helper, event
            return
        owed, self._owes, self._rests_since = self._owes, False, self._clock()
        if isinstance(event, CannotServe):
            event = Failed(event.reason, Cause.CRASH)
        if owed:
            yield self._helper, event

    def _let_go(self) -> None:
        """End it at once: redoing what it did is safe at any moment."""
        self._owes = False
        if self._helper.pid is not None:
            self._helper.kill()
            self._helper.stop()
