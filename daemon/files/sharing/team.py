"""Several processes at the images of one command: each takes the next one, and outcomes come in the order of images."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Generic, Self

from daemon.children.child import Child, ChildGoneError
from daemon.errors import DaemonError
from daemon.files.sharing.image_process import (
    FromImageProcess,
    ImageDone,
    ImageGiven,
    SaidOfImage,
    WorkBegun,
    WorkRefused,
)
from daemon.files.sharing.work import Found, Hears, Image, ImageNews, Share, Work
from daemon.processing.engine_factory import QUIET_ENGINE

_KILLED = "signal SIGKILL"
_PATIENCE_S = 5.0


class ImageProcessDiedError(DaemonError):
    """The process that was at an image is gone, and said nothing."""


class Member:
    """One of the processes: with what it computes, and whether its work has begun."""

    def __init__(self, share: Share) -> None:
        self.share = share
        self.child: Child[ImageGiven, FromImageProcess] = Child(
            "daemon.files.sharing.image_process", time.monotonic, QUIET_ENGINE
        )
        self.begun = False

    @property
    def idle(self) -> bool:
        """Whether it can be given an image."""
        return self.begun and self.child.pid is not None and not self.child.given


class Team(Generic[Image, Found]):
    """Gives images to processes, and keeps what is said of later ones until those before them are over.

    Parameters
    ----------
    work : Work
    shares : sequence of Share
        One for each process.
    """

    def __init__(self, work: Work[Image, Found], shares: Sequence[Share]) -> None:
        self._work = work
        self._members = [Member(share) for share in shares]
        self._left: deque[ImageGiven] = deque()
        self._said: dict[int, list[ImageNews]] = defaultdict(list)
        self._outcomes: dict[int, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all at once, whatever they are at: a file appears only when it is whole."""
        for member in self._members:
            member.child.kill()
        for member in self._members:
            member.child.end(_PATIENCE_S)
            member.child.reap(_PATIENCE_S)

    def outcomes(self, images: Sequence[Image], tell: Hears) -> Iterator[Found | Exception]:
        """What came of each image in turn, or the error that is about it; `tell` hears what is said of it before.

        Raises
        ------
        DaemonError, StorageError, EngineError, OSError
            When the work cannot begin.
        """
        for member in self._members:
            self._start(member)
        self._left.extend(ImageGiven(number, image) for number, image in enumerate(images))
        for number in range(len(images)):
            while True:
                over = number in self._outcomes
                for said in self._said.pop(number, ()):
                    tell(said)
                if over:
                    break
                self._turn()
            yield self._outcomes.pop(number)

    def _start(self, member: Member) -> None:
        member.begun = False
        member.child.start((self._work, member.share))

    def _turn(self) -> None:
        """Give those that are idle an image, and wait for a word."""
        for member in self._members:
            if member.idle and self._left and member.child.give(self._left[0]):
                self._left.popleft()
        alive = {member.child.connection: member for member in self._members if member.child.connection is not None}
        for connection in wait(list(alive)):
            self._hear(alive[connection])  # type: ignore[index] # it is one of those

    def _hear(self, member: Member) -> None:
        try:
            while (word := member.child.hear()) is not None:
                self._take(member, word)
        except ChildGoneError:
            self._bury(member)

    def _take(self, member: Member, word: FromImageProcess) -> None:
        if isinstance(word, WorkBegun):
            member.begun = True
        elif isinstance(word, WorkRefused):
            raise word.error
        elif isinstance(word, SaidOfImage):
            self._said[member.child.given[0].number].append(word.said)
        elif isinstance(word, ImageDone):
            self._outcomes[member.child.answered().number] = word.outcome

    def _bury(self, member: Member) -> None:
        """One is gone: its image has failed, and another process takes its place, unless memory does for fewer only.

        One that could not even begin is not needed where others can.
        """
        blame = member.child.blame(_PATIENCE_S)
        others = any(other.child.pid is not None for other in self._members)
        if blame.request is not None:
            self._outcomes[blame.request.number] = ImageProcessDiedError(_fate(blame.how))
        elif self._left and not others and not member.begun:
            raise ImageProcessDiedError(f"A process that was to share the images ended as it began ({blame.how}).")
        if self._left and not (others and (blame.how == _KILLED or not member.begun)):
            self._start(member)


def _fate(how: str) -> str:
    """Why an image has no result."""
    if how == _KILLED:
        return (
            f"the process that was at this image was killed ({how}), for want of memory unless somebody did it: do it "
            "again with fewer --workers."
        )
    return f"the process that was at this image died ({how}): do it again by itself, or leave it out."
