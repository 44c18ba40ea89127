"""A place in the lines that events give: behind an event, or within one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from storage.errors import WrongRequestError

CHANGES, NUCLEI, TRACKS, WHOLE = range(4)
"""The parts of an event, in the order of their lines; the last is its own line, which ends it."""

_LETTERS = {CHANGES: "c", NUCLEI: "n", TRACKS: "k"}
_WRITTEN = re.compile(r"(\d{1,18})(?:([cnk])(\d{1,18})(?:\.(\d{1,18}))?)?")


@dataclass(frozen=True, order=True)
class Cursor:
    """Everything up to here was told.

    Attributes
    ----------
    event : int
        The number of an event.
    part : int
        How far in it; `WHOLE`: to its end.
    first, second : int
        Within a part: which change, which time point and label of a nucleus, which track.
    """

    event: int
    part: int = WHOLE
    first: int = 0
    second: int = 0

    def __str__(self) -> str:
        if self.part == WHOLE:
            return str(self.event)
        behind = f".{self.second}" if self.part == NUCLEI else ""
        return f"{self.event}{_LETTERS[self.part]}{self.first}{behind}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what was written.

        Raises
        ------
        WrongRequestError
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None or (found[2] == "n") != (found[4] is not None):
            raise WrongRequestError(
                f"{text[:60]!r} is no cursor: give one that a line carried, 'start' for all that was ever committed, "
                "or none for what comes from now on."
            )
        if found[2] is None:
            return cls(int(found[1]))
        part = next(part for part, letter in _LETTERS.items() if letter == found[2])
        return cls(int(found[1]), part, int(found[3]), int(found[4] or 0))


START = Cursor(0)
