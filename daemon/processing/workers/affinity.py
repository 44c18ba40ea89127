"""Which of several idle workers gets a task: the one that has open what it needs."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.processing.messages import AnalyseTask, ChooseTask, Task, TrackTask
from daemon.processing.workers.protocol import WorkerHandle


class Affinity:
    """What each worker has open: the source of an acquisition, and trackers.

    Any worker can do any task; the right one saves that a source is opened, or a tracker's state read, once more.
    """

    def __init__(self) -> None:
        self._opened: dict[WorkerHandle, int] = {}
        self._trackers: dict[int, WorkerHandle] = {}

    def nearest(self, idle: Sequence[WorkerHandle], acquisition_id: int, tracks: bool) -> WorkerHandle:
        """Return the one of the idle workers for a task about an acquisition: one that has it open, else a fresh one.

        `tracks` says that it is about its tracks.
        """
        tracker = self._trackers.get(acquisition_id)
        if tracks and tracker is not None and tracker in idle:
            return tracker
        return min(idle, key=lambda worker: self._distance(worker, acquisition_id))

    def given(self, worker: WorkerHandle, acquisition_id: int, task: Task) -> None:
        """It has this open from now on."""
        if isinstance(task, AnalyseTask | ChooseTask):
            self._opened[worker] = acquisition_id
        elif isinstance(task, TrackTask):
            self._trackers[acquisition_id] = worker

    def forget(self, worker: WorkerHandle) -> None:
        """Its process is gone, with all that it had open."""
        self._opened.pop(worker, None)
        for number in [number for number, known in self._trackers.items() if known is worker]:
            del self._trackers[number]

    def _distance(self, worker: WorkerHandle, acquisition_id: int) -> int:
        opened = self._opened.get(worker)
        return 0 if opened == acquisition_id else 1 if opened is None else 2
