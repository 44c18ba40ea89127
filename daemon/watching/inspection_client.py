"""The service's side of the process that looks into files: asks, hears the answers, ends it when it hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from daemon import logs
from daemon.watching.inspection import Answer, Look, Open, Request, Stuck

Then = Callable[[Answer], None]

# Requests that the process may have before it at once, so that it never waits for the next one.
_AHEAD = 16


class InspectionClient:
    """Asks one process after the other; `turn` is called often and never waits.

    Parameters
    ----------
    limit_s : float
        A file that is looked into for longer than this ends the process, and is `Stuck`.
    clock : callable
        Steady seconds.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float]) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._waiting: deque[tuple[Request, Then]] = deque()
        self._sent: deque[tuple[Request, Then]] = deque()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._heard = clock()
        self._dying: list[subprocess.Popen[bytes]] = []

    @property
    def load(self) -> int:
        """How many requests are not answered yet."""
        return len(self._waiting) + len(self._sent)

    @property
    def connection(self) -> Connection | None:
        """What to wait for when there is nothing else to do."""
        return self._connection if self._sent else None

    @property
    def pid(self) -> int | None:
        """The process id, None when none runs."""
        return None if self._process is None else self._process.pid

    def ask(self, request: Request, then: Then) -> None:
        """Have a request answered; `then` is called from a later `turn`."""
        self._waiting.append((request, then))

    def turn(self) -> None:
        """Hear what was answered, ask what waits, end what hangs."""
        self._dying = [process for process in self._dying if process.poll() is None]
        self._hear()
        if self._sent and self._clock() - self._heard > self._limit_s * _weight(self._sent[0][0]):
            self._replace(f"did not come to an end within {self._limit_s:g} s")
        self._send()

    def stop(self) -> None:
        """End the process; what was asked is forgotten."""
        self._waiting.clear()
        self._sent.clear()
        self._bury()
        for process in self._dying:
            try:
                process.wait(2.0)
            except subprocess.TimeoutExpired:  # it hangs in the kernel, with its share
                logs.warning("process that looks into files cannot be ended", pid=process.pid)

    def _hear(self) -> None:
        while self._connection is not None and self._sent:
            try:
                if not self._connection.poll(0.0):
                    return
                answer: Answer = self._connection.recv()
            except (EOFError, OSError):
                self._replace("crashed")
                return
            self._heard = self._clock()
            _, then = self._sent.popleft()
            then(answer)

    def _send(self) -> None:
        while self._waiting and len(self._sent) < _AHEAD:
            if self._process is None:
                self._start()
            assert self._connection is not None
            if not self._sent:
                self._heard = self._clock()
            try:
                self._connection.send(self._waiting[0][0])
            except OSError:
                if not self._sent:  # it died without having been asked anything: another one may do
                    self._bury()
                    continue
                return  # the next `turn` hears of it
            self._sent.append(self._waiting.popleft())

    def _replace(self, how: str) -> None:
        """The first request that is not answered is to blame; the others are asked again."""
        code = self._bury()
        request, then = self._sent.popleft()
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        name = request.path if isinstance(request, Look) else request.paths[0]
        died = f" ({signal.Signals(-code).name})" if code is not None and code < 0 and how == "crashed" else ""
        logs.warning("reader " + how, path=name)
        then(Stuck(f"The program that looks into files {how}{died} over {name}."))

    def _bury(self) -> int | None:
        """Close and kill; the exit code, None where the process still hangs in the kernel."""
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if process is None:
            return None
        try:
            code: int | None = process.wait(0.2)  # one that crashed tells how
        except subprocess.TimeoutExpired:
            process.kill()
            code = None
            self._dying.append(process)
        return code

    def _start(self) -> None:
        ours, theirs = Pipe()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        command = [
            sys.executable,
            "-P",
            "-m",
            "daemon.watching.inspection_process",
            str(theirs.fileno()),
            str(os.getpid()),
        ]
        self._process = subprocess.Popen(
            command, pass_fds=(theirs.fileno(),), env=environment, stdin=subprocess.DEVNULL, stdout=2
        )
        theirs.close()
        self._connection, self._heard = ours, self._clock()
        logs.debug("reader started", pid=self._process.pid)


def _weight(request: Request) -> int:
    """Opening many files at once may take as long as each of them may."""
    return len(request.paths) if isinstance(request, Open) else 1
