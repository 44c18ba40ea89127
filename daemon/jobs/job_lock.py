"""Whether somebody works on a job: a lock on a file in its folder, which the kernel opens however its holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

_LOCK = "held.lock"
_PATIENCE_S = 5.0  # whoever looks holds the lock for a moment, too
_PAUSE_S = 0.02


def is_held(folder: Path) -> bool:
    """Say whether a process looks after the job in this folder."""
    try:
        with (folder / _LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold it; False where another process does."""
    end = time.monotonic() + _PATIENCE_S
    with (folder / _LOCK).open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > end:
                    yield False
                    return
                time.sleep(_PAUSE_S)
                continue
            yield True
            return
