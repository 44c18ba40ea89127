"""What was opened and is not queued yet: files of an archive after all others, and one in a turn while others land."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from daemon.watching.arrivals.heap import Heap

if TYPE_CHECKING:
    from daemon.watching.file_sets import Opening
    from daemon.watching.inspection import Opened


class OpenedFiles:
    """Openings with what came of them, in the order in which they were heard.

    Parameters
    ----------
    heap : Heap
        Knows which files are of an archive.
    most : int
        How many are queued in one turn.
    """

    def __init__(self, heap: Heap, most: int) -> None:
        self._heap = heap
        self._most = most
        self._waiting: deque[tuple[Opening, Opened]] = deque()

    def add(self, opening: Opening, answer: Opened) -> None:
        """Files were opened."""
        self._waiting.append((opening, answer))

    def turn(self, queue: Callable[[Opening, Opened], None]) -> None:
        """Queue some of them; what cannot be queued for now is handed in again by the next turn."""
        for _ in range(min(self._most, len(self._waiting))):
            place = self._next()
            opening, answer = self._waiting[place]
            queue(opening, answer)
            del self._waiting[place]
            if self._heap.gives_way(opening.request.paths):
                return

    def _next(self) -> int:
        holds = self._heap.holds
        return next((i for i, (opening, _) in enumerate(self._waiting) if not holds(opening.request.paths)), 0)
