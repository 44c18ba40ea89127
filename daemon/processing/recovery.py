"""What a killed service left half done, found from the database alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from storage import naming
from storage.errors import DatabaseUnavailableError, StorageError
from storage.omezarr.image_store import sweep_unfinished
from storage.schema.states import AcquisitionState

if TYPE_CHECKING:
    from daemon.processing.steps.books import Books
    from daemon.processing.workers.protocol import Died
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow

_IN_WORK = frozenset({AcquisitionState.QUEUED, AcquisitionState.PROCESSING})


def recover(books: Books) -> None:
    """Take up what a killed service left half done; only to be called at the start, when no worker writes.

    What was running is queued again, what was committed and not shown is pending, what was analysed and not committed
    may have its turn, and partial files are removed from the output folders and from the stores of all acquisitions
    that are in work.
    """
    catalog, pending = books.catalog, books.pending
    interrupted = catalog.requeue_running()
    everything = {row.id: row for row in catalog.acquisitions()}
    for acquisition_id, t in interrupted:
        row = everything[acquisition_id]
        logs.info("queued again after an interruption", acquisition=row.name, t=row.source_t(t))
    rows = {number: row for number, row in everything.items() if row.zarr_path is not None}
    unpublished, unpainted = catalog.all_unpublished(), catalog.unpainted()
    touched = {number for number, _ in (*interrupted, *unpublished, *unpainted)}
    _sweep(catalog, [row for row in rows.values() if row.state in _IN_WORK or row.id in touched], rows.values())
    pending.to_publish.update({(number, t): rows[number] for number, t in unpublished if number in rows})
    pending.to_paint.update(number for number, _ in unpainted if number in rows)
    books.corrections_changed = True
    books.to_look_at.update(catalog.acquisitions_with_kept())


def sweep_left(books: Books, is_gone: Callable[[Died], bool]) -> None:
    """Remove what workers left that died and are gone, each in its own time point: others go on beside it."""
    for left in [left for left in books.pending.to_sweep if is_gone(left.death)]:
        owner = books.catalog.stores.owner(left.row)
        with _told(left.row):
            pipeline.sweep(left.row, owner, left.t, left.lease)
        books.pending.to_sweep.remove(left)


@contextmanager
def _told(row: AcquisitionRow) -> Iterator[None]:
    """Say what cannot be removed, and go on."""
    try:
        yield
    except DatabaseUnavailableError:
        raise
    except (StorageError, OSError) as error:
        logs.error("leftovers cannot be removed", acquisition=row.name, reason=error)


def _sweep(catalog: Catalog, in_work: Iterable[AcquisitionRow], everything: Iterable[AcquisitionRow]) -> None:
    for folder in {naming.parent(naming.as_place(str(row.zarr_path))) for row in everything}:
        sweep_unfinished(folder, catalog.stores.database_id)
    for row in in_work:
        with _told(row):
            pipeline.sweep(row, catalog.stores.owner(row))
