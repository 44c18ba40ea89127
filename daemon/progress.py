"""How far a run is: a bar on a terminal; where standard error is a file or a pipe, a line now and then."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from daemon.output import complain
from daemon.plain_text import shown
from storage.spans import counted

if TYPE_CHECKING:
    from tqdm import tqdm

    from daemon.processing.queue_loop import Seen
    from daemon.processing.steps.troubles import Trouble

LINES_S = 30.0
"""Seconds between two lines about the same."""

_LASTS_S = 3.0  # what is over sooner is not worth a line

_PACE_OF = 200  # images over which a pace is taken


class Overall:
    """How many of many images are done, how many are done in a second, and when the rest will be."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._total = self._done = 0
        self._moments: deque[float] = deque(maxlen=_PACE_OF + 1)

    def expect(self, images: int) -> None:
        """So many more are to be done."""
        if images:
            self._total += images
            self._moments.append(self._clock())

    def over(self, worked: bool = True) -> None:
        """One is done; not `worked`: it was done before, or nothing can be done with it."""
        self._done += 1
        if worked:
            self._moments.append(self._clock())

    def __str__(self) -> str:
        """Nothing where there are not many."""
        if self._total < 2:
            return ""
        words = f"{self._done} of {self._total} images done"
        spent, left = self._moments[-1] - self._moments[0], self._total - self._done
        if len(self._moments) < 2 or spent <= 0 or left <= 0:
            return words
        pace = (len(self._moments) - 1) / spent
        return f"{words}, {_pace(pace)}, {_spoken(left / pace)} left"


@dataclass
class _Wait:
    """Since when something is waited for, or when a line told of it, and with which reason."""

    at: float
    said: str | None = None


class Bars:
    """Shows the time point under way, slice by slice, how many of its acquisition are done, and when the rest will be.

    Of many images it tells the same of all of them, see `overall`.

    Parameters
    ----------
    clock : callable
        Steady seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bar: tqdm[NoReturn] | None = None
        self._done: Counter[int] = Counter()
        self._since: dict[int, float] = {}
        self._told: dict[int, float] = {}
        self.overall = Overall(clock)
        self._told_overall = clock()
        self._waits: dict[str, _Wait] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def show(self, seen: Seen) -> None:
        """Draw, or write, what the queue loop reports."""
        number = seen.acquisition.id
        if seen.what == "started":
            self._since.setdefault(number, self._clock())
            self._told.setdefault(number, self._clock())
        elif seen.what == "done":
            self._done[number] += 1
        elif seen.what == "finished":
            self._finish(number)
        if sys.stderr.isatty():
            self._draw(seen)
        elif seen.what == "done" and self._clock() - self._told.get(number, 0.0) >= LINES_S:
            self._told[number] = self._clock()
            complain(f"{seen.acquisition.name}: {self._progress(seen)}")

    def wait(self, troubles: Sequence[Trouble]) -> None:
        """Tell what a run waits for, once it has lasted a moment, and when that is over."""
        now, reasons = self._clock(), {one.subject: one.reason for one in troubles}
        for subject, reason in reasons.items():
            known = self._waits.setdefault(subject, _Wait(now))
            if reason != known.said and now - known.at >= (_LASTS_S if known.said is None else LINES_S):
                known.at, known.said = now, reason
                self._complain(f"waiting, {subject}: {reason}")
        for subject in [subject for subject in self._waits if subject not in reasons]:
            if self._waits.pop(subject).said is not None:
                self._complain(f"waiting no more, {subject}: it goes on.")

    def _complain(self, sentence: str) -> None:
        self._close()
        complain(sentence)

    def _finish(self, number: int) -> None:
        """One image is over: what was kept of it is forgotten, and now and then all are told of."""
        self.overall.over()
        for known in (self._done, self._since, self._told):
            known.pop(number, None)
        if not sys.stderr.isatty() and str(self.overall) and self._clock() - self._told_overall >= LINES_S:
            self._told_overall = self._clock()
            complain(str(self.overall))

    def _draw(self, seen: Seen) -> None:
        if seen.what == "started":
            self._close()
            self._bar = self._new(seen)
        elif seen.what == "slices" and self._bar is not None:
            self._bar.update(seen.done - self._bar.n)
        elif seen.what in ("done", "failed", "again"):
            self._close()

    def _new(self, seen: Seen) -> tqdm[NoReturn]:
        from tqdm import tqdm

        row, t = seen.acquisition, seen.t
        title = shown(row.name if t is None else f"{row.name} t={row.source_t(t)}", allowed="")
        if (row.size_t or 1) > 1:
            title += f", {self._progress(seen)}"
        title = "; ".join(filter(None, (title, str(self.overall))))
        return tqdm(total=seen.acquisition.size_z, desc=title, unit="slice", file=sys.stderr, leave=False)

    def _progress(self, seen: Seen) -> str:
        """What is done of an acquisition, and how long the rest takes at the pace so far."""
        row = seen.acquisition
        done, total = self._done[row.id], max(row.size_t or 0, self._done[row.id])
        if not 0 < done < total:
            return f"{done} of {counted(total, 'time point')} done"
        left_s = (self._clock() - self._since[row.id]) / done * (total - done)
        return f"{done} of {counted(total, 'time point')} done, {_spoken(left_s)} left"

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class CorrectionBars:
    """Shows, on a terminal, how many time points are corrected, and then how many painted."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None
        self._what = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, what: str, done: int, total: int) -> None:
        """Draw how much of `total` is done."""
        if not sys.stderr.isatty():
            return
        from tqdm import tqdm

        if self._bar is None or what != self._what:
            if self._bar is not None:
                self._bar.close()
            self._what, self._bar = what, tqdm(total=total, desc=what, unit="t", file=sys.stderr, leave=False)
        self._bar.update(done - self._bar.n)


def _pace(each_second: float) -> str:
    """How many in a time, as people say it."""
    for unit, length in (("second", 1.0), ("minute", 60.0)):
        if each_second * length >= 1.0:
            return f"{each_second * length:.1f} a {unit}"
    return f"{each_second * 3600.0:.1f} an hour"


def _spoken(seconds: float) -> str:
    """A time that remains, as people say it."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"about {seconds / length:.0f} {unit}"
    return f"about {max(seconds, 1.0):.0f} s"
