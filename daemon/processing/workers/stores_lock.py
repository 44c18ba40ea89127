"""The lock on who writes into stores: the workers of one service, and none of a killed one that is still dying.

It is taken by the service and inherited by its workers, through the descriptor: so it is free when all of them are
gone, in whatever order they went.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from daemon.errors import DaemonError


class StoresLock:
    """A lock on a file beside the database.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def descriptor(self) -> int | None:
        """What workers inherit; None while it is not held."""
        return self._file

    def take(self) -> bool:
        """Take it, if it is not held by this process; False while another one has it.

        Raises
        ------
        DaemonError
            When the file cannot be written.
        """
        if self._file is not None:
            return True
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DaemonError(f"{self._path} cannot be written ({error.strerror}): see who owns its folder.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Let go of it; it is free when all who inherited it are gone."""
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
