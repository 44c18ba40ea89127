"""What keeps results from being stored, in a file beside the database: a full or locked database cannot take it.

The file has its size from the start, so that writing needs no room.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from storage import naming

_SIZE = 4096
_SHOWN = 800  # characters of one


def trouble_note_path(database: str | Path) -> Path | None:
    """Return where the note of the service on a database lies; None for a database on a server."""
    path = naming.sqlite_path(naming.database_url(database))
    return None if path is None else path.with_name(f"{path.name}.trouble")


class TroubleNote:
    """Written by the service; what cannot be written is left out, since whoever asks then sees it by itself."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._handle = -1
        self._told: tuple[str, ...] | None = None
        if path is not None:
            with suppress(OSError):
                self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.write(())

    def write(self, troubles: Sequence[str]) -> None:
        """Say what troubles there are now."""
        if self._handle < 0 or tuple(troubles) == self._told:
            return
        self._told = tuple(troubles)
        text = json.dumps([trouble[:_SHOWN] for trouble in troubles][:4]).encode()
        with suppress(OSError):
            os.pwrite(self._handle, text.ljust(_SIZE)[:_SIZE], 0)

    def close(self) -> None:
        """The service ends."""
        if self._handle >= 0 and self._path is not None:
            os.close(self._handle)
            self._handle = -1
            with suppress(OSError):
                self._path.unlink()


def read_note(database: str | Path) -> tuple[str, ...]:
    """Return what the service on a database says is in the way; nothing where it says nothing."""
    path = trouble_note_path(database)
    if path is None:
        return ()
    try:
        return tuple(map(str, json.loads(path.read_bytes().decode())))
    except (OSError, ValueError):
        return ()
