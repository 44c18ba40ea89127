"""Looking into files, in processes of their own: a reader that hangs or crashes costs one file, never the service.

What is asked and answered; the client, which asks, hears the answers and ends a process that hangs; and what such a
process does (`main`). It only reads. A file over which one takes long keeps that process for itself, and another one
goes on with the files behind it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

from daemon import logs
from daemon.children.child import Child, ChildGoneError
from daemon.children.parent import give_way, meet
from daemon.watching.readiness import Identity, identify
from daemon.watching.tree import identify_image
from storage import readers
from storage.errors import IncompleteInputError, StorageError
from storage.found import Found
from storage.given_facts import GivenFacts
from storage.readers import Completion
from storage.readers.presence import are_gone

# Requests that the process may have before it at once, so that it never waits for the next one.
_AHEAD = 16
# One that crashed tells how within this time; one that hangs in the kernel, with its share, is not waited for.
_PATIENCE_S, _LAST_PATIENCE_S = 0.2, 2.0
# A file that takes longer keeps others waiting no more, and so many of them have a process of their own at once.
_SLOW_S, _MOST_SLOW = 2.0, 3


@dataclass(frozen=True)
class Look:
    """Request: what is this file, and does its format say that it is whole? With `own`, results of ours count too."""

    path: Path
    own: bool = False


@dataclass(frozen=True)
class Open:
    """Request: open these files as acquisitions.

    Attributes
    ----------
    paths : tuple of Path
    given, pattern
        As `storage.readers.open_acquisitions` takes them.
    time_points : tuple of int, or None
        Of a growing file, those that are to be taken; None: all that are whole.
    idle : bool
        Only when the computer has nothing else to do.
    """

    paths: tuple[Path, ...]
    given: GivenFacts | None
    pattern: str | None
    time_points: tuple[int, ...] | None = None
    idle: bool = False


@dataclass(frozen=True)
class Gone:
    """Request: which of these sources, each with its files, are not there any more?"""

    sources: Mapping[str, tuple[Path, ...]]

    @property
    def path(self) -> Path:
        """The first of them, to speak of."""
        return Path(next(iter(self.sources)))


@dataclass(frozen=True)
class Looked:
    """Answer to `Look`: `identity` is None when there is nothing to look into; `own` marks a result of ours."""

    identity: Identity | None
    completion: Completion | None = None
    own: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Opened:
    """Answer to `Open`: what the images are, or why they cannot be opened.

    With an error, `may_pass` says that it is about this moment (a share that does not answer), not about the file.
    `beside` has the other files of which each would lead to the same image.
    """

    found: tuple[Found, ...] = ()
    identities: tuple[Identity | None, ...] = ()
    error: str | None = None
    may_pass: bool = False
    beside: Mapping[Path, Identity] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """Answer to `Gone`: the sources of which no file is there."""

    sources: frozenset[str]


@dataclass(frozen=True)
class Stuck:
    """Instead of an answer: the process crashed over this request, or did not come to an end."""

    reason: str


InspectionRequest = Look | Open | Gone
Answer = Looked | Opened | Missing | Stuck
Then = Callable[[Answer], None]


class SupportsInspection(Protocol):
    """What an intake needs of whoever looks into files."""

    def ask(self, request: InspectionRequest, then: Then) -> None: ...


@dataclass
class _Slow:
    """A process with the one request that it takes long over."""

    child: Child[InspectionRequest, Answer]
    request: InspectionRequest
    then: Then


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
        self._clock = clock
        self._child = self._new_child()
        self._slow: list[_Slow] = []
        self._dying: list[Child[InspectionRequest, Answer]] = []
        self._waiting: deque[tuple[InspectionRequest, Then]] = deque()
        self._sent: deque[Then] = deque()

    @property
    def load(self) -> int:
        """How many requests are not answered yet."""
        return len(self._waiting) + len(self._sent) + len(self._slow)

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
        self._slow = [slow for slow in self._slow if not self._is_over(slow)]
        given = self._child.given
        if given and self._hangs(self._child, given[0]):
            self._replace(self._too_long)
        elif given and self._child.silent_s > _SLOW_S and len(given) + len(self._waiting) > 1:
            self._step_aside()
        self._send()

    def stop(self) -> None:
        """End the process; what was asked is forgotten."""
        self._waiting.clear()
        self._sent.clear()
        for child in (self._child, *(slow.child for slow in self._slow), *self._dying):
            child.blame(_PATIENCE_S)
            child.reap(_LAST_PATIENCE_S)
        self._slow.clear()

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
        then(_stuck(blame.request, fate, blame.how))

    def _step_aside(self) -> None:
        """Let another process go on with what waits; the slow one keeps its request, or it is for the end."""
        (request, *others), (then, *thens) = self._child.given, self._sent
        self._sent.clear()
        self._waiting.extendleft(reversed([*zip(others, thens, strict=True)]))
        if len(self._slow) < _MOST_SLOW:
            self._slow.append(_Slow(self._child, request, then))
        else:
            self._child.kill()
            self._end(self._child)
            self._waiting.append((request, then))
        self._child = self._new_child()

    def _is_over(self, slow: _Slow) -> bool:
        """Hear a slow process, and end it after its one answer, or when it hangs."""
        fate = "crashed"
        try:
            answer = slow.child.hear()
            if answer is not None:
                slow.child.kill()  # it would go on with what another one has been asked meanwhile
                self._end(slow.child)
                slow.then(answer)
                return True
            if not self._hangs(slow.child, slow.request):
                return False
            fate = self._too_long
        except ChildGoneError:
            pass
        slow.then(_stuck(slow.request, fate, self._end(slow.child)))
        return True

    def _end(self, child: Child[InspectionRequest, Answer]) -> str:
        """End a process that is asked nothing more; return how it ended."""
        self._dying = [one for one in (*self._dying, child) if one is child or one.dies]
        return child.blame(_PATIENCE_S).how

    def _hangs(self, child: Child[InspectionRequest, Answer], request: InspectionRequest) -> bool:
        return child.silent_s > self._limit_s * _weight(request)

    @property
    def _too_long(self) -> str:
        return f"did not come to an end within {self._limit_s:g} s"

    def _new_child(self) -> Child[InspectionRequest, Answer]:
        return Child("daemon.watching.inspection", self._clock)


def _stuck(request: InspectionRequest, fate: str, how: str) -> Stuck:
    name = request.paths[0] if isinstance(request, Open) else request.path
    told = f" ({how})" if fate == "crashed" else ""
    logs.warning("reader " + fate, path=name)
    return Stuck(f"The program that looks into files {fate}{told} over {name}.")


def _weight(request: InspectionRequest) -> int:
    """Opening many files at once may take as long as each of them may."""
    return len(request.paths) if isinstance(request, Open) else 1


def main() -> None:
    """Answer until the service closes the pipe or dies; started by a client, as `daemon.children.become` says."""
    connection = meet()
    while True:
        try:
            request: InspectionRequest = connection.recv()
        except EOFError:
            return
        if isinstance(request, Open) and request.idle:
            give_way()
        connection.send(inspect(request))


def inspect(request: InspectionRequest) -> Answer:
    """Answer a request; whatever is inside the files, this does not raise."""
    if isinstance(request, Look):
        return _look(request)
    if isinstance(request, Gone):
        return Missing(frozenset(name for name, files in request.sources.items() if are_gone(files)))
    try:
        return _open(request)
    except IncompleteInputError as error:
        return Opened(error=str(error), may_pass=True)
    except StorageError as error:
        return Opened(error=str(error), may_pass=_is_about_the_disk(error))
    except OSError as error:
        return Opened(error=f"{request.paths[0]} cannot be read now ({error.strerror or error}).", may_pass=True)
    except Exception as error:  # noqa: BLE001  # a reader that stumbles over damaged bytes must not cost more than this
        return Opened(error=f"{request.paths[0]} cannot be read ({type(error).__name__}: {error}): export it again.")


def _look(request: Look) -> Looked:
    path = request.path
    started, before = time.perf_counter(), identify(path)  # what belongs to it is looked at once, in the end
    before = before or identify_image(path)  # unless it is all that is there
    if before is None:
        return Looked(None)
    if not request.own and readers.is_own(path):
        return Looked(before, own=True)
    try:
        completion = readers.probe(path)
    except Exception as error:  # noqa: BLE001  # as above
        completion = Completion("incomplete", f"{path} cannot be read ({type(error).__name__}: {error}).")
    return Looked(identify_image(path), completion, seconds=time.perf_counter() - started)


def _open(request: Open) -> Opened:
    identities = tuple(identify_image(path) for path in request.paths)
    opened = readers.open_acquisitions(request.paths, pattern=request.pattern, given=request.given)
    others = {file for acquisition in opened for file in readers.equal_files(acquisition)} - set(request.paths)
    beside = {file: identity for file in sorted(others) if (identity := identify_image(file)) is not None}
    try:
        found = tuple(Found.of(acquisition, request.time_points) for acquisition in opened)
        return Opened(found, identities, beside=beside)
    finally:
        for acquisition in opened:
            readers.let_go(acquisition)


def _is_about_the_disk(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError):
            return True
        error = error.__cause__
    return False
