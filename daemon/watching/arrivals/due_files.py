"""When each followed file is looked into: those of an archive after all others that are due."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from pathlib import Path


class DueFiles:
    """Files by the moment at which they are due; one may stand in it several times.

    Parameters
    ----------
    are_archive : callable
        Says whether files are of an archive, which may become known after they were added.
    """

    def __init__(self, are_archive: Callable[[Sequence[Path]], bool]) -> None:
        self._are_archive = are_archive
        self._live: list[tuple[float, Path]] = []
        self._archive: list[tuple[float, Path]] = []

    def add(self, moment: float, path: Path) -> None:
        """Have a file come up from this moment on."""
        heapq.heappush(self._live, (moment, path))

    def next(self, now: float, archives: bool = True) -> Path | None:
        """Take out the file that was due first; None where none is due. Of archives only where `archives` says so."""
        while self._live and self._live[0][0] <= now:
            moment, path = heapq.heappop(self._live)
            if not self._are_archive([path]):
                return path
            heapq.heappush(self._archive, (moment, path))
        if archives and self._archive and self._archive[0][0] <= now:
            return heapq.heappop(self._archive)[1]
        return None
