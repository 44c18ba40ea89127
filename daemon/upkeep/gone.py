"""Problems of files that are gone: nobody can mend them, so that they leave the status by themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from daemon import logs
from daemon.watching.inspection import Answer, Gone, Missing, SupportsInspection

if TYPE_CHECKING:
    from storage.database.catalog import Catalog

_LOOK_S, _AT_ONCE = 60.0, 50


class GoneFiles:
    """Has it looked up now and then which files that could not be processed are not there any more.

    Parameters
    ----------
    inspection : SupportsInspection
        Looks for them.
    reachable : callable
        Says whether a file can be there at all: False while its watched folder is offline.
    """

    def __init__(
        self, catalog: Catalog, inspection: SupportsInspection, reachable: Callable[[Path], bool] = lambda path: True
    ) -> None:
        self._catalog = catalog
        self._inspection = inspection
        self._reachable = reachable
        self._next = float("-inf")
        self._gone: list[int] = []

    def turn(self, now: float) -> None:
        """Ask when it is time, and dismiss what was answered."""
        if self._gone:
            count = self._catalog.upkeep.dismiss(self._gone)
            self._gone = []
            logs.info("problems of files that are gone are told no more", acquisitions=count)
        if now < self._next:
            return
        self._next = now + _LOOK_S
        found = self._catalog.upkeep.files_with_problems(_AT_ONCE)
        files = {str(number): paths for number, paths in found.items() if all(map(self._reachable, paths))}
        if files:
            self._inspection.ask(Gone(files), self._hear)

    def _hear(self, answer: Answer) -> None:
        if isinstance(answer, Missing):
            self._gone = [int(number) for number in answer.sources]
