"""What people said of results: a worker brings labels to it beside the store, one transaction rows and tracks.

Where they speak of links alone, no worker is needed: nobody waits for an image that is being analysed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon import logs, pipeline
from daemon.processing.messages import STORE_CAUSES, Cause, CorrectTask, Failed, fault_of_ours
from daemon.processing.steps.books import Books
from daemon.processing.steps.mending import mend
from daemon.processing.store_faults import store_fault
from storage.errors import DatabaseUnavailableError, StaleJobError, StorageError

if TYPE_CHECKING:
    from storage.database.corrections.amendment import Amended, Amendment
    from storage.omezarr.ownership import Owner
    from storage.schema.rows import AcquisitionRow

Corrigible = tuple["AcquisitionRow", "Owner"]
_LOOK_S = 0.5  # what people say is looked up this often
_MOST = 3  # failures in a row of one acquisition


class Correcting:
    """Gives a worker the acquisitions whose rows are not as people say, or are to be plain before they go on."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._step = step
        self._books = books
        self._next = float("-inf")
        self._given_up: set[int] = set()

    def due(self) -> Corrigible | None:
        """The oldest one that nobody works on, whose readers see what its rows say, and whose labels change."""
        return self._first(links=False)

    def of_links(self) -> Corrigible | None:
        """The same of one whose labels stay as they are."""
        return self._first(links=True)

    def _first(self, links: bool) -> Corrigible | None:
        books = self._books
        if books.corrections_changed or books.clock() >= self._next:
            books.to_correct = set(books.catalog.corrections.due()) - self._given_up
            books.corrections_changed, self._next = False, books.clock() + _LOOK_S
        for number in sorted((books.to_correct | books.to_replay) - books.waiting()):
            if self._may(number) and self._is_of(number, links):
                row = books.catalog.acquisition(number)
                return row, books.catalog.stores.owner(row)
        return None

    def _is_of(self, number: int, links: bool) -> bool:
        corrections = self._books.catalog.corrections
        if number in self._books.to_replay:
            return not links and corrections.are_on(number)
        return corrections.only_links(number) == links

    def _may(self, number: int) -> bool:
        """Say whether nobody is at the tracks of an acquisition, or paints them; others may find nuclei meanwhile."""
        books = self._books
        hidden = any(owner == number for owner, _ in books.pending.to_publish)
        return not (hidden or number in books.tracking or books.writing.paints(number))

    def begin(self, work: Corrigible) -> CorrectTask:
        """What the worker is told; where tracks are made anew, all are taken off."""
        books, (row, owner) = self._books, work
        books.tracking.add(row.id)
        books.correcting.add(row.id)
        return CorrectTask(row, books.catalog.address, owner, row.id in books.to_replay)

    def end(self, work: Corrigible, result: Amendment) -> None:
        """Hand it on to become rows."""
        self._books.amendments.append((work[0], result))

    def fail(self, work: Corrigible, failed: Failed) -> None:
        """Again when the machine or the store allows; what was said waits until then."""
        books, (row, _) = self._books, work
        logs.error("corrections not carried out", acquisition=row.name, reason=failed.reason)
        if failed.cause is Cause.MACHINE:
            books.stall.begin(failed.reason)
        elif failed.cause in STORE_CAUSES:
            mend(books, row, failed)
        elif failed.cause not in (Cause.CRASH, Cause.KILLED) or not books.may_try_again(
            self._step.name, row.id, failed.cause
        ):
            self._wait(row, failed.reason)
        _leave(books, row)

    def _wait(self, row: AcquisitionRow, reason: str) -> None:
        """Longer and longer; what keeps time points from being done anew is never given up, and told meanwhile."""
        books = self._books
        needed = row.id in books.to_replay or books.catalog.corrections.are_held(row.id)
        if books.holds.begin(row, reason) >= _MOST and not needed:
            self._given_up.add(row.id)
            books.holds.over(row.id)
            logs.error("corrections wait for the next start", acquisition=row.name, reason=reason)

    def subject(self, work: Corrigible) -> tuple[AcquisitionRow, int | None]:
        """The acquisition."""
        return work[0], None


class Amending:
    """The transaction after which rows and tracks are as people say; it runs beside the loop."""

    def __init__(self, step: pipeline.Step, books: Books) -> None:
        self._books = books
        self._amended: Amended | None = None

    def due(self) -> tuple[AcquisitionRow, Amendment] | None:
        """The oldest one."""
        return self._books.amendments[0] if self._books.amendments else None

    def do(self, work: tuple[AcquisitionRow, Amendment]) -> None:
        """The transaction; nothing of the loop's own is touched, as it turns meanwhile."""
        self._amended = self._books.catalog.corrections.amend(work[0].id, work[1])

    def over(self, work: tuple[AcquisitionRow, Amendment], error: BaseException | None) -> None:
        """The transaction ended. When the database refused, it is still due."""
        books, (row, _) = self._books, work
        if isinstance(error, DatabaseUnavailableError):
            raise error
        if isinstance(error, StaleJobError):
            logs.info("corrections are looked at again", acquisition=row.name, reason=error)
        elif error is not None:
            logs.log.error("a fault in nusetd stopped corrections", exc_info=error)
            books.holds.begin(row, fault_of_ours(error).reason)
        else:
            _follow(books, row, self._amended)
        books.amendments.popleft()
        _leave(books, row)


class CorrectingLinks:
    """Finds the nuclei that links speak of, and brings tracks to what people said, beside the loop."""

    def __init__(self, step: pipeline.Step, books: Books, correcting: Correcting) -> None:
        self._books = books
        self._correcting = correcting
        self._amended: Amended | None = None

    def due(self) -> Corrigible | None:
        """The oldest one."""
        return self._correcting.of_links()

    def do(self, work: Corrigible) -> None:
        """The whole of it; nothing of the loop's own is touched, as it turns meanwhile."""
        catalog, (row, owner) = self._books.catalog, work
        task = CorrectTask(row, catalog.address, owner)
        self._amended = catalog.corrections.amend(row.id, pipeline.correct(task, lambda done, total: None))

    def over(self, work: Corrigible, error: BaseException | None) -> None:
        """It ended. What the database refused is due again."""
        books, (row, _) = self._books, work
        if isinstance(error, DatabaseUnavailableError):
            raise error
        if isinstance(error, StaleJobError):
            logs.info("corrections are looked at again", acquisition=row.name, reason=error)
        elif isinstance(error, (StorageError, OSError)):
            cause = store_fault(error, str(row.zarr_path)) or Cause.INPUT
            self._correcting.fail(work, Failed(str(error), cause))
            return
        elif error is not None:
            logs.log.error("a fault in nusetd stopped corrections", exc_info=error)
            self._correcting.fail(work, fault_of_ours(error))
            return
        else:
            _follow(books, row, self._amended)
        _leave(books, row)


def _follow(books: Books, row: AcquisitionRow, amended: Amended | None) -> None:
    """What follows from the transaction."""
    assert amended is not None  # it gave it
    books.pending.to_publish.update({(row.id, t): row for t in amended.to_publish})
    books.pending.to_paint.add(row.id)
    books.crashes.pop(("correct", row.id), None)
    books.holds.over(row.id)
    logs.info("corrected", acquisition=row.name, applied=len(amended.applied), misfits=len(amended.misfits))
    for number, reason in amended.misfits.items():
        logs.warning("correction does not fit", acquisition=row.name, correction=number, reason=reason)


def _leave(books: Books, row: AcquisitionRow) -> None:
    """Nobody works on it now; more may have been said."""
    books.tracking.discard(row.id)
    books.correcting.discard(row.id)
    books.corrections_changed = True
    books.settled(row.id)
