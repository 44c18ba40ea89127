"""What was learned from files, kept in mind for as long as the files are the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from storage.readers.file_stamp import FileStamp, file_stamp, is_at_rest

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """The latest `room` answers, each with the state of the files that it came from.

    Parameters
    ----------
    room : int
    let_go : callable
        Told of a value that is forgotten.
    """

    def __init__(self, room: int, let_go: Callable[[Value], object] = lambda value: None) -> None:
        self._room = room
        self._let_go = let_go
        self._known: OrderedDict[Key, tuple[Mapping[Path, FileStamp | None], Value]] = OrderedDict()

    def of(
        self,
        key: Key,
        files: Sequence[Path],
        learn: Callable[[], Value],
        further: Callable[[Value], Sequence[Path]] = lambda value: (),
        lasting: Callable[[Value], bool] = lambda value: True,
    ) -> Value:
        """Return what is known under a key, learned anew when one of the files changed a moment ago, or since.

        Parameters
        ----------
        key : hashable
        files : sequence of Path
            What it is learned from; with none, nothing is kept in mind.
        learn : callable
        further : callable
            Gives the files that turned out to count as well.
        lasting : callable
            Says whether a value is worth to be kept in mind.
        """
        before = self._known.pop(key, None)
        if before is not None and set(files) <= before[0].keys() and _are_as(before[0], list(before[0])):
            self._known[key] = before
            return before[1]
        stamps = _stamps(files)
        value = learn()
        if before is not None and before[1] is not value:
            self._let_go(before[1])
        others = [path for path in further(value) if path not in files]
        stamps = (*stamps, *_stamps(others)) if stamps else ()
        if (
            lasting(value)
            and len(stamps) == len(files) + len(others) > 0
            and all(stamp is None or is_at_rest(stamp) for stamp in stamps)
        ):
            self._known[key] = (dict(zip([*files, *others], stamps, strict=True)), value)
        while len(self._known) > self._room:
            _, (_, oldest) = self._known.popitem(last=False)
            self._let_go(oldest)
        return value

    def __iter__(self) -> Iterator[Value]:
        """Give the values that are kept in mind, the oldest first."""
        return iter([value for _, value in self._known.values()])

    def still(self, key: Key, asked: Callable[[Value], Sequence[Path]]) -> Value | None:
        """Return what is known under a key if the files that are asked for are as they were then, else None.

        Of a value from very many files only a few are looked at so.
        """
        known = self._known.get(key)
        return None if known is None or not _are_as(known[0], asked(known[1])) else known[1]


def _are_as(before: Mapping[Path, FileStamp | None], files: Sequence[Path]) -> bool:
    """Say whether files, and at least one, are as they were before."""
    now = _stamps(files)
    return len(now) == len(files) > 0 and all(
        path in before and before[path] == stamp for path, stamp in zip(files, now, strict=True)
    )


def _stamps(files: Sequence[Path]) -> tuple[FileStamp | None, ...]:
    """Return the states of files, None for one that is not there; nothing where one cannot be asked."""
    try:
        return tuple(_stamp(path) for path in files)
    except OSError:
        return ()


def _stamp(path: Path) -> FileStamp | None:
    try:
        return file_stamp(path.stat())
    except FileNotFoundError:
        return None
