"""What the names in a folder say of an image with many files, however often a growing one is looked at."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from storage.readers.file_stamp import FileStamp, file_stamp, is_at_rest

Told = TypeVar("Told")
_LISTED_S = 1.0
"""Some disks do not keep the times of folders: for no longer than this, a folder's time tells what is in it."""


class NamesInFolder(Generic[Told]):
    """The files of one image, told by their names: each name is taken apart once, while it is there.

    Parameters
    ----------
    folder : Path
    take_apart : callable
        Returns what a name says, None for one that is not of the image.
    """

    def __init__(self, folder: Path, take_apart: Callable[[str], Told | None]) -> None:
        self._folder, self._take_apart = folder, take_apart
        self._here: set[str] = set()
        self._told: dict[str, Told] = {}
        self._files: dict[str, Path] = {}
        self._stamp: FileStamp | None = None
        self._listed = float("-inf")
        self._lock = Lock()  # each watched folder has a thread of its own

    def now(self) -> tuple[Mapping[str, Path], Mapping[str, Told]]:
        """Return the files that are there now, by name, sorted, and what the names say.

        Files that were there before have the same paths as then.

        Raises
        ------
        OSError
            When the folder cannot be listed.
        """
        with self._lock:
            stamp = file_stamp(os.stat(self._folder))
            if stamp != self._stamp or time.monotonic() - self._listed > _LISTED_S:
                self._follow(set(os.listdir(self._folder)))
                self._stamp = stamp if is_at_rest(stamp) else None
                self._listed = time.monotonic()
            return self._files, self._told

    def told(self, name: str) -> Told | None:
        """Return what a name says, whether it is there or not; None for one that is not of the image."""
        told = self._told.get(name)
        return self._take_apart(name) if told is None else told

    def _follow(self, here: set[str]) -> None:
        gone = self._here - here
        new = {name: told for name in here - self._here if (told := self._take_apart(name)) is not None}
        if new or not gone.isdisjoint(self._told):
            known = self._told | new
            paths = self._files | {name: self._folder / name for name in new}
            self._told = {name: known[name] for name in sorted(known.keys() - gone)}
            self._files = {name: paths[name] for name in self._told}
        self._here = here
