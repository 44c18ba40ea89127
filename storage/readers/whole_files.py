"""Which of an image's many files are whole, at a cost that hardly grows with how many were seen to be."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from storage.readers.file_stamp import FileStamp, file_stamp, is_at_rest

_OF_LATE_NS = 60_000_000_000
_FEWEST, _SHARE = 100, 50  # asked again in a look: at least so many, and this part of all


class WholeFiles:
    """The files of one image that are whole; one that was is not looked into again while its state is the same.

    Of those that were seen whole, the state is asked again in each look where it changed within a minute before the
    newest one; the others have their turn within 50 looks. Whoever reads a file looks whether it is still whole.

    Parameters
    ----------
    is_whole : callable
        Looks into a file.
    """

    def __init__(self, is_whole: Callable[[Path], bool]) -> None:
        self._is_whole = is_whole
        self._known: dict[Path, FileStamp] = {}
        self._of_late: set[Path] = set()
        self._round: deque[Path] = deque()
        self._lock = Lock()

    def among(self, files: Sequence[Path]) -> list[Path]:
        """Return those of all files of the image that are whole, in their order."""
        with self._lock:
            broken = self._broken(files)
        return [file for file in files if file not in broken] if broken else list(files)

    def _broken(self, files: Sequence[Path]) -> set[Path]:
        new = [file for file in files if file not in self._known]
        if len(self._known) + len(new) > len(files):
            for file in self._known.keys() - set(files):
                del self._known[file]
        asked = {*new, *self._next(), *(file for file in self._of_late if file in self._known)}
        broken = {file for file in asked if not self._is_still_whole(file)}
        newest = max((self._known[file].mtime_ns for file in asked if file in self._known), default=0)
        self._of_late = {
            file for file in asked if file in self._known and self._known[file].mtime_ns > newest - _OF_LATE_NS
        }
        return broken

    def _next(self) -> list[Path]:
        """Return those whose turn it is."""
        if not self._round:
            self._round.extend(self._known)
        count = min(len(self._round), max(_FEWEST, len(self._known) // _SHARE))
        return [file for file in (self._round.popleft() for _ in range(count)) if file in self._known]

    def _is_still_whole(self, file: Path) -> bool:
        try:
            stamp = file_stamp(os.stat(file))
        except OSError:
            self._known.pop(file, None)
            return False
        if self._known.get(file) == stamp:
            return True
        self._known.pop(file, None)
        is_whole = self._is_whole(file)
        if is_whole and is_at_rest(stamp):
            self._known[file] = stamp
        return is_whole
