"""The database file is still the file that was opened: not deleted, replaced or moved under a running writer.

SQLite goes on writing into a file that has no name any more, and all of it is lost with the process. So the writer
compares before and after each transaction, and a second writer finds the file locked under whatever name, and the name
locked whatever became of the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import sqlite3
from pathlib import Path

from storage.errors import DatabaseReplacedError, DatabaseUnavailableError

RESCUED_SUFFIX = ".rescued"


class DatabaseFile:
    """A database file while a writer has it open; the file is made if it is not there.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DatabaseUnavailableError
        When another writer has this file, or this name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = _claimed_name(path)
        # Closed last: to close any descriptor of a file gives up all locks that this process has on it.
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            self._release_name()
            raise DatabaseUnavailableError(
                f"The database {path} cannot be opened ({error.strerror}): check its permissions and its disk."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            self._release_name()
            raise DatabaseUnavailableError(
                f"Another nusetd is writing to {path}, which it may have opened under another name: stop it first."
            ) from error

    def check(self) -> None:
        """See that the file lies where it lay.

        Raises
        ------
        DatabaseReplacedError
            When it does not.
        """
        ours = os.fstat(self._file)
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            fate = "deleted" if ours.st_nlink == 0 else "moved"
        except OSError:
            return  # its disk does not answer: the next transaction says so itself
        else:
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return
            fate = "deleted, and another one lies there" if ours.st_nlink == 0 else "moved, and another one lies there"
        raise DatabaseReplacedError(
            f"The database {self.path} was {fate} while nusetd worked on it: nothing more is written; put it back, "
            "then start the service again."
        )

    def rescue(self, connection: sqlite3.Connection) -> Path | None:
        """Copy what a deleted file holds beside its place, by a connection that has it open; None where it cannot be.

        Only a file that has no name any more: one that was moved is whole where it is.
        """
        if os.fstat(self._file).st_nlink > 0:
            return None
        rescued = self.path.with_name(f"{self.path.name}{RESCUED_SUFFIX}")
        try:
            rescued.unlink(missing_ok=True)
            connection.execute("VACUUM INTO ?", (str(rescued),))
        except (OSError, sqlite3.Error):
            return None
        return rescued

    def close(self) -> None:
        """Let another writer in; after all connections are closed."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._release_name()

    def _release_name(self) -> None:
        if self._name is not None:
            self._name.close()
            self._name = None


def _claimed_name(path: Path) -> socket.socket | None:
    """Hold the path itself, which outlives every file there: a name of the kernel's, freed when the process ends."""
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
    held = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        held.bind(f"\0nusetd.database.{name}")
    except FileNotFoundError:  # no Linux: there are no such names
        held.close()
        return None
    except OSError as error:
        held.close()
        raise DatabaseUnavailableError(
            f"Another nusetd is still writing to a database at {path}, although the file may have gone: stop it first."
        ) from error
    return held
