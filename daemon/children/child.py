"""A process of ours at the other end of a pipe: it is started, heard, ended, and its death is blamed on a request."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from daemon import logs

R = TypeVar("R")
M = TypeVar("M")
_BECOME = "daemon.children.become"


class ChildGoneError(Exception):
    """The process said its last word without being told to end."""


@dataclass(frozen=True)
class Blame(Generic[R]):
    """Over what a process ended.

    Attributes
    ----------
    how : str
        For people: ``signal SIGSEGV``, ``exit code 3``, or ``killed`` where the kernel still holds it.
    request : object or None
        The first request that was not answered: the process was at it.
    others : tuple
        Those behind it, which had no part in its end.
    """

    how: str
    request: R | None
    others: tuple[R, ...]


class Child(Generic[R, M]):
    """One process at a time, which takes requests R in order and says messages M; no method waits without a limit.

    Parameters
    ----------
    module : str
        What it runs: a module with a function `main`, which begins with `daemon.children.parent.meet`.
    clock : callable
        Steady seconds.
    environment : mapping, optional
        What is set for it where the service's own environment says nothing.
    """

    def __init__(self, module: str, clock: Callable[[], float], environment: Mapping[str, str] | None = None) -> None:
        self._module, self._clock, self._environment = module, clock, environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._heard = clock()
        self._given: deque[R] = deque()
        self._dying: list[subprocess.Popen[bytes]] = []

    @property
    def pid(self) -> int | None:
        """The process id, None when none runs."""
        return None if self._process is None else self._process.pid

    @property
    def connection(self) -> Connection | None:
        """What to wait for when there is nothing else to do."""
        return self._connection

    @property
    def given(self) -> tuple[R, ...]:
        """The requests that are not answered yet, the one under way first."""
        return tuple(self._given)

    @property
    def silent_s(self) -> float:
        """Seconds since its last word, or since it was given something to do."""
        return self._clock() - self._heard

    def start(self, *greeting: object, held: Sequence[int] = ()) -> None:
        """Start the process, which inherits the descriptors `held`, and send what it needs before its first request."""
        self._forget_the_dead()
        ours, theirs = Pipe()
        paths = os.pathsep.join(path for path in sys.path if path)
        command = [sys.executable, "-P", "-m", _BECOME, self._module, str(theirs.fileno()), str(os.getpid())]
        # Our standard output is for results, so it gets our standard error for both.
        with _undisturbed_by_the_terminal():
            self._process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(), *held),
                env={**self._environment, **os.environ, "PYTHONPATH": paths},
                stdin=subprocess.DEVNULL,
                stdout=2,
            )
        theirs.close()
        self._connection, self._heard = ours, self._clock()
        self._given.clear()
        with suppress(OSError):  # one that just died says so when it is heard
            for word in greeting:
                ours.send(word)
        logs.debug("child started", module=self._module, pid=self._process.pid)

    def give(self, request: R) -> bool:
        """Hand it a request; False when it just died, which `hear` will say."""
        assert self._connection is not None
        if not self._given:
            self._heard = self._clock()
        try:
            self._connection.send(request)
        except OSError:
            return False
        self._given.append(request)
        return True

    def hear(self, wait_s: float = 0.0) -> M | None:
        """Return its next word, None when it says nothing within `wait_s` or does not run.

        Raises
        ------
        ChildGoneError
            When it ended: `blame` tells over what, and makes room for another one.
        """
        if self._connection is None:
            return None
        try:
            if not self._connection.poll(wait_s):
                return None
            message: M = self._connection.recv()
        except (EOFError, OSError) as error:
            raise ChildGoneError from error
        self._heard = self._clock()
        return message

    def answered(self) -> R:
        """Note that the request under way is done, and return it."""
        return self._given.popleft()

    def blame(self, patience_s: float) -> Blame[R]:
        """End a process that died or hangs, and return what it was at."""
        code = self.end(patience_s)
        how = "killed" if code is None else f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        request = self._given.popleft() if self._given else None
        others = tuple(self._given)
        self._given.clear()
        return Blame(how, request, others)

    def kill(self) -> None:
        """End the process at once, without waiting for it."""
        if self._process is not None:
            self._process.kill()

    def end(self, patience_s: float) -> int | None:
        """Close the pipe, which is its sign to go, and kill it when it has not gone in time.

        Returns
        -------
        int or None
            Its exit code; None where it had to be killed, or none ran.
        """
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if process is None:
            return None
        try:
            return process.wait(patience_s)
        except subprocess.TimeoutExpired:  # a share that hangs holds it in the kernel, perhaps for hours
            process.kill()
            self._dying.append(process)
            return None

    def reap(self, patience_s: float) -> None:
        """Wait for those that were killed, `patience_s` for each."""
        for process in self._dying:
            try:
                process.wait(patience_s)
            except subprocess.TimeoutExpired:
                logs.warning("process cannot be ended", module=self._module, pid=process.pid)
        self._forget_the_dead()

    @property
    def dying(self) -> frozenset[int]:
        """Process ids of those that were killed and are not gone yet."""
        self._forget_the_dead()
        return frozenset(process.pid for process in self._dying)

    @property
    def dies(self) -> bool:
        """True while one that was killed is not gone yet: the kernel holds it, with its share."""
        self._forget_the_dead()
        return bool(self._dying)

    def _forget_the_dead(self) -> None:
        self._dying = [process for process in self._dying if process.poll() is None]


@contextmanager
def _undisturbed_by_the_terminal() -> Iterator[None]:
    """Processes that are started inside are not reached by Ctrl-C, which comes to all of a terminal's, before they
    say that it is the parent's to handle; it gets its own afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
