"""The writer's hold on the database: opened by one process at a time, one transaction after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine

from storage import naming
from storage.clock import Clock, iso, utc_now
from storage.connection.availability import check_place, explained
from storage.connection.database_url import safe_url
from storage.connection.engine import writing_engine
from storage.connection.lock import ServerLock, WriterLock
from storage.schema.migrate import upgrade


class Writer:
    """A database that this object alone writes."""

    def __init__(self, engine: Engine, lock: WriterLock | ServerLock | None, clock: Clock) -> None:
        """Use `open`, which checks and migrates."""
        self._engine = engine
        self._lock = lock
        self._clock = clock

    @classmethod
    def open(cls, path_or_url: str | Path, clock: Clock = utc_now) -> Self:
        """Open the database for writing; make it, or bring it to this version's schema, where needed.

        Parameters
        ----------
        path_or_url : str or Path
            A database file, a folder (its ``nusetd.sqlite``), or a database URL.
        clock : callable
            Gives the present moment.

        Raises
        ------
        DatabaseUnavailableError
            When another process writes to it, it lies on a network share, it is damaged or not ours.
        NewerSchemaError
            When a newer nusetd wrote it.
        """
        url = naming.database_url(path_or_url)
        path = naming.sqlite_path(url)
        lock: WriterLock | ServerLock
        with ExitStack() as undone:
            if path is not None:
                check_place(path)
                lock = WriterLock(naming.lock_path(path))
                undone.callback(lock.release)
            engine = writing_engine(url)
            undone.callback(engine.dispose)
            with explained(safe_url(url)):
                if path is None:
                    lock = ServerLock(engine)
                    undone.callback(lock.release)
                upgrade(engine)
            undone.pop_all()
        return cls(engine, lock, clock)

    def close(self) -> None:
        """Close the database and let another writer in."""
        if isinstance(self._lock, ServerLock):
            self._lock.release()
        self._engine.dispose()
        if isinstance(self._lock, WriterLock):
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The database's URL, without its password."""
        return safe_url(self.address)

    @property
    def address(self) -> str:
        """The database's URL as a process on this machine needs it to read; not for messages."""
        return self._engine.url.render_as_string(hide_password=False)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with explained(self.url):
            if isinstance(self._lock, ServerLock):
                self._lock.hold()
            with self._engine.begin() as connection:
                yield connection

    def _now(self) -> str:
        return iso(self._clock())
