"""What a killed service left half done, found from the database alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from storage import naming
from storage.errors import DatabaseUnavailableError, StorageError
from storage.omezarr.image_store import sweep_unfinished
from storage.schema.states import AcquisitionState

if TYPE_CHECKING:
    from daemon.processing.steps.books import Books
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow

_IN_WORK = frozenset({AcquisitionState.QUEUED, AcquisitionState.PROCESSING})


def recover(books: Books, everywhere: bool = True) -> None:
    """Take up what a process that died left half done; only to be called when no worker writes.

    At the start, `everywhere`: what was running is queued again, what was committed and not shown is pending, what was
    analysed and not committed may have its turn, and partial files are removed from the output folders and from the
    stores of all acquisitions that are in work. After the death of a worker: from the stores in which it wrote.
    """
    catalog, pending = books.catalog, books.pending
    if not everywhere:
        _sweep(catalog, pending.to_sweep.values(), ())
        pending.to_sweep.clear()
        return
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


def _sweep(catalog: Catalog, in_work: Iterable[AcquisitionRow], everything: Iterable[AcquisitionRow]) -> None:
    for folder in {naming.parent(naming.as_place(str(row.zarr_path))) for row in everything}:
        sweep_unfinished(folder, catalog.stores.database_id)
    for row in in_work:
        try:
            pipeline.sweep(row, catalog.stores.owner(row))
        except DatabaseUnavailableError:
            raise
        except (StorageError, OSError) as error:
            logs.error("leftovers cannot be removed", acquisition=row.name, reason=error)
