"""The daemon's side of its worker: starts it, hands it tasks, notices when it died or hangs, and replaces it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection

from daemon.children.child import Child, ChildGoneError
from daemon.processing.engine_factory import QUIET_ENGINE
from daemon.processing.messages import CannotServe, EngineSetup, Message, Progress, Ready, StoreMade, Task
from daemon.processing.workers.protocol import Died, Event

__all__ = ["Died", "Event", "Worker"]

_KILLED = "signal SIGKILL"
_PATIENCE_S = 5.0  # what a worker may take to die by itself


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
