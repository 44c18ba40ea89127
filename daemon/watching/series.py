"""One file per time point: in which order they go on, and what happens when one is missing. Pure; the clock is passed.

Tracks grow forward, so a time point waits for those before it. It does not wait for ever: after the acquisition's quiet
time it goes on without them, and if they come after all, the tracks are built anew with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Series:
    """The numbers of one acquisition's files: which are whole, and since when; which were handed on.

    What a call costs depends on how many files wait, not on how many there were.

    Attributes
    ----------
    seen : set
        Numbers of which there is a file, whole or not.
    waiting : dict
        Number -> seconds (any steady clock) at which its file was found whole; not handed on yet.
    hopeless : set
        Numbers whose files were set aside: nothing waits for them.
    released : set
        Numbers that were handed on.
    last_news : float
        When anything of the acquisition was last found whole.
    """

    seen: set[int] = field(default_factory=set)
    waiting: dict[int, float] = field(default_factory=dict)
    hopeless: set[int] = field(default_factory=set)
    released: set[int] = field(default_factory=set)
    last_news: float = float("-inf")
    _frontier: int = 0  # every number below was handed on, passed over, or is hopeless

    def settle(self, number: int, now: float) -> None:
        """A file was found whole; one that was handed on before has changed, and goes on again."""
        self.seen.add(number)
        self.waiting[number] = now
        self.hopeless.discard(number)
        self.last_news = max(self.last_news, now)

    def give_up(self, number: int) -> None:
        """A file was set aside."""
        self.hopeless.add(number)
        self.waiting.pop(number, None)

    def restore(self, number: int, now: float) -> None:
        """A file was handed on before the service started."""
        self.seen.add(number)
        self.released.add(number)
        self._frontier = max(self._frontier, number + 1)
        self.last_news = max(self.last_news, now)

    def release(self, now: float, patience_s: float) -> Release:
        """Hand on every number that waits for nothing any more, in order."""
        ready: list[int] = []
        passed_over: set[int] = set()
        if not self._frontier and 0 not in self.seen:
            self._frontier = 1  # microscopes count from 0 or from 1
        for number in sorted(self.waiting):
            absent = [n for n in range(self._frontier, number) if n not in self.hopeless]
            if absent and now - self.waiting[number] < patience_s:
                break
            passed_over.update(absent)
            ready.append(number)
            self._frontier = max(self._frontier, number + 1)
        for number in ready:
            del self.waiting[number]
        self.released.update(ready)
        return Release(tuple(ready), tuple(sorted(passed_over)))

    def is_over(self, now: float, patience_s: float) -> bool:
        """True when everything was handed on and nothing new came for the acquisition's quiet time."""
        return not self.waiting and now - self.last_news >= patience_s


@dataclass(frozen=True)
class Release:
    """Numbers to go on with now, and those that were passed over because they did not come."""

    ready: tuple[int, ...]
    passed_over: tuple[int, ...]


def spans(numbers: Iterable[int]) -> str:
    """Ascending numbers as people write them: 1-3, 7."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(f"{first}-{last}" if first != last else f"{first}" for first, last in found)
