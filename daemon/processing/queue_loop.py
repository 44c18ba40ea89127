"""Carries time points through the pipeline: one at a time, from the database's queue to the worker and back.

The same for the service and for `nusetd process`. What was left half done by a killed process is found at the start.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.errors import EngineFailedError
from daemon.processing.messages import (
    Analysed,
    AnalyseTask,
    CannotStart,
    Cause,
    Failed,
    Painted,
    PaintTask,
    Progress,
    Ready,
)
from daemon.processing.recovery import recover
from daemon.processing.retry_policy import RetryPolicy
from daemon.processing.worker_client import Died, Event, Worker
from storage.errors import DatabaseUnavailableError, StaleJobError, StorageError
from storage.schema.states import FINISHED

if TYPE_CHECKING:
    from daemon.processing.crash_record import CrashRecord
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow, TimepointJob


@dataclass(frozen=True)
class Seen:
    """What an observer of the queue loop is told: `what` happened to a time point (None: to the acquisition)."""

    what: str
    acquisition: AcquisitionRow
    t: int | None = None
    done: int = 0
    total: int = 0
    reason: str | None = None


class QueueLoop:
    """Gives the worker its tasks and brings home what it did.

    Parameters
    ----------
    catalog : Catalog
    worker : Worker
    retry_policy : RetryPolicy, optional
    observer : callable, optional
        Told what happens, for progress bars.
    reachable : callable, optional
        Says whether a source can be there at all: False while its watched folder is offline.
    look_again : callable, optional
        Told of files that changed while they were read.
    clock : callable, optional
        Steady seconds.
    crash_record : CrashRecord, optional
        Notes what is brought home, in case that kills this process.
    """

    def __init__(
        self,
        catalog: Catalog,
        worker: Worker,
        retry_policy: RetryPolicy | None = None,
        observer: Callable[[Seen], None] | None = None,
        reachable: Callable[[Path], bool] = lambda source: True,
        look_again: Callable[[Iterable[Path]], None] = lambda files: None,
        clock: Callable[[], float] = time.monotonic,
        crash_record: CrashRecord | None = None,
    ) -> None:
        self._catalog = catalog
        self._worker = worker
        self._retry_policy = retry_policy or RetryPolicy()
        self._observer = observer or (lambda seen: None)
        self._reachable = reachable
        self._look_again = look_again
        self._clock = clock
        self._crash_record = crash_record
        self._heard: deque[Event] = deque()  # what was heard and not brought home: the database may be away
        self._job: TimepointJob | None = None
        self._to_publish: dict[tuple[int, int], AcquisitionRow] = {}
        self._to_sweep: dict[int, AcquisitionRow] = {}  # a worker died while it wrote there
        self._stalled = 0  # failures in a row to write results
        self._stalled_until = float("-inf")
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
        """True while the worker has a task, or did one that is not brought home."""
        return self._job is not None or self._painting is not None

    @property
    def working_on(self) -> str | None:
        """The time point under way, for people."""
        return None if self._job is None else f"{self._job.acquisition.name} t={self._job.t}"

    @property
    def winding_down(self) -> bool:
        """True while there is something that a stop should wait for."""
        return self.working or (bool(self._to_paint) and self._worker.idle and not self._is_stalled())

    @property
    def owing(self) -> bool:
        """True while the worker has a task, paint is owed, or an acquisition that has ended is not finished."""
        return self.working or bool(self._to_paint) or bool(self._ended)

    def abandon(self) -> None:
        """The worker has been ended for good: what it was working on waits for the next start."""
        for acquisition_id, t in self._catalog.requeue_running():
            row = self._catalog.acquisition(acquisition_id)
            logs.info("abandoned, done anew at the next start", acquisition=row.name, t=t)
            pipeline.sweep(row)
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
        DatabaseUnavailableError
            When the database refuses; nothing is lost, the next step goes on where this one stopped.
        """
        self._bring_home()
        if self._worker.pid is None and not self.stopping:
            self._worker.start()
        for event in self._worker.events(wait_s):
            self._hear(event)
        self._bring_home()
        if self._worker.idle and not self.working and not self._is_stalled():
            self._publish_owed()
            if self.stopping:
                self._give_paint()
            else:
                self._assign()

    def _hear(self, event: Event) -> None:
        if isinstance(event, CannotStart):
            raise EngineFailedError(event.reason)
        if isinstance(event, Progress):
            if self._job is not None:
                self._tell("slices", self._job, done=event.done, total=event.total)
        else:
            self._heard.append(event)

    def _bring_home(self) -> None:
        """Act on what was heard; what the database refuses is acted on again by the next step."""
        while self._heard:
            event = self._heard[0]
            if isinstance(event, Ready):
                self._begin(event)
            elif isinstance(event, Died):
                self._bury(event)
            elif self._painting is not None:
                self._painted(event)
            elif self._job is not None:
                self._settle(event)
            self._heard.popleft()

    def _begin(self, ready: Ready) -> None:
        """A worker is ready, and its lock says that no other one writes any more: take up what a killed one left."""
        owed = recover(self._catalog, self._to_sweep.values(), everywhere=self.model is None)
        self._to_sweep.clear()
        self._to_publish.update(owed.to_publish)
        self._to_paint.update(owed.to_paint)
        self.model = ready
        logs.info("engine is ready", model=ready.model_name, sha256=ready.model_sha256[:12], pid=self._worker.pid)

    def _assign(self) -> None:
        """The next task: paint that is owed, else the next time point, else the end of what has ended."""
        if self._give_paint():
            return
        while self._to_check and not self._to_paint:
            number = min(self._to_check)
            self._to_check.discard(number)
            try:
                self._finish_if_done(number)
            except DatabaseUnavailableError:
                self._to_check.add(number)
                raise
        if self._to_paint:
            return
        job = self._catalog.claim_next()
        if job is None:
            return
        self._job = job
        if self.model is not None and job.acquisition.model_sha256 != self.model.model_sha256:
            reason = f"It was begun with other weights ({job.acquisition.model_name}): process its file anew."
            self._heard.append(Failed(reason, Cause.INPUT))
        elif not self._reachable(Path(job.acquisition.source_path)):
            self._heard.append(Failed("Its watched folder is offline.", Cause.GONE))
        else:
            self._tell("started", job)
            self._worker.give(AnalyseTask(job.acquisition, job.t, job.fingerprint))

    def _settle(self, event: Event) -> None:
        job = self._job
        assert job is not None
        if isinstance(event, Analysed):
            self._commit(job, event)
            self._stalled = 0
        elif isinstance(event, Failed):
            self._fail(job, event)
        self._job = None
        self._deaths_without_work = 0
        if job.acquisition.id in self._ended:
            self._to_check.add(job.acquisition.id)

    def _fail(self, job: TimepointJob, failed: Failed) -> None:
        allowed = self._retry_policy.allowed(failed.cause)
        if failed.cause is Cause.GONE and not self._reachable(Path(job.acquisition.source_path)):
            allowed = None
        again = allowed is None or job.attempts < allowed
        pause_s = self._retry_policy.pause(job.attempts)
        if failed.cause is Cause.MACHINE:
            pause_s = 0.0  # the whole queue waits
        self._give_back(job, failed.reason, again, pause_s, counts=allowed is not None)
        if failed.cause is Cause.MACHINE:
            self._stall(failed.reason)
        elif failed.cause is Cause.CHANGED:
            self._look_again(failed.files)
        elif failed.cause is Cause.MEMORY:
            self._worker.stop()  # what it holds is given back with it; the next step starts another one

    def _stall(self, reason: str) -> None:
        """Results cannot be written: nothing is begun for a while that grows."""
        self._stalled += 1
        pause_s = self._retry_policy.pause(self._stalled)
        self._stalled_until = self._clock() + pause_s
        logs.error("results cannot be written, everything waits", seconds=pause_s, reason=reason)

    def _is_stalled(self) -> bool:
        return self._clock() < self._stalled_until

    def _commit(self, job: TimepointJob, analysed: Analysed) -> None:
        name, t = job.acquisition.name, job.t
        try:
            with nullcontext() if self._crash_record is None else self._crash_record.around(job):
                done = pipeline.commit(self._catalog, job, analysed)
        except StaleJobError as error:
            logs.warning("result dropped", acquisition=name, t=t, reason=error)
            return
        except DatabaseUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001  # a fault of ours must not cost more than this time point
            logs.log.exception("a fault in nusetd stopped a time point")
            cause = Cause.MEMORY if isinstance(error, MemoryError) else Cause.INPUT
            self._fail(job, Failed(f"A fault in nusetd stopped this time point ({error!r}).", cause))
            return
        if not done:
            logs.info("source changed while it was processed", acquisition=name, t=t)
            return
        self._to_publish[(job.acquisition.id, job.t)] = job.acquisition
        self._to_paint.add(job.acquisition.id)
        count = len(analysed.nuclei.table)
        logs.info("time point done", acquisition=name, t=t, nuclei=count, seconds=sum(analysed.timings.values()))
        self._tell("done", job, done=count)

    def _publish_owed(self) -> None:
        """Show readers what is committed; the disk may refuse now and allow later."""
        for (acquisition_id, t), row in list(self._to_publish.items()):
            try:
                pipeline.publish(self._catalog, row, t)
            except DatabaseUnavailableError:
                raise
            except (StorageError, OSError) as error:
                logs.error("time point not shown", acquisition=row.name, t=t, reason=error)
                self._stall(str(error))
                return
            del self._to_publish[(acquisition_id, t)]

    def _give_back(self, job: TimepointJob, reason: str, again: bool, pause_s: float, counts: bool = True) -> None:
        try:
            self._catalog.fail_timepoint(job, reason, retry=again, pause_s=pause_s, counts=counts)
        except StaleJobError as error:
            logs.warning("result dropped", acquisition=job.acquisition.name, t=job.t, reason=error)
            return
        what = "time point is tried again" if again else "time point is set aside"
        logs.warning(what, acquisition=job.acquisition.name, t=job.t, attempt=job.attempts, reason=reason)
        self._tell("again" if again else "failed", job, reason=reason)

    def _bury(self, death: Died) -> None:
        """The worker is gone: its task is tried once more, then set aside; the next step starts another worker."""
        job, painting, self._painting = self._job, self._painting, None
        if job is None:
            self.deaths += 1
            logs.error("worker died", reason=death.reason)
            self._deaths_without_work += 1
            if painting is not None and self._deaths_without_work == 2:
                self._to_paint.discard(painting[0])  # not tried again before its next commit, or the next start
                self._deaths_without_work = 0
            if self._deaths_without_work >= 3:
                raise EngineFailedError(f"{death.reason} three times before it did any work: see the log above.")
            return
        again = job.attempts < self._retry_policy.crashes
        self._give_back(job, f"{death.reason} while it worked on this time point.", again, pause_s=0.0)
        self.deaths += 1
        logs.error("worker died", reason=death.reason)
        self._to_sweep[job.acquisition.id] = job.acquisition
        self._job = None
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
        assert self._painting is not None
        acquisition_id, t = self._painting
        if isinstance(event, Painted):
            self._catalog.mark_painted(acquisition_id, t)
            self._stalled = 0
        elif isinstance(event, Failed):
            logs.error("tracks not painted", acquisition=acquisition_id, t=t, reason=event.reason)
            if event.cause is Cause.MACHINE:
                self._stall(event.reason)
            else:  # not tried again before the next commit of this acquisition, or the next start
                self._to_paint.discard(acquisition_id)
        self._painting = None

    def _finish_if_done(self, acquisition_id: int) -> None:
        """The end of an acquisition in two steps: its tracks become final, and when they are painted it is complete."""
        if self._catalog.is_waiting(acquisition_id):
            return  # asked again after its next time point
        row = self._catalog.acquisition(acquisition_id)
        try:
            if row.state in FINISHED:
                self.reopen(acquisition_id)
            elif acquisition_id not in self._final:
                pipeline.finish(self._catalog, row)
                self._final.add(acquisition_id)
                self._to_paint.add(acquisition_id)
                self._to_check.add(acquisition_id)
            else:
                self._complete(acquisition_id)
        except DatabaseUnavailableError:
            raise
        except Exception:  # noqa: BLE001  # the other acquisitions go on
            self.reopen(acquisition_id)
            logs.log.exception("acquisition cannot be finished", extra={"fields": {"acquisition": row.name}})

    def _complete(self, acquisition_id: int) -> None:
        row = self._catalog.complete_acquisition(acquisition_id)
        self.reopen(acquisition_id)
        logs.info("acquisition finished", acquisition=row.name, state=row.state, reason=row.error)
        self._observer(Seen("finished", row, reason=row.error))

    def _tell(self, what: str, job: TimepointJob, done: int = 0, total: int = 0, reason: str | None = None) -> None:
        self._observer(Seen(what, job.acquisition, job.t, done, total, reason))
