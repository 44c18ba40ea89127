"""Starting a job's process, and telling it to stop."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from threading import Lock

from daemon.errors import DaemonError
from daemon.jobs.job import JobState
from daemon.jobs.job_folders import LOG, JobFolders
from daemon.jobs.job_lock import is_held

_PATIENCE_S = 30.0
_PAUSE_S = 0.05


class Starter:
    """Starts jobs that live on when this process ends.

    Parameters
    ----------
    folders : JobFolders
    database : str
        URL of the database of the service that goes first; handed on by the environment, as it may hold a password.
    """

    def __init__(self, folders: JobFolders, database: str) -> None:
        self._folders, self._database = folders, database
        self._lock = Lock()
        self._started: set[int] = set()

    def start(self, number: str, first: int = 0) -> None:
        """Start a job, or have it go on from one of its steps.

        Raises
        ------
        DaemonError
            When there is no such job, it is at work, or its process does not come to life.
        """
        folder = self._folders.folder(number)
        with self._lock:
            self._bury()
            if is_held(folder):
                raise DaemonError("The job is at work already.")
            pid = _spawned(folder, first, self._database)
            self._started.add(pid)
            end = time.monotonic() + _PATIENCE_S
            while self._folders.reported(number).pid != pid:
                self._bury()
                if pid not in self._started or time.monotonic() > end:
                    raise DaemonError(f"The job's process does not come to life: see {folder / LOG}.")
                time.sleep(_PAUSE_S)

    def _bury(self) -> None:
        """Let go of processes that have ended."""
        for pid in list(self._started):
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended = pid
            if ended:
                self._started.discard(pid)

    def stop(self, number: str) -> None:
        """Tell a job to stop; it keeps what it has.

        Raises
        ------
        DaemonError
            When there is no such job, or it is not at work.
        """
        folder = self._folders.folder(number)
        report = self._folders.reported(number)
        if not JobState(report.state).is_alive or not is_held(folder):
            raise DaemonError("The job is not at work.")
        os.kill(report.pid, signal.SIGTERM)


def _spawned(folder: Path, first: int, database: str) -> int:
    """Start the process that looks after a job, in a session of its own; return its id."""
    command = [sys.executable, "-P", "-m", "daemon.jobs.supervisor", str(folder), str(first)]
    log = (os.POSIX_SPAWN_OPEN, 1, str(folder / LOG), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    streams = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), log, (os.POSIX_SPAWN_DUP2, 1, 2)]
    environment = {**os.environ, "NUSETD_DATABASE": database}
    return os.posix_spawn(sys.executable, command, environment, file_actions=streams, setsid=True)
