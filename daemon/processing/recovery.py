"""What a killed service left half done, found from the database alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daemon import logs, pipeline
from storage import naming
from storage.errors import DatabaseUnavailableError, StorageError
from storage.omezarr.image_store import sweep_unfinished
from storage.schema.states import AcquisitionState

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow

_IN_WORK = frozenset({AcquisitionState.QUEUED, AcquisitionState.PROCESSING})


@dataclass
class Owed:
    """What readers of the stores are still owed: committed time points to show, acquisitions with tracks to paint."""

    to_publish: dict[tuple[int, int], AcquisitionRow] = field(default_factory=dict)
    to_paint: set[int] = field(default_factory=set)


def recover(catalog: Catalog, to_sweep: Iterable[AcquisitionRow], everywhere: bool) -> Owed:
    """Queue again what was running when a process died, and find what it had committed but not shown.

    Only to be called when no worker writes. Partial files are removed from the stores `to_sweep`; with `everywhere`,
    as at the start, from the output folders and the stores of all acquisitions that are in work.
    """
    interrupted = catalog.requeue_running()
    for acquisition_id, t in interrupted:
        logs.info("queued again after an interruption", acquisition=acquisition_id, t=t)
    rows = {row.id: row for row in catalog.acquisitions() if row.zarr_path is not None}
    unpublished, unpainted = catalog.all_unpublished(), catalog.unpainted()
    if everywhere:
        touched = {number for number, _ in (*interrupted, *unpublished, *unpainted)}
        _sweep([row for row in rows.values() if row.state in _IN_WORK or row.id in touched], rows.values())
    else:
        _sweep(to_sweep, ())
    return Owed(
        {(number, t): rows[number] for number, t in unpublished if number in rows},
        {number for number, _ in unpainted if number in rows},
    )


def _sweep(in_work: Iterable[AcquisitionRow], everything: Iterable[AcquisitionRow]) -> None:
    for folder in {naming.parent(naming.as_place(str(row.zarr_path))) for row in everything}:
        sweep_unfinished(folder)
    for row in in_work:
        try:
            pipeline.sweep(row)
        except DatabaseUnavailableError:
            raise
        except (StorageError, OSError) as error:
            logs.error("leftovers cannot be removed", acquisition=row.name, reason=error)
