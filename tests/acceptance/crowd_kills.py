"""`kill -9` of several workers, their scheduler and their service at random moments, over several acquisitions at once.

Moments are drawn in time points done and in fractions of what one takes, so that kills hit what is starting, what is
under way and what is being committed alike.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from time import sleep

from cases.dask_cluster import DaskCluster
from cruelty import Kills, finish
from lab import SHAPE, Lab, stack, write_stack

__all__ = ["ClusterKills", "CrowdKills", "finish", "write_files"]

_PATIENCE_S = 600.0
_AGAIN = re.compile(rb"time point is tried again acquisition=(\S+) t=(\d+) .*(?:SIGKILL|The worker )")
_MOST = 3  # kills over one time point by one service: the fourth sets it aside, by design


def write_files(lab: Lab, acquisitions: int, first: int, end: int) -> None:
    """Write the files of time points `first` to `end`, exclusive, of each acquisition; no two are alike."""
    for t in range(first, end):
        for number in range(acquisitions):
            image = stack(abs((t + 10) % 20 - 10), seed=number + 1, shape=SHAPE)
            write_stack(lab.incoming / f"cell{number}_t{t:03d}.tif", image + t)


class CrowdKills(Kills):
    """Of several workers and their service.

    Parameters
    ----------
    acquisitions, time_points : int
        How many there are, and of how many files each.
    lab, kills, seed
        As of `Kills`; the lab has several workers.
    """

    def __init__(self, lab: Lab, acquisitions: int, time_points: int, kills: int, seed: int) -> None:
        super().__init__(lab, kills, seed)
        self._acquisitions, self._time_points = acquisitions, time_points
        self._written = 0

    def _life(self) -> Iterator[int]:
        for _ in range(self._chance.randint(0, 6)):
            self._work()
            if self.killed + 1 < self._kills and max(self._killed_over().values(), default=0) < _MOST:
                self._kill_another()
                self.killed += 1
                yield self._lab.done()
        self._work()

    def write_rest(self) -> None:
        """Write the files that are still missing."""
        self._write(self._time_points)

    def _write(self, end: int) -> None:
        write_files(self._lab, self._acquisitions, self._written, end)
        self._written = max(self._written, end)

    def _work(self) -> None:
        """Files arrive, some time points are done or a worker starts, and then a little more happens."""
        self._write(min(self._time_points, 2 + self._time_points * self.killed // self._kills))
        done = self._lab.done()
        target = min(done + self._chance.randint(0, 4), self._written * self._acquisitions)
        self._lab.wait(lambda: self._lab.done() >= target, _PATIENCE_S)
        sleep(self._chance.uniform(0.0, 0.4))

    def _kill_another(self) -> None:
        """Kill a process that is not the service."""
        pids: list[int] = []

        def are_there() -> bool:
            with suppress(FileNotFoundError):  # one has just gone
                pids[:] = self._lab.worker_pids()
            return bool(pids)

        self._lab.wait(are_there, _PATIENCE_S)
        with suppress(ProcessLookupError):  # it died by itself meanwhile
            os.kill(self._chance.choice(pids), signal.SIGKILL)
        self.of_workers += 1

    def _killed_over(self) -> Counter[bytes]:
        """How often workers of this service were killed, by the time point that they were at."""
        return Counter(b" ".join(found.groups()) for found in _AGAIN.finditer(self._said()))


class ClusterKills(CrowdKills):
    """Of the workers of a Dask cluster, its scheduler, which is started again at once, and the service.

    Parameters
    ----------
    cluster : DaskCluster
        Its scheduler and workers run.
    others
        As of `CrowdKills`; the lab works with the cluster.
    """

    def __init__(
        self, cluster: DaskCluster, lab: Lab, acquisitions: int, time_points: int, kills: int, seed: int
    ) -> None:
        super().__init__(lab, acquisitions, time_points, kills, seed)
        self.of_schedulers = 0
        self._cluster = cluster

    def _kill_another(self) -> None:
        number = self._chance.randrange(2 * len(self._cluster.workers))
        if number < len(self._cluster.workers) and self._cluster.kill_task_process(number):
            self.of_workers += 1
        elif self._chance.random() < 0.5:
            self._cluster.kill_scheduler()
            self._cluster.start_scheduler()
            self.of_schedulers += 1
        else:
            self._lab.wait(self._kill_any, _PATIENCE_S)
            self.of_workers += 1

    def _kill_any(self) -> bool:
        """Kill the first worker of which a process is there; a killed one has none until its nanny starts another."""
        return any(map(self._cluster.kill_task_process, range(len(self._cluster.workers))))
