"""The lock that makes the catalog's writer the only one; the kernel frees it when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from storage.errors import DatabaseUnavailableError


class WriterLock:
    """An exclusive lock on a file beside the database."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises
        ------
        DatabaseUnavailableError
            When another process (or another catalog in this one) holds it, or the folder cannot be written.
        """
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DatabaseUnavailableError(
                f"{path.parent} cannot be written ({error.strerror}): choose another folder for the database."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise DatabaseUnavailableError(
                f"Another nusetd (process {holder}) is writing to the database beside {path}: "
                "stop it first, or give this one a database of its own."
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Free the lock. The file stays: removing it would let two processes lock two files of one name."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
