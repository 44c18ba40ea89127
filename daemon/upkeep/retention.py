"""The rule of retention: which complete acquisitions may go, because they are old, because room is scarce, or both."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs
from daemon.configuration.retention import RetentionConfig
from daemon.processing.threads.beside import Beside
from daemon.upkeep.forgetting import Forgetting, Order
from storage import naming
from storage.clock import iso, utc_now

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow

_LOOK_S = 60.0
_AT_ONCE = 100
_GB = 1e9


def due(rows: list[AcquisitionRow], rule: RetentionConfig, free_gb: Callable[[Path], float]) -> list[AcquisitionRow]:
    """Those of the complete acquisitions, oldest first, that the rule lets go now.

    With a limit for free space only those whose OME-Zarr lies on a disk with less, so that its going makes room.
    """
    if not rule.is_on:
        return []
    if not rule.free_gb:
        return rows
    folders = {row.id: Path(str(row.zarr_path)).parent for row in rows if not naming.is_url(row.zarr_path or "://")}
    return [row for row in rows if row.id in folders and free_gb(folders[row.id]) < rule.free_gb]


def candidates(catalog: Catalog, rule: RetentionConfig, now: datetime) -> list[AcquisitionRow]:
    """The complete acquisitions that are old enough, oldest first."""
    return catalog.upkeep.complete_before(iso(now - timedelta(days=rule.after_days)), _AT_ONCE)


def free_gb(folder: Path) -> float:
    """Room on the disk of a folder, of which the nearest that is there counts; infinite where nothing can be said."""
    try:
        near = next(one for one in (folder, *folder.parents) if one.is_dir())
        return shutil.disk_usage(near).free / _GB
    except (OSError, StopIteration):
        return float("inf")


class Retention:
    """Looks now and then what the rule lets go, and gives the orders, one at a time.

    Disks are asked in a thread beside: one that hangs stops nothing.
    """

    def __init__(self, catalog: Catalog, forgetting: Forgetting, wall: Callable[[], datetime] = utc_now) -> None:
        self._catalog = catalog
        self._forgetting = forgetting
        self._wall = wall
        self._beside = Beside()
        self._free: Mapping[Path, float] | None = None
        self._next = float("-inf")
        self._told: set[int] = set()

    def turn(self, rule: RetentionConfig, now: float) -> None:
        """Look whether it is time, and order what is due."""
        if not rule.is_on or self._beside.busy or self._forgetting.busy:
            return
        if self._free is None:
            if now < self._next:
                return
            self._next = now + _LOOK_S
            self._begin(rule)
            return
        free, self._free = self._free, None
        self._beside.outcome()
        for row in due(candidates(self._catalog, rule, self._wall()), rule, lambda path: free.get(path, float("inf"))):
            if not rule.dry_run:
                logs.info("let go by the rule of retention", acquisition=row.name, completed_at=row.completed_at)
                self._forgetting.order(Order(row.id, False, self._hear))
                self._next = now  # the next one as soon as this one is gone
                return
            if row.id not in self._told:
                self._told.add(row.id)
                logs.info("would be let go by the rule of retention", acquisition=row.name)

    def _begin(self, rule: RetentionConfig) -> None:
        rows = candidates(self._catalog, rule, self._wall())
        folders = {Path(str(row.zarr_path)).parent for row in rows if not naming.is_url(row.zarr_path or "://")}

        def measure() -> None:
            self._free = {folder: free_gb(folder) for folder in folders}

        if rows:
            self._beside.start(measure)

    def _hear(self, done: bool, text: str) -> None:
        if not done:
            logs.warning("could not be let go", reason=text)
