"""The process of one job: runs its commands at the lowest priority, and holds them while the service has work to do.

It is started with the job's folder, and is alone with it: it goes on when the page ends. It is told to stop by SIGTERM,
and hands that on. The commands never outlive it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from daemon.children.parent import give_way, offer_to_the_oom_killer
from daemon.jobs.job import Job, JobReport, JobState, JobStep
from daemon.jobs.job_folders import LOG, JobFolders
from daemon.jobs.job_lock import held

LOOK_S = 2.0
_PATIENCE_S = 120.0  # for a command that keeps what it has before it ends
_TURN_S = 0.2
_PR_SET_PDEATHSIG = 1
_LOCK = "at-work.lock"
_SAID = 300  # letters of a command's last words


class Supervisor:
    """Looks after one job.

    Parameters
    ----------
    folders : JobFolders
    job : Job
    busy : callable
        Says in words what the service has to do; nothing where it has nothing to do.
    first : int
        The step to begin with.
    program : sequence of str
        What takes a step's arguments.
    """

    def __init__(
        self,
        folders: JobFolders,
        job: Job,
        busy: Callable[[], str],
        first: int = 0,
        program: Sequence[str] = (sys.executable, "-P", "-m", "daemon.cli"),
    ) -> None:
        self._folders, self._job, self._busy, self._program = folders, job, busy, program
        self._folder = folders.folder(job.id)
        self._stopping = False
        self._report = JobReport(JobState.WAITING.value, time.time(), first, os.getpid())

    def stop(self) -> None:
        """End soon, and keep what there is."""
        self._stopping = True

    def run(self) -> int:
        """Run all steps; the exit code of the last one."""
        self._say(JobState.WAITING)
        code, left = 0, range(self._report.step, len(self._job.steps))
        with self._turn():
            for number in left:
                if self._stopping:
                    break
                self._report = replace(self._report, step=number)
                code = self._run(self._job.steps[number])
                if code != 0:
                    break
            else:
                self._say(JobState.DONE)
                return 0
        if self._stopping:
            self._say(JobState.STOPPED)
        else:
            self._say(JobState.FAILED, self._last_words(code))
        return code

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other job is at work, or until told to stop."""
        with (self._folders.root / _LOCK).open("a") as lock:
            while not self._stopping:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    time.sleep(_TURN_S)
                    continue
                break
            yield

    def _run(self, step: JobStep) -> int:
        self._say(JobState.RUNNING)
        output = self._folder / step.output if step.output else None
        with (self._folder / LOG).open("ab") as log, (output or Path(os.devnull)).open("wb") as result:
            process = subprocess.Popen(
                [*self._program, *step.arguments],
                stdin=subprocess.DEVNULL,
                stdout=result if output else log,
                stderr=log,
                env=_few_cores(self._job.cores),
                preexec_fn=_end_with_me(os.getpid()),
            )
            return self._watched(process)

    def _watched(self, process: subprocess.Popen[bytes]) -> int:
        """Hold the command and let it go on as the service's queue fills and empties, until it ends."""
        held, looked, told_at = False, float("-inf"), 0.0
        while process.poll() is None:
            now = time.monotonic()
            if self._stopping:
                if not told_at:
                    self._say(JobState.STOPPING)
                    process.send_signal(signal.SIGTERM)
                    process.send_signal(signal.SIGCONT)
                    told_at = now
                elif now - told_at > _PATIENCE_S:
                    process.kill()
            elif now - looked > LOOK_S:
                looked, why = now, self._busy()
                if bool(why) != held:
                    held = bool(why)
                    process.send_signal(signal.SIGSTOP if held else signal.SIGCONT)
                    self._say(JobState.PAUSED if held else JobState.RUNNING, why)
            time.sleep(_TURN_S)
        return process.returncode

    def _say(self, state: JobState, why: str = "") -> None:
        self._report = replace(self._report, state=state.value, at=time.time(), why=why)
        self._folders.report(self._job.id, self._report)

    def _last_words(self, code: int) -> str:
        """Why a command failed: what it last wrote, or by which signal it ended."""
        if code < 0:
            return f"It was ended by {signal.Signals(-code).name}; where that is SIGKILL, memory may have run out."
        with (self._folder / LOG).open("rb") as log:
            log.seek(max(os.fstat(log.fileno()).st_size - 4096, 0))
            lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1][-_SAID:] if lines else f"It ended with exit code {code}, and said nothing."


def _end_with_me(parent: int) -> Callable[[], None]:
    """Give what a command calls before it begins, so that the kernel ends it with its parent, however that ends."""
    library = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _few_cores(cores: int) -> dict[str, str]:
    """An environment in which libraries compute on so many cores."""
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(cores)), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}


def service_work(database: str) -> str:
    """What waits in the queue of a service that runs; nothing where none does, or the database cannot be asked."""
    from datetime import UTC, datetime

    from daemon.monitoring.status import look
    from storage.errors import StorageError

    try:
        status = look(database, datetime.now(UTC))
    except StorageError:
        return ""
    waiting = status.pace.waiting - status.pace.paused
    if not status.runs or waiting <= 0:
        return ""
    points = "1 time point waits" if waiting == 1 else f"{waiting} time points wait"
    return f"{points} for the service: this goes on when none does."


def main() -> int:
    """Run the job whose folder, and first step, are given."""
    folder, first = Path(sys.argv[1]), int(sys.argv[2])
    folders = JobFolders(folder.parent)
    database = os.environ.get("NUSETD_DATABASE", "")
    give_way()
    offer_to_the_oom_killer()
    with held(folder) as mine:
        if not mine:
            return 1  # another process has begun it meanwhile
        supervisor = Supervisor(
            folders, folders.job(folder.name), lambda: service_work(database) if database else "", first
        )
        signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
