"""The lock that makes the catalog's writer the only one; the kernel, or the server, frees it when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from storage.connection.database_url import safe_url
from storage.errors import AnotherWriterError, DatabaseUnavailableError

# Under which number a PostgreSQL server knows the lock, within one database. Any number would do; it never changes.
_NUMBER = 0x6E75736574


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
            raise AnotherWriterError(
                f"Another nusetd (process {holder}) is writing to the database beside {path}: "
                "stop it first, or give this one a database of its own (both may have one output folder)."
            ) from error
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            self.release()
            raise DatabaseUnavailableError(
                f"{path.parent} cannot be written ({error.strerror}): make room, or choose another folder for the "
                "database."
            ) from error

    def release(self) -> None:
        """Free the lock. The file stays: removing it would let two processes lock two files of one name."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class ServerLock:
    """An advisory lock in a PostgreSQL database, held by a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        """Take the lock.

        Raises
        ------
        DatabaseUnavailableError
            When another process holds it, or the server does not answer.
        """
        self._engine = engine
        self._connection: Connection | None = None
        self.hold()

    def hold(self) -> None:
        """Make sure that the lock is held still: a server that was started anew has forgotten it.

        Raises
        ------
        DatabaseUnavailableError
            As for the constructor.
        """
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
                return
            except (DBAPIError, OSError):  # the driver lets a connection that was reset through as it is
                self.release()
                self._engine.dispose()  # what else lies in the pool was cut with it
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not connection.execute(text(f"SELECT pg_try_advisory_lock({_NUMBER})")).scalar():
            connection.close()
            place = safe_url(self._engine.url.render_as_string(hide_password=False))
            raise AnotherWriterError(
                f"Another nusetd is writing to the database {place}: "
                "stop it first, or give this one a database of its own."
            )
        self._connection = connection

    def release(self) -> None:
        """Free the lock, by ending the connection that holds it."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()
