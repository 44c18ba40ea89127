"""Carrying out corrections by whoever holds the writer's lock, without a service: rows, labels, painted tracks."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from storage import naming
from storage.corrections.making import make
from storage.database.corrections.around_step import memory_of
from storage.errors import StaleJobError
from storage.omezarr.image_store import ImageStore
from storage.query.snapshots import snapshot

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.database.corrections.amendment import Amended
    from storage.schema.rows import AcquisitionRow

_ROUNDS = 20
ToldProgress = Callable[[str, int, int], None]


def carry_out(catalog: Catalog, acquisition_id: int, progress: ToldProgress = lambda what, done, total: None) -> None:
    """Bring rows and labels of an acquisition to what people said of it.

    Parameters
    ----------
    catalog : Catalog
        Opened with the writer's lock.
    progress : callable
        Told what is done (``corrections``, then ``painted``), how much of it, and of how much.

    Raises
    ------
    StorageError
        When labels or image cannot be read or written; what was said waits.
    """
    with _alone_in_stores(catalog):
        row = catalog.acquisition(acquisition_id)
        _publish(catalog, row, [t for number, t in catalog.all_unpublished() if number == row.id])
        _amend(catalog, row, lambda done, total: progress("corrections", done, total))
        _paint(catalog, row, progress)


def _amend(catalog: Catalog, row: AcquisitionRow, progress: Callable[[int, int], None]) -> None:
    """Until rows are as people say: others may say more meanwhile, which nobody else carries out."""
    for left in reversed(range(_ROUNDS)):
        if row.id not in catalog.corrections.due():
            return
        try:
            amended = amend_now(catalog, row, progress)
        except StaleJobError:
            if not left:
                raise
        else:
            _publish(catalog, row, amended.to_publish)


def amend_now(
    catalog: Catalog, row: AcquisitionRow, progress: Callable[[int, int], None] = lambda done, total: None
) -> Amended:
    """Write labels beside the store and bring rows to what people said; the labels are still to be published."""
    owner = catalog.stores.owner(row)
    with snapshot(catalog.address) as connection:
        amendment = make(connection, row, owner, memory_of(row), progress)
    return catalog.corrections.amend(row.id, amendment)


def _publish(catalog: Catalog, row: AcquisitionRow, times: Iterator[int] | list[int] | tuple[int, ...]) -> None:
    for t in times:
        ImageStore.open(str(row.zarr_path), catalog.stores.owner(row)).publish(t)
        catalog.mark_published(row.id, t)


def _paint(catalog: Catalog, row: AcquisitionRow, progress: ToldProgress) -> None:
    total = sum(number == row.id for number, _ in catalog.unpainted())
    done = 0
    while (found := catalog.next_unpainted(row.id)) is not None:
        t, track_of = found
        store = ImageStore.open(str(row.zarr_path), catalog.stores.owner(row))
        store.write_tracks(t, track_of)
        store.publish_tracks(t)
        catalog.mark_painted(row.id, t)
        done += 1
        progress("painted", done, total)


@contextmanager
def _alone_in_stores(catalog: Catalog) -> Iterator[None]:
    """Wait until the worker of a service that was killed is dead; of a server's database the lock there is enough."""
    path = naming.sqlite_path(catalog.url)
    if path is None:
        yield
        return
    lock = os.open(naming.worker_lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
