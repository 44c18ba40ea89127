"""The service's side of the process that looks into files: asks, hears the answers, ends it when it hangs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection

from daemon import logs
from daemon.children.child import Child, ChildGoneError
from daemon.watching.inspection import Answer, InspectionRequest, Open, Stuck

Then = Callable[[Answer], None]

# Requests that the process may have before it at once, so that it never waits for the next one.
_AHEAD = 16
# One that crashed tells how within this time; one that hangs in the kernel, with its share, is not waited for.
_PATIENCE_S, _LAST_PATIENCE_S = 0.2, 2.0


class InspectionClient:
    """Asks one process after the other; `turn` is called often and never waits.

    Parameters
    ----------
    limit_s : float
        A file that is looked into for longer than this ends the process, and is `Stuck`.
    clock : callable
        Steady seconds.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float]) -> None:
        self._limit_s = limit_s
        self._child: Child[InspectionRequest, Answer] = Child("daemon.watching.inspection_process", clock)
        self._waiting: deque[tuple[InspectionRequest, Then]] = deque()
        self._sent: deque[Then] = deque()

    @property
    def load(self) -> int:
        """How many requests are not answered yet."""
        return len(self._waiting) + len(self._sent)

    @property
    def connection(self) -> Connection | None:
        """What to wait for when there is nothing else to do."""
        return self._child.connection if self._sent else None

    @property
    def pid(self) -> int | None:
        """The process id, None when none runs."""
        return self._child.pid

    def ask(self, request: InspectionRequest, then: Then) -> None:
        """Have a request answered; `then` is called from a later `turn`."""
        self._waiting.append((request, then))

    def turn(self) -> None:
        """Hear what was answered, ask what waits, end what hangs."""
        self._hear()
        given = self._child.given
        if given and self._child.silent_s > self._limit_s * _weight(given[0]):
            self._replace(f"did not come to an end within {self._limit_s:g} s")
        self._send()

    def stop(self) -> None:
        """End the process; what was asked is forgotten."""
        self._waiting.clear()
        self._sent.clear()
        self._child.blame(_PATIENCE_S)
        self._child.reap(_LAST_PATIENCE_S)

    def _hear(self) -> None:
        try:
            while self._sent and (answer := self._child.hear()) is not None:
                self._child.answered()
                self._sent.popleft()(answer)
        except ChildGoneError:
            self._replace("crashed")

    def _send(self) -> None:
        while self._waiting and len(self._sent) < _AHEAD:
            if self._child.pid is None:
                self._child.start()
            request, then = self._waiting[0]
            if not self._child.give(request):
                if self._sent:
                    return  # the next `turn` hears of it
                self._child.end(_PATIENCE_S)  # it died without having been asked anything: another one may do
                continue
            self._waiting.popleft()
            self._sent.append(then)

    def _replace(self, fate: str) -> None:
        """The first request that is not answered is to blame; the others are asked again."""
        blame = self._child.blame(_PATIENCE_S)
        assert blame.request is not None
        then, *others = self._sent
        self._sent.clear()
        self._waiting.extendleft(reversed([*zip(blame.others, others, strict=True)]))
        name = blame.request.paths[0] if isinstance(blame.request, Open) else blame.request.path
        how = f" ({blame.how})" if fate == "crashed" else ""
        logs.warning("reader " + fate, path=name)
        then(Stuck(f"The program that looks into files {fate}{how} over {name}."))


def _weight(request: InspectionRequest) -> int:
    """Opening many files at once may take as long as each of them may."""
    return len(request.paths) if isinstance(request, Open) else 1
