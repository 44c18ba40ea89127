"""Carries time points through the pipeline: one at a time, from the database's queue to the worker and back.

The same for the service and for `nusetd process`. What was left half done by a killed process is found at the start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.crew import Died, Event, Worker
from daemon.errors import EngineFailedError
from daemon.messages import Analysed, AnalyseTask, CannotStart, Failed, Painted, PaintTask, Progress, Ready
from storage.errors import StaleJobError, StorageError
from storage.jobs import AcquisitionState, TimepointState

if TYPE_CHECKING:
    from storage.catalog import Catalog
    from storage.rows import AcquisitionRow, TimepointJob

_FINISHED = frozenset({AcquisitionState.COMPLETE, AcquisitionState.PARTIAL, AcquisitionState.SET_ASIDE})
_WAITING = frozenset({TimepointState.QUEUED, TimepointState.RUNNING})


@dataclass(frozen=True)
class Patience:
    """How often and how soon a failed time point is tried again.

    Attributes
    ----------
    crashes : int
        Attempts in which the worker may die before the time point is set aside.
    attempts : int
        Attempts at something that may pass, such as a share that does not answer.
    pause_s : float
        Pause before the second attempt; each further pause is twice as long.
    """

    crashes: int = 2
    attempts: int = 5
    pause_s: float = 30.0


@dataclass(frozen=True)
class Seen:
    """What an observer of the conductor is told: `what` happened to a time point (None: to the acquisition)."""

    what: str
    acquisition: AcquisitionRow
    t: int | None = None
    done: int = 0
    total: int = 0
    reason: str | None = None


class Conductor:
    """Gives the worker its tasks and brings home what it did.

    Parameters
    ----------
    catalog : Catalog
    worker : Worker
    patience : Patience, optional
    observer : callable, optional
        Told what happens, for progress bars.
    """

    def __init__(
        self,
        catalog: Catalog,
        worker: Worker,
        patience: Patience | None = None,
        observer: Callable[[Seen], None] | None = None,
    ) -> None:
        self._catalog = catalog
        self._worker = worker
        self._patience = patience or Patience()
        self._observer = observer or (lambda seen: None)
        self._job: TimepointJob | None = None
        self._painting: tuple[int, int] | None = None
        self._to_paint: set[int] = set()
        self._ended: set[int] = set()  # nothing more will come of these, and they are not finished yet
        self._to_check: set[int] = set()  # those of them that may have become ready to be finished
        self._final: set[int] = set()  # those of them whose tracks are final
        self._deaths_without_work = 0
        self.deaths = 0  # of workers
        self.model: Ready | None = None  # stays when the worker dies: its successor loads the same
        self.stopping = False

    @property
    def working(self) -> bool:
        """True while the worker has a task."""
        return self._job is not None or self._painting is not None

    @property
    def working_on(self) -> str | None:
        """The time point under way, for people."""
        return None if self._job is None else f"{self._job.acquisition.name} t={self._job.t}"

    @property
    def winding_down(self) -> bool:
        """True while there is something that a stop should wait for."""
        return self.working or (bool(self._to_paint) and self._worker.idle)

    @property
    def owing(self) -> bool:
        """True while the worker has a task, paint is owed, or an acquisition that has ended is not finished."""
        return self.working or bool(self._to_paint) or bool(self._ended)

    def recover(self) -> None:
        """Take up what a killed process left: queue again what was running, show what was committed.

        Only to be called when the worker is ready: its lock says that no other one writes any more.
        """
        self._requeue("queued again after an interruption")
        for row in self._catalog.acquisitions():
            if row.zarr_path is None:
                continue
            for t in self._catalog.unpublished(row.id):
                logs.info("published after an interruption", acquisition=row.name, t=t)
                pipeline.publish(self._catalog, row, t)
            self._to_paint.add(row.id)

    def abandon(self) -> None:
        """The worker has been ended for good: what it was working on waits for the next start."""
        self._requeue("abandoned, done anew at the next start")
        self._job = self._painting = None

    def end(self, acquisition_id: int) -> None:
        """Nothing more will come of this acquisition: finish it when its last time point is done."""
        self._ended.add(acquisition_id)
        self._to_check.add(acquisition_id)

    def reopen(self, acquisition_id: int) -> None:
        """Wait no longer for its end: more came after all, or it has been finished."""
        for known in (self._ended, self._to_check, self._final):
            known.discard(acquisition_id)

    def step(self, wait_s: float) -> None:
        """Hear what the worker has to say, waiting at most `wait_s`, and give it the next task.

        Raises
        ------
        EngineFailedError
            When the engine cannot be loaded: nothing can be processed.
        """
        if self._worker.pid is None and not self.stopping:
            self._worker.start()
        for event in self._worker.events(wait_s):
            self._hear(event)
        if self._worker.idle and self.stopping:
            self._give_paint()
        elif self._worker.idle:
            self._assign()

    def _requeue(self, what: str) -> None:
        for acquisition_id, t in self._catalog.requeue_running():
            row = self._catalog.acquisition(acquisition_id)
            logs.info(what, acquisition=row.name, t=t)
            pipeline.sweep(row)

    def _hear(self, event: Event) -> None:
        if isinstance(event, CannotStart):
            raise EngineFailedError(event.reason)
        if isinstance(event, Ready):
            self.model = event
            logs.info("engine is ready", model=event.model_name, sha256=event.model_sha256[:12], pid=self._worker.pid)
            self.recover()
        elif isinstance(event, Progress):
            if self._job is not None:
                self._tell("slices", self._job, done=event.done, total=event.total)
        elif isinstance(event, Died):
            self._bury(event)
        elif self._painting is not None:
            self._painted(event)
        elif self._job is not None:
            self._settle(event)

    def _assign(self) -> None:
        """The next task: paint that is owed, else the next time point, else the end of what has ended."""
        if self._give_paint():
            return
        while self._to_check and not self._to_paint:
            self._finish_if_done(self._to_check.pop())
        if self._to_paint:
            return
        job = self._catalog.claim_next()
        if job is None:
            return
        if self.model is not None and job.acquisition.model_sha256 != self.model.model_sha256:
            reason = f"It was begun with other weights ({job.acquisition.model_name}): process its file anew."
            self._catalog.fail_timepoint(job, reason, retry=False)
            return
        self._job = job
        self._tell("started", job)
        self._worker.give(AnalyseTask(job.acquisition, job.t))

    def _settle(self, event: Event) -> None:
        job, self._job = self._job, None
        assert job is not None
        self._deaths_without_work = 0
        if isinstance(event, Analysed):
            self._commit(job, event)
        elif isinstance(event, Failed):
            again = event.may_pass and job.attempts < self._patience.attempts
            self._give_back(job, event.reason, again, self._patience.pause_s * 2 ** (job.attempts - 1))
        if job.acquisition.id in self._ended:
            self._to_check.add(job.acquisition.id)

    def _commit(self, job: TimepointJob, analysed: Analysed) -> None:
        name, t = job.acquisition.name, job.t
        try:
            done = pipeline.commit(self._catalog, job, analysed)
        except StaleJobError as error:
            logs.warning("result dropped", acquisition=name, t=t, reason=error)
            return
        if not done:
            logs.info("source changed while it was processed", acquisition=name, t=t)
            return
        self._to_paint.add(job.acquisition.id)
        count = len(analysed.nuclei.table)
        logs.info("time point done", acquisition=name, t=t, nuclei=count, seconds=sum(analysed.timings.values()))
        self._tell("done", job, done=count)

    def _give_back(self, job: TimepointJob, reason: str, again: bool, pause_s: float) -> None:
        try:
            self._catalog.fail_timepoint(job, reason, retry=again, pause_s=pause_s)
        except StaleJobError as error:
            logs.warning("result dropped", acquisition=job.acquisition.name, t=job.t, reason=error)
            return
        what = "time point is tried again" if again else "time point is set aside"
        logs.warning(what, acquisition=job.acquisition.name, t=job.t, attempt=job.attempts, reason=reason)
        self._tell("again" if again else "failed", job, reason=reason)

    def _bury(self, death: Died) -> None:
        """The worker is gone: its task is tried once more, then set aside; the next step starts another worker."""
        self.deaths += 1
        logs.error("worker died", reason=death.reason)
        job, self._job, self._painting = self._job, None, None
        if job is None:
            self._deaths_without_work += 1
            if self._deaths_without_work >= 3:
                raise EngineFailedError(f"{death.reason} three times before it did any work: see the log above.")
            return
        again = job.attempts < self._patience.crashes
        self._give_back(job, f"{death.reason} while it worked on this time point.", again, pause_s=0.0)
        if job.acquisition.id in self._ended:
            self._to_check.add(job.acquisition.id)

    def _give_paint(self) -> bool:
        while self._to_paint:
            acquisition_id = min(self._to_paint)
            owed = self._catalog.unpainted_final(acquisition_id)
            if owed:
                t, track_of = owed[0]
                path = self._catalog.acquisition(acquisition_id).zarr_path
                self._painting = (acquisition_id, t)
                self._worker.give(PaintTask(str(path), t, track_of))
                return True
            self._to_paint.discard(acquisition_id)
        return False

    def _painted(self, event: Event) -> None:
        painting, self._painting = self._painting, None
        assert painting is not None
        acquisition_id, t = painting
        if isinstance(event, Painted):
            self._catalog.mark_painted(acquisition_id, t)
        elif isinstance(event, Failed):
            # Not tried again before the next commit of this acquisition, or the next start.
            logs.error("tracks not painted", acquisition=acquisition_id, t=t, reason=event.reason)
            self._to_paint.discard(acquisition_id)

    def _finish_if_done(self, acquisition_id: int) -> None:
        """The end of an acquisition in two steps: its tracks become final, and when they are painted it is complete."""
        if any(point.state in _WAITING for point in self._catalog.timepoints(acquisition_id)):
            return  # asked again after its next time point
        row = self._catalog.acquisition(acquisition_id)
        try:
            if row.state in _FINISHED:
                self.reopen(acquisition_id)
            elif acquisition_id not in self._final:
                pipeline.finish(self._catalog, row)
                self._final.add(acquisition_id)
                self._to_paint.add(acquisition_id)
                self._to_check.add(acquisition_id)
            else:
                self._complete(acquisition_id)
        except StorageError as error:
            self.reopen(acquisition_id)
            logs.error("acquisition cannot be finished", acquisition=row.name, reason=error)

    def _complete(self, acquisition_id: int) -> None:
        row = self._catalog.complete_acquisition(acquisition_id)
        self.reopen(acquisition_id)
        logs.info("acquisition finished", acquisition=row.name, state=row.state, reason=row.error)
        self._observer(Seen("finished", row, reason=row.error))

    def _tell(self, what: str, job: TimepointJob, done: int = 0, total: int = 0, reason: str | None = None) -> None:
        self._observer(Seen(what, job.acquisition, job.t, done, total, reason))
