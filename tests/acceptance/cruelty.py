"""`kill -9` of service and worker at random moments while files arrive.

Moments are drawn in processor seconds of what is starting, and in time points done, not in seconds of the clock: so the
kills hit the same places on a fast machine and on a busy one.
"""

from __future__ import annotations

import os
import random
import signal
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import sleep

from lab import SHAPE, Lab, stack, write_stack

ENDLESS = {"acquisition_quiet_s": 3600.0}
START_CPU_S = 1.5  # what service and worker take to start, each
_WORKERS_PER_SERVICE = 6  # at most so many workers are killed before their service is
_TURN = 10  # the balls of the movie turn round after so many time points
_PATIENCE_S = 600.0
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


def write_time_point(lab: Lab, t: int) -> None:
    """Write the file of one time point; no two are alike, and the nuclei stay within the picture."""
    image = stack(abs((t + _TURN) % (2 * _TURN) - _TURN), shape=SHAPE)
    write_stack(lab.incoming / f"exp_t{t:03d}.tif", image + t)


def finish(lab: Lab) -> None:
    """Let the service end the acquisition, and stop it."""
    lab.config.write_text(lab.config.read_text().replace("acquisition_quiet_s = 3600.0", "acquisition_quiet_s = 1.0"))
    lab.start()
    lab.wait(lab.settled, _PATIENCE_S)
    assert lab.stop() == 0, lab.said()


class Kills(ABC):
    """Kills until the number is reached, while the microscopes write their files, spread over the kills.

    Parameters
    ----------
    lab : Lab
        Made with the options `ENDLESS`.
    kills, seed : int
    """

    def __init__(self, lab: Lab, kills: int, seed: int) -> None:
        self.killed = self.of_workers = 0
        self._lab, self._kills = lab, kills
        self._chance = random.Random(seed)
        self._read_from = 0

    def run(self) -> Iterator[int]:
        """Yield after every kill how many time points are done."""
        while self.killed < self._kills:
            self._read_from = self._lab.log.stat().st_size if self._lab.log.exists() else 0
            self._lab.start()
            yield from self._life()
            self._lab.kill()
            self.killed += 1
            yield self._lab.done()
        self.write_rest()

    @abstractmethod
    def write_rest(self) -> None:
        """Write the files that are still missing."""

    @abstractmethod
    def _life(self) -> Iterator[int]:
        """What happens to a service that was started until it is killed: yields after each kill of another process."""

    def _said(self) -> bytes:
        """What was logged since the last start, or what counts as one."""
        with self._lab.log.open("rb") as log:
            log.seek(self._read_from)
            return log.read()


class Cruelty(Kills):
    """Of one worker and its service, over one series.

    Parameters
    ----------
    time_points : int
    lab, kills, seed
        As of `Kills`.
    """

    def __init__(self, lab: Lab, time_points: int, kills: int, seed: int) -> None:
        super().__init__(lab, kills, seed)
        self.written = 0
        self._time_points = time_points
        self._deaths_at: Counter[int] = Counter()  # of workers, by the time points that were done, in this service

    def write_rest(self) -> None:
        """Write the files that are still missing."""
        while self.written < self._time_points:
            self._write()

    def _life(self) -> Iterator[int]:
        self._deaths_at.clear()
        if self._chance.random() < 0.3:
            self._wait_for_cpu(self._service_pid)
            return
        self._wait_until_ready()
        for _ in range(self._chance.randint(0, _WORKERS_PER_SERVICE)):
            self._work()
            if self.killed < self._kills - 1 and self._kill_worker():
                yield self._lab.done()
        self._work()

    def _service_pid(self) -> int:
        assert self._lab.process is not None
        return self._lab.process.pid

    def _write(self) -> None:
        write_time_point(self._lab, self.written)
        self.written += 1

    def _work(self) -> None:
        """Files arrive, some time points are done, and then a little more happens."""
        while self.written < min(self._time_points, 2 + self._time_points * self.killed // self._kills):
            self._write()
        done = self._lab.done()
        more = self._chance.choices((0, 1, 2), (0.3, 0.4, 0.3))[0] + (2 if self.written - done > 4 else 0)
        target = min(done + more, self.written)
        self._lab.wait(lambda: self._lab.done() >= target, _PATIENCE_S)
        sleep(self._chance.uniform(0.0, 0.3))

    def _kill_worker(self) -> bool:
        """Kill the worker, now or while its successor starts; often twice at one time point.

        Not more often by one service: the fourth time sets a time point aside, by design.
        """
        done = self._lab.done()
        if self._deaths_at[done] == 2:
            return False
        self._deaths_at[done] += 1
        pid = self._awaited_worker()
        self._read_from = self._lab.log.stat().st_size
        with suppress(ProcessLookupError):  # it died by itself meanwhile
            os.kill(pid, signal.SIGKILL)
        self.killed += 1
        self.of_workers += 1
        if self._chance.random() < 0.3:
            self._wait_for_cpu(self._worker_pid)
        else:
            self._wait_until_ready()
        return True

    def _awaited_worker(self) -> int:
        """A worker that may have to be started first: one can die just as it says that it is ready."""
        pid = 0

        def is_there() -> bool:
            nonlocal pid
            pid = self._worker_pid()
            return pid > 0

        self._lab.wait(is_there, _PATIENCE_S)
        return pid

    def _worker_pid(self) -> int:
        """The worker, 0 while there is none."""
        try:
            return self._lab.worker_pid()
        except (StopIteration, FileNotFoundError):
            return 0

    def _is_ready(self) -> bool:
        """Whether the engine of the worker that was started last is loaded."""
        return b"engine is ready" in self._said()

    def _wait_until_ready(self) -> None:
        self._lab.wait(self._is_ready, _PATIENCE_S)

    def _wait_for_cpu(self, pid: Callable[[], int]) -> None:
        """Wait until a process that starts has used a random part of what its start takes, or has started."""
        moment = self._chance.uniform(0.0, START_CPU_S)
        self._lab.wait(lambda: _cpu_s(pid()) >= moment or self._is_ready(), _PATIENCE_S)


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process so far; 0 when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * _TICK_S
