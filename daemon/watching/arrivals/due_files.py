"""When each followed file is looked into: those of an archive after all others that are due."""

from __future__ import annotations

import heapq
from pathlib import Path


class DueFiles:
    """Files by the moment at which they are due; one may stand in it several times."""

    def __init__(self) -> None:
        self._live: list[tuple[float, Path]] = []
        self._archive: list[tuple[float, Path]] = []

    def add(self, moment: float, path: Path, archive: bool = False) -> None:
        """Have a file come up from this moment on."""
        heapq.heappush(self._archive if archive else self._live, (moment, path))

    def next(self, now: float, archives: bool = True) -> Path | None:
        """Take out the file that was due first; None where none is due. Of archives only where `archives` says so."""
        for due in (self._live, self._archive) if archives else (self._live,):
            if due and due[0][0] <= now:
                return heapq.heappop(due)[1]
        return None
