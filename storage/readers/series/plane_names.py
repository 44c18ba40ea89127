"""The names of series with one file per plane: from a file to the name that all share, and back."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from storage.readers.names_in_folder import NamesInFolder

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
    return list(_names(path).now()[0].values())


def numbers(path: Path, file: Path) -> dict[str, int]:
    """Return the numbers in a file's name by letter, 0 for one that it does not have."""
    return dict(zip(LETTERS, _names(path).told(file.name) or (0, 0, 0), strict=True))


@lru_cache(maxsize=4)
def _names(path: Path) -> NamesInFolder[tuple[int, ...]]:
    expression = _expression(path)

    def take_apart(name: str) -> tuple[int, ...] | None:
        found = expression.fullmatch(name)
        told = None if found is None else found.groupdict()
        return None if told is None else tuple(int(told.get(letter) or 0) for letter in LETTERS)

    return NamesInFolder(path.parent, take_apart)


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
