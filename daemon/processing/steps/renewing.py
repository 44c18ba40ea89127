"""All tracks of an acquisition anew: made by a worker, written aside, and made current by one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.processing.messages import Cause, Failed, ReplayTask, fault_of_ours
from daemon.processing.steps.books import Books
from storage.database.renewal.replayed import Replayed
from storage.database.renewal.staged_tracks import StagedRows, pieces
from storage.errors import DatabaseUnavailableError, StaleJobError

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow

Renewed = tuple["AcquisitionRow", Replayed]


class Replaying:
    """Gives a worker the acquisitions whose tracks are to be made anew."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._step = step
        self._books = books

    def due(self) -> AcquisitionRow | None:
        """The oldest one whose tracks nobody works on, and whose rows are plain."""
        books = self._books
        for number in sorted(books.to_replay - books.tracking):
            if not books.catalog.corrections.are_on(number):
                return books.catalog.acquisition(number)
        return None

    def begin(self, work: AcquisitionRow) -> ReplayTask:
        """What the worker is told."""
        self._books.tracking.add(work.id)
        logs.info("tracks are made anew", acquisition=work.name)
        return ReplayTask(work, self._books.catalog.address)

    def end(self, work: AcquisitionRow, result: Replayed) -> None:
        """Hand the new tracks on to be staged."""
        self._books.replayed.append((work, result))

    def fail(self, work: AcquisitionRow, failed: Failed) -> None:
        """Once more; or else what wanted to take part is set aside, and the old tracks stay."""
        books = self._books
        if failed.cause is Cause.MACHINE:
            books.stall.begin(failed.reason)
        elif failed.cause in (Cause.CRASH, Cause.KILLED, Cause.MEMORY) and books.may_try_again(
            self._step.name, work.id, failed.cause
        ):
            logs.warning("tracks are made anew once more", acquisition=work.name, reason=failed.reason)
        else:
            give_up(books, work, failed.reason)
        books.tracking.discard(work.id)

    def subject(self, work: AcquisitionRow) -> tuple[AcquisitionRow, int | None]:
        """The acquisition."""
        return work, None


def give_up(books: Books, row: AcquisitionRow, reason: str) -> None:
    """New tracks cannot be had: what wanted to take part is set aside, the old tracks stay, the others go on."""
    sentence = f"Its acquisition's tracks cannot be made anew: {reason}"
    set_aside = books.catalog.set_aside_kept(row.id, sentence)
    for t in set_aside:
        books.tell("failed", row, t, reason=sentence)
    logs.error("tracks cannot be made anew", acquisition=row.name, reason=reason)
    books.to_replay.discard(row.id)
    books.settled(row.id)
    if not set_aside:  # only its end asked for them, and would go on asking
        books.endings.reopen(row.id)


class StagingTracks:
    """Writes new tracks aside, a piece at a time, after what a killed service left there is gone."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._books = books
        self._cleared: Replayed | None = None
        self._left: Iterator[StagedRows] = iter(())
        self._piece: StagedRows | None = None
        self._staged: Replayed | None = None

    def due(self) -> Renewed | None:
        """The first of those that were made anew, until all of it lies aside."""
        renewed = self._books.replayed
        return renewed[0] if renewed and renewed[0][1] is not self._staged else None

    def do(self, work: Renewed) -> None:
        """Write the next piece."""
        row, replayed = work
        if self._cleared is not replayed:
            if self._books.catalog.clear_staged(row.id):
                self._cleared, self._left, self._piece = replayed, pieces(row.id, replayed), None
            return
        self._piece = self._piece or next(self._left, None)
        if self._piece is None:
            self._staged = replayed
            return
        self._books.catalog.stage(row.id, self._piece)
        self._piece = None

    def fail(self, work: Renewed, failed: Failed) -> None:
        """What lies aside is never read, and cleared before the next ones."""
        give_up(self._books, work[0], failed.reason)
        _leave(self._books, work[0])

    def is_staged(self, replayed: Replayed) -> bool:
        """Say whether all of it lies aside."""
        return replayed is self._staged


class MakingCurrent:
    """The transaction after which readers see the new tracks; it runs beside the loop."""

    def __init__(self, step: pipeline.Step, books: Books, staging: StagingTracks) -> None:
        self._books = books
        self._staging = staging

    def due(self) -> Renewed | None:
        """What lies aside completely."""
        renewed = self._books.replayed
        return renewed[0] if renewed and self._staging.is_staged(renewed[0][1]) else None

    def do(self, work: Renewed) -> None:
        """The transaction; nothing of the loop's own is touched, as it turns meanwhile."""
        self._books.catalog.make_current(work[0].id, work[1])

    def over(self, work: Renewed, error: BaseException | None) -> None:
        """The transaction ended. When the database refused, it is still due."""
        books, (row, replayed) = self._books, work
        if isinstance(error, DatabaseUnavailableError):
            raise error
        if isinstance(error, StaleJobError):
            logs.info("tracks are made anew once more", acquisition=row.name, reason=error)
            books.to_replay.discard(row.id)  # when what changed is there
        elif error is not None:
            logs.log.error("a fault in nusetd stopped new tracks", exc_info=error)
            give_up(books, row, fault_of_ours(error).reason)
        else:
            self._current(row, replayed)
        _leave(books, row)

    def _current(self, row: AcquisitionRow, replayed: Replayed) -> None:
        books = self._books
        books.to_replay.discard(row.id)
        books.states.pop(row.id, None)
        books.endings.not_final(row.id)
        books.crashes.pop(("replay", row.id), None)
        books.pending.to_publish.update({(row.id, t): row for t in sorted(replayed.taken)})
        books.pending.to_paint.add(row.id)
        logs.info(
            "new tracks are current", acquisition=row.name, tracks=len(replayed.tracks), taken=len(replayed.taken)
        )
        for t in sorted(replayed.taken):
            labels, *_ = replayed.taken_tracks[t]
            books.tell("done", row, t, done=len(labels))


def _leave(books: Books, row: AcquisitionRow) -> None:
    """Nothing is left to do with the new tracks that are first in line."""
    books.replayed.popleft()
    books.tracking.discard(row.id)
    books.corrections_changed = True
    books.settled(row.id)
