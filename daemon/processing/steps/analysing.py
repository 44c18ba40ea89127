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
    """Claims time points; what is found in one goes on at once when it is the next in order, and is kept else."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._step = step
        self._books = books

    def due(self) -> TimepointJob | None:
        """The next time point of which the channel was looked for, or that is in the queue."""
        books = self._books
        if books.chosen:
            return books.chosen.popleft()
        job = books.catalog.claim_next(books.workers, {*books.holds.lasting(), *books.correcting})
        if job is not None:
            books.output_mounts.learn(job.acquisition)
        return job

    def begin(self, work: TimepointJob) -> AnalyseTask | Failed:
        """What the worker is told."""
        books, row = self._books, work.acquisition
        refused = refusal(books, work)
        if refused is not None:
            return refused
        away = books.output_mounts.away(row)
        if away is not None:
            return Failed(away, Cause.STORE)
        books.tell("started", row, work.t)
        owner, frugal = books.catalog.stores.owner(row), books.is_on_trial(work)
        return AnalyseTask(row, work.t, work.fingerprint, owner, work.store_made, frugal)

    def end(self, work: TimepointJob, result: Analysed) -> None:
        """Hand it on, or keep it until its turn comes."""
        books = self._books
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
        books.kills.pop(work.id, None)
        books.holds.over(work.acquisition_id)

    def fail(self, work: TimepointJob, failed: Failed) -> None:
        """Try it again, or set it aside."""
        books = self._books
        give_back(books, self._step, work, failed)
        if failed.cause in STORE_CAUSES:
            mend(books, work.acquisition, failed)
        elif failed.cause in (Cause.CRASH, Cause.KILLED):
            books.pending.to_sweep[work.acquisition_id] = work.acquisition

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
