"""How workers, and the service itself, are shared between what lands now and archives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from storage.schema.rows import TimepointJob

_LIVE_S = 600.0  # so long after a live time point others are expected
_PART_S = 0.05  # of a turn of the loop that archives get meanwhile

W = TypeVar("W")  # a piece of work


class Shares:
    """While an experiment runs, archives get half of the workers, and begin nothing while results wait to be stored.

    Whatever a step is due for, it is due first for what lands now, and for archives in a part of each turn of the loop.
    So what lands now finds a worker idle, cores to compute on, and a service that turns.

    Attributes
    ----------
    archives : set of int
        Time points of archives that are claimed, by their rows.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._live_until = float("-inf")
        self._turned = clock()
        self._busy = 0
        self._acquisitions: set[int] = set()  # of archives
        self.archives: set[int] = set()

    def claimed(self, job: TimepointJob) -> None:
        """A time point was taken up."""
        if job.archive:
            self.archives.add(job.id)
            self._acquisitions.add(job.acquisition_id)
        else:
            self._acquisitions.discard(job.acquisition_id)
            self._live_until = self._clock() + _LIVE_S

    def over(self, acquisition_id: int) -> None:
        """An acquisition is complete."""
        self._acquisitions.discard(acquisition_id)

    def turn(self) -> None:
        """The loop begins a turn."""
        self._turned = self._clock()

    def busy_with(self, acquisitions: Iterable[int]) -> int:
        """Workers are at tasks of these acquisitions; return how many."""
        numbers = list(acquisitions)
        self._busy = sum(number in self._acquisitions for number in numbers)
        return len(numbers)

    @property
    def live(self) -> bool:
        """True while an experiment runs, as far as one sees."""
        return self._clock() < self._live_until

    def has_room(self, workers: int, results_wait: bool) -> bool:
        """Say whether an archive may have one worker more."""
        return not self.live or (not results_wait and max(len(self.archives), self._busy) < _half(workers))

    def waits(self, acquisition_id: int) -> bool:
        """Say whether the next step of this one waits for another turn of the loop."""
        return self._gives_way(acquisition_id) and self._clock() - self._turned > _PART_S

    def may_work(self, acquisition_id: int, workers: int) -> bool:
        """Say whether this one may have a worker for what follows from a result."""
        return not self._gives_way(acquisition_id) or self._busy < _half(workers)

    def live_first(self, works: Iterable[W], acquisition_of: Callable[[W], int]) -> list[W]:
        """Return works with those of archives behind the others, and else in their order."""
        return sorted(works, key=lambda work: acquisition_of(work) in self._acquisitions)

    def _gives_way(self, acquisition_id: int) -> bool:
        return acquisition_id in self._acquisitions and self.live


def _half(workers: int) -> int:
    return max(workers // 2, 1)
