"""The end of an acquisition in two steps: its tracks become final, and when they are painted it is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.processing.messages import Cause, Failed, Tracked, TrackTask
from daemon.processing.steps.books import Books
from storage.schema.states import FINISHED

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow


class Finishing:
    """Has a worker make the last tracks final."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._step = step
        self._books = books

    def due(self) -> AcquisitionRow | None:
        """The oldest that has ended and of which nothing is awaited."""
        books = self._books
        for number in books.shares.live_first(books.endings.to_finish(), int):
            if (
                not books.shares.may_work(number, books.workers)
                or number in books.tracking
                or number in books.to_replay
            ):
                continue
            if books.catalog.is_waiting(number):
                books.endings.wait(number)
                continue
            row = books.catalog.acquisition(number)
            if row.state not in FINISHED:
                return row
            books.endings.reopen(number)
        return None

    def begin(self, work: AcquisitionRow) -> TrackTask:
        """What the worker is told."""
        books = self._books
        books.tracking.add(work.id)
        return TrackTask(work, books.catalog.address, books.states.get(work.id), books.numbers())

    def end(self, work: AcquisitionRow, result: Tracked) -> None:
        """Write it, unless more came meanwhile."""
        books = self._books
        if books.catalog.is_waiting(work.id):
            books.endings.wait(work.id)
        else:
            books.catalog.finalise_tracks(work.id, result.update, result.state, result.measures)
            books.states[work.id] = result.after
            books.endings.make_final(work.id)
            books.pending.to_paint.add(work.id)
        books.tracking.discard(work.id)

    def fail(self, work: AcquisitionRow, failed: Failed) -> None:
        """Its tracks are made anew first; or again; or it stays unfinished, and the others go on."""
        books = self._books
        if failed.cause is Cause.TRACKER:
            logs.warning("tracks made anew", acquisition=work.name, reason=failed.reason)
            books.to_replay.add(work.id)
        elif failed.cause is Cause.MACHINE:
            books.stall.begin(failed.reason)
        elif failed.cause not in (Cause.CRASH, Cause.KILLED) or not books.may_try_again(
            self._step.name, work.id, failed.cause
        ):
            books.endings.reopen(work.id)
            logs.error("acquisition cannot be finished", acquisition=work.name, reason=failed.reason)
        books.tracking.discard(work.id)

    def subject(self, work: AcquisitionRow) -> tuple[AcquisitionRow, int | None]:
        """The acquisition."""
        return work, None


class Completing:
    """Calls an acquisition complete, or partial."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._books = books

    def due(self) -> AcquisitionRow | None:
        """The oldest whose tracks are final and of which nothing is pending."""
        books = self._books
        for number in books.shares.live_first(books.endings.to_complete(), int):
            if books.shares.waits(number) or books.pending.of(number) or books.writing.into(number):
                continue
            if not books.catalog.is_waiting(number):
                return books.catalog.acquisition(number)
            books.endings.wait(number)
        return None

    def do(self, work: AcquisitionRow) -> None:
        """Say so, to the database and to whoever listens."""
        books = self._books
        row = books.catalog.complete_acquisition(work.id)
        books.endings.reopen(work.id)
        books.shares.over(work.id)
        books.corrections_changed = True
        logs.info("acquisition finished", acquisition=row.name, state=row.state, reason=row.error)
        books.tell("finished", row, reason=row.error or "")

    def fail(self, work: AcquisitionRow, failed: Failed) -> None:
        """It stays unfinished until the next start."""
        self._books.endings.reopen(work.id)
        logs.error("acquisition cannot be finished", acquisition=work.name, reason=failed.reason)
