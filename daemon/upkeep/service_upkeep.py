"""What the service does for results after they are made, a little in each turn of its loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.upkeep.forgetting import Forgetting
from daemon.upkeep.gone import GoneFiles
from daemon.upkeep.retention import Retention
from daemon.upkeep.superseded import give_way

if TYPE_CHECKING:
    from daemon.configuration.retention import RetentionConfig
    from daemon.watching.inspection import SupportsInspection
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow


class Upkeep:
    """Forgets what is ordered or due, and dismisses problems of files that are gone.

    Parameters
    ----------
    reachable, let_go
        See `GoneFiles` and `Forgetting`.
    """

    def __init__(
        self,
        catalog: Catalog,
        inspection: SupportsInspection,
        reachable: Callable[[Path], bool],
        let_go: Callable[[int], None],
    ) -> None:
        self._catalog = catalog
        self.forgetting = Forgetting(catalog, let_go)
        self._retention = Retention(catalog, self.forgetting)
        self._gone = GoneFiles(catalog, inspection, reachable)

    def finished(self, row: AcquisitionRow) -> None:
        """An acquisition is finished: what was made of its files alone before is not wanted any more."""
        give_way(self._catalog, row, self.forgetting)

    def turn(self, rule: RetentionConfig, now: float) -> None:
        """Go on a little."""
        self.forgetting.turn()
        self._retention.turn(rule, now)
        self._gone.turn(now)
