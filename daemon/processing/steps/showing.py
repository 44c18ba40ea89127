"""What readers of the stores see: labels of committed time points, and final tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.processing.messages import STORE_CAUSES, Cause, Failed, Painted, PaintTask
from daemon.processing.steps.books import Books
from daemon.processing.steps.mending import mend
from daemon.processing.store_faults import store_fault
from storage.errors import DatabaseUnavailableError, StorageError

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow

CommittedTimepoint = tuple["AcquisitionRow", int]
Paint = tuple["AcquisitionRow", int, dict[int, int]]


def _not_shown(error: Exception, row: AcquisitionRow) -> Failed:
    return Failed(str(error), store_fault(error, str(row.zarr_path)) or Cause.STORE)


class Publishing:
    """Shows committed time points; the disk may refuse now and allow later."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._books = books

    def due(self) -> CommittedTimepoint | None:
        """The oldest one that can be shown without another one that is being written."""
        books = self._books
        if books.stall.lasts or not books.pending.to_publish:
            return None
        waits = books.waiting()
        for (number, t), row in books.shares.live_first(books.pending.to_publish.items(), lambda one: one[0][0]):
            if books.shares.waits(number):
                return None  # so do all behind it
            if number not in waits and not books.making.lasts(number) and not books.writing.hides(number, t):
                return row, t
        return None

    def do(self, work: CommittedTimepoint) -> None:
        """Show it."""
        books, (row, t) = self._books, work
        try:
            pipeline.publish(books.catalog, row, t)
        except DatabaseUnavailableError:
            raise
        except (StorageError, OSError) as error:
            logs.error("time point not shown", acquisition=row.name, t=row.source_t(t), reason=error)
            failed = _not_shown(error, row)
            if failed.cause is Cause.MACHINE:
                books.stall.begin(failed.reason)
            else:
                mend(books, row, failed)
            return
        del books.pending.to_publish[row.id, t]
        books.holds.over(row.id)
        books.endings.changed(row.id)

    def fail(self, work: CommittedTimepoint, failed: Failed) -> None:
        """It is shown after the next start, and its acquisition is not finished before."""
        row, t = work
        logs.error("time point not shown before the next start", acquisition=row.name, t=t, reason=failed.reason)
        del self._books.pending.to_publish[row.id, t]
        self._books.endings.reopen(row.id)


class Painting:
    """Gives a worker the final tracks of one time point after the other."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._step = step
        self._books = books

    def due(self) -> Paint | None:
        """The first unpainted time point of the oldest acquisition that has one."""
        books, waits = self._books, self._books.waiting()
        for number in books.shares.live_first(sorted(books.pending.to_paint), int):
            if not books.shares.may_work(number, books.workers) or books.writing.paints(number) or number in waits:
                continue
            found = books.catalog.next_unpainted(number)
            if found is not None and books.writing.is_at(number, found[0]):
                continue
            if found is not None:
                return (books.catalog.acquisition(number), *found)
            if not any(owner == number for owner, _ in books.pending.to_publish):
                books.pending.to_paint.discard(number)
                books.endings.changed(number)
        return None

    def begin(self, work: Paint) -> PaintTask:
        """What the worker is told."""
        row, t, track_of = work
        return PaintTask(str(row.zarr_path), t, track_of, self._books.catalog.stores.owner(row))

    def end(self, work: Paint, result: Painted) -> None:
        """Show it."""
        row, t, _ = work
        try:
            pipeline.show_tracks(self._books.catalog, row, t)
        except DatabaseUnavailableError:
            raise
        except (StorageError, OSError) as error:
            self.fail(work, _not_shown(error, row))
            return
        self._books.stall.over()
        self._books.holds.over(row.id)
        self._books.crashes.pop((self._step.name, row.id), None)

    def fail(self, work: Paint, failed: Failed) -> None:
        """Again when the machine allows, else with the next commit of this acquisition, or the next start."""
        books, (row, t, _) = self._books, work
        logs.error("tracks not painted", acquisition=row.name, t=row.source_t(t), reason=failed.reason)
        if failed.cause is Cause.MACHINE:
            books.stall.begin(failed.reason)
        elif failed.cause in STORE_CAUSES:
            mend(books, row, failed)
        elif failed.cause not in (Cause.CRASH, Cause.KILLED) or not books.may_try_again(
            self._step.name, row.id, failed.cause
        ):
            books.pending.to_paint.discard(row.id)
        books.endings.changed(row.id)

    def subject(self, work: Paint) -> tuple[AcquisitionRow, int | None]:
        """The time point."""
        return work[0], work[1]
