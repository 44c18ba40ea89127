"""The live page beside a service: a process of its own, started again when it dies, gone when the service is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from daemon import logs
from daemon.configuration.page import PageConfig

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_STEADY_S = 120.0  # one that has lived so long was well: the next pause is the first one again
_END_S = 5.0
_LOWER = 5  # of the priorities: images are segmented first


class PageProcess:
    """Keeps a page there, whatever becomes of it; nothing that it does reaches the service.

    Parameters
    ----------
    database : str
        Its URL, handed on by the environment: it may hold a password.
    config : PageConfig
    clock : callable
        Steady seconds.
    """

    def __init__(self, database: str, config: PageConfig, clock: Callable[[], float]) -> None:
        self._database, self._config, self._clock = database, config, clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._next = float("-inf")
        self._pause_s = _FIRST_PAUSE_S

    @property
    def pid(self) -> int | None:
        """The process id, None when none runs."""
        return None if self._process is None else self._process.pid

    def turn(self) -> None:
        """Start it where it is wanted and not there."""
        now = self._clock()
        if self._process is not None and self._process.poll() is not None:
            if now - self._started_at > _STEADY_S:
                self._pause_s = _FIRST_PAUSE_S
            logs.warning(
                "the page ended, it is started again", exit_code=self._process.returncode, seconds=self._pause_s
            )
            self._process, self._next = None, now + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        if self._process is None and self._config.listen is not None and now >= self._next:
            self._start(now)

    def reconfigure(self, config: PageConfig) -> None:
        """Go on with another configuration."""
        if config != self._config:
            self.stop()
            self._config, self._next, self._pause_s = config, float("-inf"), _FIRST_PAUSE_S

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self, now: float) -> None:
        command = [sys.executable, "-P", "-m", "daemon.cli", "page", *self._config.arguments(), "--until-eof"]
        environment = {**os.environ, "NUSETD_DATABASE": self._database}
        self._started_at = now
        try:
            # Its standard input is a pipe that closes with us, however we end: it never outlives the service.
            self._process = subprocess.Popen(
                ["nice", "-n", str(_LOWER), *command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment
            )
        except OSError as error:
            logs.error("the page cannot be started", reason=error, seconds=_LONGEST_PAUSE_S)
            self._next = now + _LONGEST_PAUSE_S
            return
        logs.info("page", address=f"http://{self._config.listen}", pid=self._process.pid)
