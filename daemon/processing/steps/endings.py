"""Acquisitions of which nothing more will come, until they are complete."""

from __future__ import annotations

from collections.abc import Iterator


class Endings:
    """Which acquisitions have ended, which of those may be ready for the next step, and whose tracks are final."""

    def __init__(self) -> None:
        self._ended: set[int] = set()
        self._to_check: set[int] = set()
        self._final: set[int] = set()

    def __bool__(self) -> bool:
        """True while one has ended that is not complete."""
        return bool(self._ended)

    def end(self, acquisition_id: int) -> None:
        """Nothing more will come of it: finish it when its last time point is done."""
        self._ended.add(acquisition_id)
        self._to_check.add(acquisition_id)

    def reopen(self, acquisition_id: int) -> None:
        """Wait no longer for its end: more came after all, or it is complete."""
        for known in (self._ended, self._to_check, self._final):
            known.discard(acquisition_id)

    def changed(self, acquisition_id: int) -> None:
        """Something of it came further: if it has ended, it may be ready for the next step."""
        if acquisition_id in self._ended:
            self._to_check.add(acquisition_id)

    def wait(self, acquisition_id: int) -> None:
        """It is not ready: it is looked at again when something of it changes."""
        self._to_check.discard(acquisition_id)

    def make_final(self, acquisition_id: int) -> None:
        """All of its tracks are final: it is complete once they are painted."""
        self._final.add(acquisition_id)
        self.changed(acquisition_id)

    def not_final(self, acquisition_id: int) -> None:
        """A time point was committed after its tracks were final (tried again meanwhile): they are to be, once more."""
        self._final.discard(acquisition_id)
        self.changed(acquisition_id)

    def to_finish(self) -> Iterator[int]:
        """Those whose tracks may be made final, oldest first."""
        yield from sorted(self._to_check - self._final)

    def to_complete(self) -> Iterator[int]:
        """Those that may be complete, oldest first."""
        yield from sorted(self._to_check & self._final)
