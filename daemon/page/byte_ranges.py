"""The parts of files that readers of shards ask for."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})$")  # no file has more bytes than 18 digits can tell


def part(asked: str, size: int) -> tuple[int, int] | None:
    """Return (first, end) of the bytes that a Range header asks for, or None for what a file of `size` has not.

    ``bytes=2-4`` are three bytes, ``bytes=2-`` those from the third on, ``bytes=-2`` the last two. Several ranges at
    once are not offered.
    """
    found = _RANGE.match(asked.strip())
    if found is None or found.group(1) == found.group(2) == "":
        return None
    if found.group(1) == "":
        length = int(found.group(2))
        return (max(0, size - length), size) if length and size else None
    first = int(found.group(1))
    end = min(size, int(found.group(2)) + 1) if found.group(2) else size
    return (first, end) if first < end else None
