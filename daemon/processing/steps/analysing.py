"""The step that takes nearly all the time: a worker analyses a time point."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.processing.messages import STORE_CAUSES, Analysed, AnalyseTask, Cause, Failed
from daemon.processing.steps.books import Books
from daemon.processing.steps.mending import mend
from storage.database.analysed import Turn
from storage.errors import StaleJobError
from storage.schema.rows import AnalysedTimepoint

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow, TimepointJob


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


def refusal(books: Books, work: TimepointJob) -> Failed | None:
    """Why a time point cannot be given to a worker now; None when it can."""
    row = work.acquisition
    if books.model is not None and row.model_sha256 != books.model.model_sha256:
        return Failed(f"It was begun with other weights ({row.model_name}): process its file anew.", Cause.INPUT)
    if not books.reachable(Path(row.source_path)):
        return Failed("Its watched folder is offline.", Cause.GONE)
    return None


def give_back(books: Books, step: pipeline.Step, work: TimepointJob, failed: Failed) -> None:
    """A time point could not be looked at: what follows from the cause."""
    books.give_back(step, work, failed)
    if failed.cause is Cause.MACHINE:
        books.stall.begin(failed.reason)
    elif failed.cause is Cause.CHANGED:
        books.look_again(failed.files)
