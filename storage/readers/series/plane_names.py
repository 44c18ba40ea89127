"""The names of series with one file per plane: from a file to the name that all share, and back."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from threading import Lock

LETTERS = "tzc"
_PLACEHOLDER = re.compile(r"\{([tzc])\}")
# What stands before a number in a name and belongs to it: "_t", "-z", " ch", "_slice".
_INTRODUCTION = re.compile(
    r"[_\-. ]*(?:time(?:point)?|frame|slice|plane|channel|chan|[A-Za-z]{0,3})[_=]?\{[tzc]\}", re.I
)


def is_series(path: Path) -> bool:
    """Say whether a path stands for a series of planes: its name has a place for the slice's or channel's number."""
    return ("{z}" in path.name or "{c}" in path.name) and not path.exists()


def series_name(path: Path, found: re.Match[str]) -> Path | None:
    """Return the path that stands for the series of a file, of which `found` tells where the numbers are.

    None when the pattern tells nothing but the time point.
    """
    spans = {letter: found.span(letter) for letter in LETTERS if found.groupdict().get(letter) is not None}
    if not set(spans) & {"z", "c"}:
        return None
    name = path.name
    for letter, (start, end) in sorted(spans.items(), key=lambda one: -one[1][0]):
        name = f"{name[:start]}{{{letter}}}{name[end:]}"
    return path.with_name(name)


def members(path: Path) -> list[Path]:
    """Return the files of a series that are there, sorted.

    Raises
    ------
    OSError
        When its folder cannot be listed.
    """
    return _names(path).among(os.listdir(path.parent))


def numbers(path: Path, file: Path) -> dict[str, int]:
    """Return the numbers in a file's name by letter, 0 for one that it does not have."""
    return dict(zip(LETTERS, _names(path).numbers(file.name) or (0, 0, 0), strict=True))


class _Names:
    """What names in a folder say of one series: each is taken apart once, however often a growing one is looked at."""

    def __init__(self, path: Path) -> None:
        self._folder, self._expression = path.parent, _expression(path)
        self._told: dict[str, tuple[int, ...] | None] = {}  # None for the name of something else
        self._files: list[Path] = []
        self._here: set[str] = set()
        self._lock = Lock()  # each watched folder has a thread of its own

    def among(self, listed: Iterable[str]) -> list[Path]:
        """Return the files of the series that a listing of its folder has, sorted."""
        here = set(listed)
        with self._lock:
            if here != self._here:
                for name in self._told.keys() - here:
                    del self._told[name]
                for name in here - self._told.keys():
                    self._told[name] = self._taken_apart(name)
                kept = {file.name: file for file in self._files}
                mine = sorted(name for name, told in self._told.items() if told is not None)
                self._files = [kept.get(name) or self._folder / name for name in mine]
                self._here = here
            return list(self._files)

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """Return what a name says, in the order of `LETTERS`; None for one that is not of the series."""
        with self._lock:
            return self._told[name] if name in self._told else self._taken_apart(name)

    def _taken_apart(self, name: str) -> tuple[int, ...] | None:
        found = self._expression.fullmatch(name)
        told = None if found is None else found.groupdict()
        return None if told is None else tuple(int(told.get(letter) or 0) for letter in LETTERS)


@lru_cache(maxsize=4)
def _names(path: Path) -> _Names:
    return _Names(path)


def title(text: str) -> str:
    """Return what a series is called: its name without numbers and what introduces them; maybe nothing."""
    return _INTRODUCTION.sub("", text).strip("_-. ")


@lru_cache(maxsize=64)
def _expression(path: Path) -> re.Pattern[str]:
    parts, where = [], 0
    for place in _PLACEHOLDER.finditer(path.name):
        parts += [re.escape(path.name[where : place.start()]), rf"(?P<{place[1]}>\d{{1,9}})"]
        where = place.end()
    return re.compile("".join([*parts, re.escape(path.name[where:])]), re.DOTALL)
