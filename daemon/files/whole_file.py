"""Files that appear only when they are whole, and what is left of those that never were."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PART = re.compile(r"\.(.+)\.(\d+)\.part")


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give where to write a file, which comes to its place when all is written; otherwise nothing of it is left.

    Another process that writes the same file at the same time writes its own, and the last one stays.
    """
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield unfinished
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def remove_unfinished(targets: Iterable[Path]) -> None:
    """Remove what processes that were killed left of these files; those that still write are left alone."""
    wanted = set(targets)
    for folder in {target.parent for target in wanted}:
        with contextlib.suppress(OSError):  # of a disk that is gone nothing can be removed
            for path in folder.glob(".*.part"):
                part = _PART.fullmatch(path.name)
                if part is not None and folder / part[1] in wanted and not _lives(int(part[2])):
                    path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
