"""What follows when the store of an acquisition is gone, somebody else's or damaged: it waits, or it is made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon import logs
from daemon.processing.messages import Cause, Failed
from daemon.processing.steps.books import Books
from storage.schema.states import AcquisitionState

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow

_MOST_RENEWALS = 3  # of one acquisition by one service: a disk that loses its store again and again is for people


def mend(books: Books, row: AcquisitionRow, failed: Failed) -> None:
    """Do what follows from a failure whose cause is one of `STORE_CAUSES`: it costs its own acquisition alone.

    A store that is gone is made anew from the sources, with all time points that were in it; their rows stay readable
    meanwhile. Where the output folder itself is away, with its disk or share, nothing is known of the store: it waits.
    What several workers find of one store at a time counts once.
    """
    away = books.output_mounts.away(row)
    if row.id in books.to_mend or books.holds.lasts(row.id):
        return
    if away is not None or failed.cause is Cause.STORE:
        books.holds.begin(row, away or failed.reason)
    elif failed.cause is not Cause.DAMAGED or books.holds.begin(row, failed.reason) > 1:
        books.to_mend[row.id] = (row, failed)  # a share may have shown half of a file, the first time


def mend_at_rest(books: Books) -> None:
    """Have those stores made anew into which nobody writes any more."""
    for number, (row, failed) in list(books.to_mend.items()):
        if books.writing.into(number):
            continue
        if failed.cause is not Cause.TAKEN and books.renewals[row.id] >= _MOST_RENEWALS:
            _set_aside(books, row, failed.reason)
        else:
            _renew(books, row, failed)
        del books.to_mend[number]


def _renew(books: Books, row: AcquisitionRow, failed: Failed) -> None:
    reason = f"{failed.reason} It is made anew."
    count = books.catalog.stores.renew(row.id, reason, elsewhere=failed.cause is not Cause.LOST)
    books.forget(row.id)
    place = books.catalog.acquisition(row.id).zarr_path
    if count or failed.cause is not Cause.TAKEN:
        books.renewals[row.id] += 1
        logs.error("OME-Zarr is made anew", acquisition=row.name, place=place, timepoints=count, reason=reason)
        books.tell("store lost", row, done=count, reason=failed.reason)
    else:
        logs.info("OME-Zarr goes elsewhere", acquisition=row.name, place=place, reason=failed.reason)
    books.settled(row.id)


def _set_aside(books: Books, row: AcquisitionRow, reason: str) -> None:
    text = f"Its OME-Zarr was made anew {_MOST_RENEWALS} times: {reason} Look after the disk, then `nusetd retry`."
    books.release(row.id, text)
    books.catalog.set_acquisition_state(row.id, AcquisitionState.SET_ASIDE, text)
    books.forget(row.id)
    logs.error("acquisition is set aside", acquisition=row.name, reason=text)
