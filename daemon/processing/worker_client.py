"""The daemon's side of its worker: starts it, hands it tasks, notices when it died or hangs, and replaces it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from daemon import logs
from daemon.processing.engine_factory import QUIET_ENGINE
from daemon.processing.messages import CannotStart, EngineSetup, Message, Progress, Ready, Task


@dataclass(frozen=True)
class Died:
    """The worker is gone without an answer; `reason` is for people."""

    reason: str


Event = Message | Died


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
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._heard = clock()
        self.model: Ready | None = None
        self.task: Task | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None when no worker runs."""
        return None if self._process is None else self._process.pid

    @property
    def connection(self) -> Connection | None:
        """What to wait for when there is nothing else to do."""
        return self._connection

    @property
    def idle(self) -> bool:
        """True when the engine is loaded and no task is under way."""
        return self.pid is not None and self.model is not None and self.task is None

    def start(self) -> None:
        """Start the process; it says `Ready` when its engine is loaded."""
        ours, theirs = Pipe()
        environment = {**QUIET_ENGINE, **os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        command = [sys.executable, "-P", "-m", "daemon.processing.worker", str(theirs.fileno()), str(os.getpid())]
        # Its standard output is ours for results, so it gets our standard error for both.
        self._process = subprocess.Popen(
            command, pass_fds=(theirs.fileno(),), env=environment, stdin=subprocess.DEVNULL, stdout=2
        )
        theirs.close()
        self._connection, self.model, self.task, self._heard = ours, None, None, self._clock()
        ours.send(self._setup)
        logs.debug("worker started", pid=self._process.pid)

    def give(self, task: Task) -> None:
        """Hand a task to an idle worker."""
        assert self._connection is not None
        assert self.task is None
        self.task, self._heard = task, self._clock()
        try:
            self._connection.send(task)
        except OSError:
            return  # it just died: the next `events` says so

    def events(self, wait_s: float) -> Iterator[Event]:
        """What the worker said, waiting at most `wait_s` for the first word; `Died` is the last word of a worker."""
        if self._connection is None:
            return
        while self._connection is not None and self._connection.poll(wait_s):
            wait_s = 0.0
            try:
                message: Message = self._connection.recv()
            except (EOFError, OSError):
                yield self._buried("The program that segments died")
                return
            self._heard = self._clock()
            if isinstance(message, Ready):
                self.model = message
            elif not isinstance(message, (Progress, CannotStart)):
                self.task = None
            yield message
        if self.pid is not None and self._clock() - self._heard > self._silence_s and not self.idle:
            self.kill()
            yield self._buried(f"The program that segments said nothing for {self._silence_s:g} s")

    def kill(self) -> None:
        """End the process at once; redoing what it did is safe at any moment."""
        if self._process is not None:
            self._process.kill()

    def stop(self, patience_s: float = 5.0) -> None:
        """Let an idle worker go home, and end a busy one."""
        if self._process is None:
            return
        if self.task is not None or self.model is None:
            self.kill()
        self._close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process, self.task = None, None

    def _buried(self, what: str) -> Died:
        assert self._process is not None
        self._close()
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process, self.model = None, None
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return Died(f"{what} ({how})")

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
