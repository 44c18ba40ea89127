"""How workers, and the service itself, are shared between what lands now and archives."""

from __future__ import annotations

from collections.abc import Callable

_LIVE_S = 600.0  # so long after a live time point others are expected


class Shares:
    """While an experiment runs, archives get half of the workers, and begin nothing while results wait to be stored.

    So what lands now finds a worker idle, cores to compute on, and a service that turns.

    Attributes
    ----------
    archives : set of int
        Time points of archives that are claimed, by their rows.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._live_until = float("-inf")
        self.archives: set[int] = set()

    def landed(self) -> None:
        """A live time point was taken up."""
        self._live_until = self._clock() + _LIVE_S

    @property
    def live(self) -> bool:
        """True while an experiment runs, as far as one sees."""
        return self._clock() < self._live_until

    def has_room(self, workers: int, results_wait: bool) -> bool:
        """Say whether an archive may have one worker more."""
        return not self.live or (not results_wait and len(self.archives) < max(workers // 2, 1))
