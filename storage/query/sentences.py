"""Sentences for people that say the same of one file after another: each kind is said once, or a few times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def kind(sentence: str, *names: object) -> str:
    """Return what a sentence says apart from these names and all numbers: the same for others of its kind."""
    for name in sorted({str(name) for name in names} - {""}, key=len, reverse=True):
        sentence = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "\N{HORIZONTAL ELLIPSIS}", sentence)
    return _NUMBER.sub("#", sentence)


def first_of_kinds(sentences: Iterable[str]) -> list[str]:
    """Return the first sentence of each kind, in their order."""
    found: dict[str, str] = {}
    for one in sentences:
        found.setdefault(kind(one), one)
    return list(found.values())


def kind_for(sentence: str, path: str | Path, *names: str) -> str:
    """Return the kind of a sentence about a file: without its path, its folder's and its name."""
    about = Path(path)
    return kind(sentence, about, about.parent, about.name, about.stem, about.name.partition(".")[0], *names)
