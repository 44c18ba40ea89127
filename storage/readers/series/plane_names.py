"""The names of series with one file per plane: from a file to the name that all share, and back."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

LETTERS = "tzc"
_PLACEHOLDER = re.compile(r"\{([tzc])\}")
# What stands before a number in a name and belongs to it: "_t", "-z", " ch".
_INTRODUCTION = re.compile(r"[_\-. ]*[A-Za-z]{0,3}\{[tzc]\}")
# A number in a name that may be a time point's, a slice's or a channel's.
_NUMBERED = re.compile(r"(?P<before>[_\-. ])(?P<word>t|z|ch|c)(?P<number>\d{1,5})(?=[_\-. ]|$)", re.IGNORECASE)


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
    expression, folder = _expression(path), path.parent
    return [folder / name for name in sorted(os.listdir(folder)) if expression.fullmatch(name)]


def numbers(path: Path, file: Path) -> dict[str, int]:
    """Return the numbers in a file's name by letter, 0 for one that it does not have."""
    found = _expression(path).fullmatch(file.name)
    told = found.groupdict() if found is not None else {}
    return {letter: int(told.get(letter) or 0) for letter in LETTERS}


def title(text: str) -> str:
    """Return what a series is called: its name without numbers and what introduces them; maybe nothing."""
    return _INTRODUCTION.sub("", text).strip("_-. ")


def doubt_of_plane(path: Path, text: str) -> str | None:
    """Return what to say of a file that is taken alone but named like one plane of several; None where it is not.

    `text` is its name without ending. Only where the next or former slice or channel lies beside it.
    """
    words = list(_NUMBERED.finditer(text))
    told = [word["word"][0].lower() for word in words]
    beside = next((file for word in words if word["word"][0] not in "tT" for file in _beside(path, word)), None)
    if beside is None or len(set(told)) < len(told):
        return None
    parts = [
        f"{re.escape(word['before'])}{word['word']}(?P<{letter}>\\d+)" for word, letter in zip(words, told, strict=True)
    ]
    gaps = ["" if one.end() == other.start() else ".*" for one, other in pairwise(words)]
    end = "" if words[-1].end() == len(text) else ".*"
    pattern = "(?P<name>.+)" + "".join(part + gap for part, gap in zip(parts, [*gaps, end], strict=True))
    return (
        f"is named like one plane of several, as {beside.name} beside it is, and is taken for an image of its own: if "
        f"they are one image, give --pattern '{pattern}' (pattern of the watch), else --pattern none"
    )


def _beside(path: Path, word: re.Match[str]) -> Iterator[Path]:
    """Give the files of the next and the former number that are there."""
    start, end = word.span("number")
    for number in (int(word["number"]) + 1, int(word["number"]) - 1):
        if number >= 0:
            other = path.with_name(f"{path.name[:start]}{number:0{end - start}d}{path.name[end:]}")
            if other.exists():
                yield other


@lru_cache(maxsize=64)
def _expression(path: Path) -> re.Pattern[str]:
    parts, where = [], 0
    for place in _PLACEHOLDER.finditer(path.name):
        parts += [re.escape(path.name[where : place.start()]), rf"(?P<{place[1]}>\d{{1,9}})"]
        where = place.end()
    return re.compile("".join([*parts, re.escape(path.name[where:])]), re.DOTALL)
