"""Forgetting an acquisition: its OME-Zarr and its rows, by whoever writes the database, a step at a time.

The store goes first: whoever is killed in between still finds the rows, and goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon import logs
from daemon.processing.threads.beside import Beside
from storage import naming
from storage.errors import StorageError
from storage.omezarr import removal

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow


@dataclass(frozen=True)
class Order:
    """An acquisition that is to be forgotten; `answer` is told whether it was, and a sentence."""

    acquisition_id: int
    keep_files: bool
    answer: Callable[[bool, str], None]


@dataclass
class _UnderWay:
    order: Order
    row: AcquisitionRow
    left: str | None = None


class Forgetting:
    """Carries out orders one after the other; `turn` takes a moment, files are removed in a thread beside.

    Parameters
    ----------
    catalog : Catalog
    let_go : callable
        Told of an acquisition that is forgotten: nothing more may be done with it.
    """

    def __init__(self, catalog: Catalog, let_go: Callable[[int], None] = lambda number: None) -> None:
        self._catalog = catalog
        self._let_go = let_go
        self._orders: deque[Order] = deque()
        self._now: _UnderWay | None = None
        self._beside = Beside()

    @property
    def busy(self) -> bool:
        """True while there is something to do."""
        return self._now is not None or bool(self._orders)

    def order(self, order: Order) -> None:
        """Take an order; one for the same acquisition again changes nothing."""
        known = [self._now.order] if self._now is not None else []
        if order.acquisition_id not in [one.acquisition_id for one in (*known, *self._orders)]:
            self._orders.append(order)

    def turn(self) -> None:
        """Go on a little.

        Raises
        ------
        DatabaseUnavailableError
            Then a later turn goes on.
        """
        if self._now is None:
            if self._orders:
                self._begin(self._orders[0])
                self._orders.popleft()
            return
        if self._beside.busy:
            return
        error = self._beside.outcome()
        if error is not None:
            self._now.left = f"its files are left: {error}"
        row = self._now.row
        try:
            if not self._catalog.upkeep.forget_some(row.id):
                return
        except StorageError as fault:
            if getattr(fault, "may_pass", False):
                raise
            self._end(False, str(fault))
            return
        self._let_go(row.id)
        logs.info("forgotten", acquisition=row.name, left=self._now.left)
        self._end(True, f"{row.name} is forgotten" + (f"; {self._now.left}" if self._now.left else "."))

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the files that are just being removed, at most so long."""
        self._beside.wait(seconds)

    def _begin(self, order: Order) -> None:
        try:
            self._catalog.upkeep.refuse_under_way(order.acquisition_id)
            row = self._catalog.acquisition(order.acquisition_id)
        except StorageError as fault:
            if getattr(fault, "may_pass", False):
                raise
            order.answer(False, str(fault))
            return
        under_way = self._now = _UnderWay(order, row)
        if row.zarr_path is None:
            return
        place = naming.as_place(row.zarr_path)
        if order.keep_files:
            under_way.left = f"its OME-Zarr stays at {place}."
            return
        owner = self._catalog.stores.owner(row)

        def remove() -> None:
            under_way.left = removal.remove(place, owner)

        self._beside.start(remove)

    def _end(self, done: bool, text: str) -> None:
        assert self._now is not None
        order, self._now = self._now.order, None
        order.answer(done, text)
