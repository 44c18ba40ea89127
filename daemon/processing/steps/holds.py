"""Acquisitions that wait because their own store cannot be used now; the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon import logs

if TYPE_CHECKING:
    from storage.schema.rows import AcquisitionRow

_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 60.0


@dataclass(frozen=True)
class Hold:
    """Why one waits, how often that was so in a row, and until when (steady seconds) it is not tried again."""

    name: str
    reason: str
    failures: int
    until: float


class Holds:
    """Which acquisitions wait.

    Parameters
    ----------
    clock : callable
        Steady seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._holds: dict[int, Hold] = {}

    def begin(self, row: AcquisitionRow, reason: str) -> int:
        """Its store cannot be used; return how often that was so in a row."""
        failures = self._holds[row.id].failures + 1 if row.id in self._holds else 1
        pause_s = min(_PAUSE_S * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_S)
        self._holds[row.id] = Hold(row.name, reason, failures, self._clock() + pause_s)
        logs.error("acquisition waits for its OME-Zarr", acquisition=row.name, seconds=pause_s, reason=reason)
        return failures

    def over(self, acquisition_id: int) -> None:
        """Its store was written to, or is made anew."""
        if self._holds.pop(acquisition_id, None) is not None:
            logs.info("acquisition goes on", acquisition=acquisition_id)

    def clear_idle(self) -> None:
        """Those whose time is over are not wanted any more, since nothing of them is due."""
        for number in set(self._holds) - self.lasting():
            self.over(number)

    def lasts(self, acquisition_id: int) -> bool:
        """Say whether it is not to be tried now."""
        hold = self._holds.get(acquisition_id)
        return hold is not None and self._clock() < hold.until

    def lasting(self) -> set[int]:
        """Return those that are not to be tried now."""
        return {number for number in self._holds if self.lasts(number)}

    def __iter__(self) -> Iterator[Hold]:
        """Give those that wait, or have not gone on since."""
        yield from self._holds.values()
