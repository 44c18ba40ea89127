"""One file per time point: in which order they go on, and what happens when one is missing. Pure; the clock is passed.

Tracks grow forward, so a time point waits for those before it. It does not wait for ever: after the acquisition's quiet
time it goes on without them, and if they come after all, the tracks are built anew with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tracking.steps import step_of


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
    given_step : int or None
        From one number to the next; None: the constant step of those that were seen (`tracking.steps`).
    """

    seen: set[int] = field(default_factory=set)
    waiting: dict[int, float] = field(default_factory=dict)
    hopeless: set[int] = field(default_factory=set)
    released: set[int] = field(default_factory=set)
    last_news: float = float("-inf")
    given_step: int | None = None
    _stepped: int = 0  # numbers that were seen when the step was found
    _found_step: int = 1
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
            absent = self._absent(number)
            if absent and now - self.waiting[number] < patience_s:
                break
            passed_over.update(absent)
            ready.append(number)
            self._frontier = max(self._frontier, number + 1)
        for number in ready:
            del self.waiting[number]
        self.released.update(ready)
        return Release(tuple(ready), tuple(sorted(passed_over)))

    @property
    def is_single(self) -> bool:
        """True while there was one file only, which is not numbered as the first of more."""
        return len(self.seen) == 1 and min(self.seen) > 1

    def _absent(self, number: int) -> list[int]:
        """The numbers between those that went on and this one, for which it waits."""
        between = [n for n in range(self._frontier, number) if n not in self.hopeless]
        if not between:
            return []
        step = self.given_step or self._step()
        return [n for n in between if (number - n) % step == 0]

    def _step(self) -> int:
        if self._stepped != len(self.seen):
            self._stepped, self._found_step = len(self.seen), step_of(self.seen)
        return self._found_step

    def is_over(self, now: float, patience_s: float) -> bool:
        """True when everything was handed on and nothing new came for the acquisition's quiet time."""
        return not self.waiting and now - self.last_news >= patience_s


@dataclass(frozen=True)
class Release:
    """Numbers to go on with now, and those that were passed over because they did not come."""

    ready: tuple[int, ...]
    passed_over: tuple[int, ...]
