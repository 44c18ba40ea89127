"""What readers of the stores see: labels of committed time points, and final tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.processing.messages import Cause, Failed, Painted, PaintTask
from daemon.processing.steps.books import Books
from storage.errors import DatabaseUnavailableError, StorageError

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow

CommittedTimepoint = tuple["AcquisitionRow", int]
Paint = tuple["AcquisitionRow", int, dict[int, int]]


class Publishing:
    """Shows committed time points; the disk may refuse now and allow later."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._books = books

    def due(self) -> CommittedTimepoint | None:
        """The oldest one into whose store no worker writes."""
        if self._books.stall.lasts:
            return None
        owed = self._books.owed.to_publish.items()
        return next(((row, t) for (number, t), row in owed if not self._books.writing[number]), None)

    def do(self, work: CommittedTimepoint) -> None:
        """Show it."""
        row, t = work
        try:
            pipeline.publish(self._books.catalog, row, t)
        except DatabaseUnavailableError:
            raise
        except (StorageError, OSError) as error:
            logs.error("time point not shown", acquisition=row.name, t=t, reason=error)
            self._books.stall.begin(str(error))
            return
        del self._books.owed.to_publish[row.id, t]
        self._books.endings.changed(row.id)


class Painting:
    """Gives a worker the final tracks of one time point after the other."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._step = step
        self._books = books

    def due(self) -> Paint | None:
        """The first unpainted time point of the oldest acquisition that has one."""
        books = self._books
        for number in sorted(books.owed.to_paint):
            if books.writing[number]:
                continue
            found = books.catalog.next_unpainted(number)
            if found is not None:
                return (books.catalog.acquisition(number), *found)
            if not any(owner == number for owner, _ in books.owed.to_publish):
                books.owed.to_paint.discard(number)
                books.endings.changed(number)
        return None

    def begin(self, work: Paint) -> PaintTask:
        """What the worker is told."""
        row, t, track_of = work
        return PaintTask(str(row.zarr_path), t, track_of)

    def end(self, work: Paint, result: Painted) -> None:
        """Note that it is visible."""
        row, t, _ = work
        self._books.catalog.mark_painted(row.id, t)
        self._books.stall.over()
        self._books.crashes.pop((self._step.name, row.id), None)

    def fail(self, work: Paint, failed: Failed) -> None:
        """Again when the machine allows, else with the next commit of this acquisition, or the next start."""
        books, (row, t, _) = self._books, work
        logs.error("tracks not painted", acquisition=row.name, t=t, reason=failed.reason)
        if failed.cause is Cause.MACHINE:
            books.stall.begin(failed.reason)
        elif failed.cause is not Cause.CRASH or not books.may_try_again(self._step.name, row.id):
            books.owed.to_paint.discard(row.id)
        books.endings.changed(row.id)

    def subject(self, work: Paint) -> tuple[AcquisitionRow, int | None]:
        """The time point."""
        return work[0], work[1]
