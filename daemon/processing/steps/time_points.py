"""A time point from the queue to its rows: a worker analyses it, a worker links it to the tracks, it is committed."""

from __future__ import annotations

from collections import deque
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.processing.messages import (
    STORE_CAUSES,
    Analysed,
    AnalyseTask,
    Cause,
    Failed,
    Tracked,
    TrackTask,
    fault_of_ours,
)
from daemon.processing.steps import plausible
from daemon.processing.steps.books import Books
from daemon.processing.steps.mending import mend
from nuset_engine.runtime.names import differ_by_runtime, read_as
from storage.database.analysed import Turn
from storage.errors import DatabaseUnavailableError, StaleJobError
from storage.schema.rows import AnalysedTimepoint

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow, TimepointJob

TrackedTimepoint = tuple[AnalysedTimepoint, Tracked]


class Analysing:
    """Claims time points; what is found in one goes on at once when it is the next in order, and is kept else.

    Those of archives are claimed where nothing else is ready, and `Shares` leaves them a worker.
    """

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._step = step
        self._books = books

    def due(self) -> TimepointJob | None:
        """The next time point of which the channel was looked for, or that is in the queue."""
        books = self._books
        job = books.take_alone(self._step.name) or self._claimed()
        while job is None and books.alone is None and len(books.claimed) < books.workers:
            claimed = books.catalog.claim_next(self._at_once(), books.waiting(), self._may_take_archives())
            if claimed is None:
                return None
            books.shares.claimed(claimed)
            books.output_mounts.learn(claimed.acquisition)
            books.claimed.append(claimed)
            job = self._claimed()
        return job

    def _at_once(self) -> int:
        """Time points of an acquisition that may be claimed: one for each worker, and those that wait to be done."""
        books = self._books
        tracked = {found.job.acquisition_id for found, _ in books.tracked}
        return books.workers + (len(books.analysed) + len(books.tracking | tracked) if books.workers > 1 else 0)

    def _may_take_archives(self) -> bool:
        """Say whether an archive may have one worker more."""
        books = self._books
        waits = bool(books.pending.to_publish or books.analysed or books.tracked)
        return books.shares.has_room(books.workers, waits)

    def _claimed(self) -> TimepointJob | None:
        """The first of those that are claimed and can be begun; one that is to be alone waits for the others."""
        books, waiting = self._books, self._books.waiting()
        for job in (*books.claimed,):
            if books.alone is None and job.acquisition_id not in waiting:
                may_go = books.may_go(self._step.name, job)
                if may_go or books.alone is not None:
                    books.claimed.remove(job)
                if may_go:
                    return job
        return None

    def begin(self, work: TimepointJob) -> AnalyseTask | Failed:
        """What the worker is told."""
        books, row = self._books, work.acquisition
        if books.alone is not None:
            books.alone.begun = True
        refused = refusal(books, work)
        if refused is not None:
            return refused
        away = books.output_mounts.away(row)
        if away is not None:
            return Failed(away, Cause.STORE)
        books.tell("started", row, work.t)
        owner, frugal = books.catalog.stores.owner(row), books.is_on_trial(work)
        books.making.begin(row, work.id)
        return AnalyseTask(row, work.t, work.fingerprint, owner, work.store_made, frugal, work.lease or "")

    def end(self, work: TimepointJob, result: Analysed) -> None:
        """Hand it on, or keep it until its turn comes."""
        books = self._books
        books.shares.archives.discard(work.id)
        found = AnalysedTimepoint(work, result.nuclei, dict(result.timings), dict(result.quality))
        try:
            if books.catalog.turn_of(work) is not Turn.NOW:
                books.catalog.keep(found)
                books.settled(work.acquisition_id)
                logs.info("time point waits for its turn", acquisition=work.acquisition.name, t=work.source_t)
            else:
                books.analysed.append(found)
        except StaleJobError as error:
            logs.warning("result dropped", acquisition=work.acquisition.name, t=work.source_t, reason=error)
        books.stall.over()
        books.making.made(work.acquisition)
        books.kills.pop(work.id, None)
        books.lacked_memory.discard(work.id)
        books.holds.over(work.acquisition_id)

    def fail(self, work: TimepointJob, failed: Failed) -> None:
        """Try it again, or set it aside."""
        books = self._books
        give_back(books, self._step, work, failed)
        if failed.cause in STORE_CAUSES:
            mend(books, work.acquisition, failed)

    def subject(self, work: TimepointJob) -> tuple[AcquisitionRow, int | None]:
        """The time point."""
        return work.acquisition, work.t


class Tracking:
    """One time point of each acquisition at a time."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._step = step
        self._books = books

    def due(self) -> AnalysedTimepoint | None:
        """The oldest of an acquisition whose tracks nobody works on."""
        books = self._books
        for found in books.shares.live_first(books.analysed, lambda one: one.job.acquisition_id):
            number = found.job.acquisition_id
            if number not in books.tracking and books.shares.may_work(number, books.workers):
                return found
        return None

    def begin(self, work: AnalysedTimepoint) -> TrackTask:
        """What the worker is told; the name of the state tells it whether it still has the tracker."""
        books, number = self._books, work.job.acquisition_id
        books.analysed.remove(work)
        books.tracking.add(number)
        return TrackTask(
            work.job.acquisition, books.catalog.address, books.states.get(number), books.numbers(), work.nuclei
        )

    def end(self, work: AnalysedTimepoint, result: Tracked) -> None:
        """Hand it on to be committed."""
        tracked, shares = self._books.tracked, self._books.shares
        in_order = shares.live_first([*tracked, (work, result)], lambda one: one[0].job.acquisition_id)
        tracked.clear()
        tracked.extend(in_order)

    def fail(self, work: AnalysedTimepoint, failed: Failed) -> None:
        """Make the tracks anew first, wait for the machine, or set the time point aside."""
        books, job = self._books, work.job
        if failed.cause is Cause.TRACKER:
            logs.warning("tracks made anew", acquisition=job.acquisition.name, reason=failed.reason)
            try:
                books.catalog.keep(work)
            except StaleJobError as error:
                logs.warning("result dropped", acquisition=job.acquisition.name, t=job.source_t, reason=error)
            books.to_replay.add(job.acquisition_id)
        elif failed.cause is Cause.MACHINE:
            books.analysed.append(work)
            books.stall.begin(failed.reason)
        else:
            books.give_back(self._step, job, failed)
        books.tracking.discard(job.acquisition_id)

    def subject(self, work: AnalysedTimepoint) -> tuple[AcquisitionRow, int | None]:
        """The time point."""
        return work.job.acquisition, work.job.t


class Committing:
    """The one transaction that makes a time point done."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._step = step
        self._books = books

    def due(self) -> TrackedTimepoint | None:
        """The oldest one, where nothing is corrected."""
        books, tracked = self._books, self._books.tracked
        if not tracked or books.shares.waits(tracked[0][0].job.acquisition_id) or is_corrected(books, tracked[0]):
            return None
        return tracked[0]

    def do(self, work: TrackedTimepoint) -> None:
        """Commit it; the service's own death meanwhile is counted against this time point, and no other."""
        books, (found, tracked) = self._books, work
        job = found.job
        try:
            with nullcontext() if books.crash_record is None else books.crash_record.around(job):
                done = pipeline.commit(books.catalog, found, tracked)
        except StaleJobError as error:
            logs.warning("result dropped", acquisition=job.acquisition.name, t=job.source_t, reason=error)
        else:
            self.committed(found, tracked, done)
        self.leave(work)

    def fail(self, work: TrackedTimepoint, failed: Failed) -> None:
        """It is tried again, or set aside."""
        self._books.give_back(self._step, work[0].job, failed)
        self.leave(work)

    def leave(self, work: TrackedTimepoint) -> None:
        """It is no longer the oldest one."""
        books, number = self._books, work[0].job.acquisition_id
        books.tracked.popleft()
        books.tracking.discard(number)
        books.settled(number)

    def committed(self, found: AnalysedTimepoint, tracked: Tracked, done: bool) -> None:
        """What follows from the transaction."""
        books, job = self._books, found.job
        if not done:
            logs.info("source changed while it was processed", acquisition=job.acquisition.name, t=job.source_t)
            return
        books.states[job.acquisition_id] = tracked.after
        books.endings.not_final(job.acquisition_id)
        books.pending.to_publish[job.acquisition_id, job.t] = job.acquisition
        books.pending.to_paint.add(job.acquisition_id)
        nuclei, seconds = len(found.nuclei.table), sum(found.timings.values()) + tracked.seconds
        logs.info("time point done", acquisition=job.acquisition.name, t=job.source_t, nuclei=nuclei, seconds=seconds)
        books.tell("done", job.acquisition, job.t, done=nuclei)
        self._doubt(found, tracked)

    def _doubt(self, found: AnalysedTimepoint, tracked: Tracked) -> None:
        """Say what does not make sense of a result, which is kept all the same, and that the field jumped."""
        books, job = self._books, found.job
        counts = books.counts.setdefault(job.acquisition_id, deque(maxlen=plausible.COUNTS_KEPT))
        reasons = plausible.doubts(found.nuclei, job.acquisition, counts)
        counts.append(len(found.nuclei.table))
        if reasons:
            sentence = plausible.in_a_sentence(reasons, job.acquisition, job.t)
            logs.warning("result in doubt", acquisition=job.acquisition.name, t=job.t, reason=sentence)
            books.tell("doubted", job.acquisition, job.t, reason=sentence)
        if (jump := tracked.update.jump) is not None:
            sentence = plausible.jump_in_a_sentence(jump, found.nuclei.unit, job.acquisition, job.source_t)
            logs.warning("field jumped", acquisition=job.acquisition.name, t=job.source_t, reason=sentence)
            books.tell("doubted", job.acquisition, job.t, reason=sentence)


class CommittingCorrected:
    """The same for an acquisition of which people said something: it takes longer, so it runs beside the loop."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._books = books
        self._committing = Committing(step, books)
        self._done = False

    def due(self) -> TrackedTimepoint | None:
        """The oldest one, where something is corrected."""
        tracked = self._books.tracked
        return tracked[0] if tracked and is_corrected(self._books, tracked[0]) else None

    def do(self, work: TrackedTimepoint) -> None:
        """The transaction; nothing of the loop's own is touched, as it turns meanwhile."""
        books, (found, tracked) = self._books, work
        with nullcontext() if books.crash_record is None else books.crash_record.around(found.job):
            self._done = pipeline.commit(books.catalog, found, tracked)

    def over(self, work: TrackedTimepoint, error: BaseException | None) -> None:
        """The transaction ended. When the database refused, it is still due."""
        job = work[0].job
        if isinstance(error, DatabaseUnavailableError):
            raise error
        if isinstance(error, StaleJobError):
            logs.warning("result dropped", acquisition=job.acquisition.name, t=job.source_t, reason=error)
        elif error is not None:
            logs.log.error("a fault in nusetd stopped a commit", exc_info=error)
            self._committing.fail(work, fault_of_ours(error))
            return
        else:
            self._committing.committed(*work, self._done)
        self._committing.leave(work)


def refusal(books: Books, work: TimepointJob) -> Failed | None:
    """Why a time point cannot be given to a worker now; None when it can."""
    row = work.acquisition
    if books.model is not None and row.model_sha256 != books.model.model_sha256:
        return Failed(_begun_otherwise(row.model_name, books.model.model_name), Cause.INPUT)
    if not books.reachable(Path(row.source_path)):
        return Failed("Its watched folder is offline.", Cause.GONE)
    return None


def _begun_otherwise(begun: str, now: str) -> str:
    if not differ_by_runtime(begun, now):
        return f"It was begun with other weights ({begun}): process its file anew."
    return (
        f"It was begun with {begun}, and {now} computes now: process its file anew, or give [engine] "
        f"runtime = '{read_as(begun)[1]}' and retry it."
    )


def give_back(books: Books, step: pipeline.Step, work: TimepointJob, failed: Failed) -> None:
    """A time point could not be looked at: what follows from the cause."""
    books.give_back(step, work, failed)
    if failed.cause is Cause.MACHINE:
        books.stall.begin(failed.reason)
    elif failed.cause is Cause.CHANGED:
        books.look_again(failed.files)


def is_corrected(books: Books, work: TrackedTimepoint) -> bool:
    """Say whether people said something of the acquisition of a time point that counts now."""
    return books.catalog.corrections.are_on(work[0].job.acquisition_id)
