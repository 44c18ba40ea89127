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
from storage.connection.database_file import DatabaseFile
from storage.connection.database_url import safe_url
from storage.connection.engine import LOOP_TIMEOUT_MS, writing_engine
from storage.connection.lock import ServerLock, WriterLock
from storage.database.book import InTransactions
from storage.database.change_book import ChangeBook
from storage.database.corrections.correction_book import CorrectionBook
from storage.database.ledger.event_book import EventBook
from storage.database.ledger.rule_book import RuleBook
from storage.database.sources.channel_book import ChannelBook
from storage.schema.migrate import upgrade


class Writer(InTransactions):
    """A database that this object alone writes."""

    def __init__(
        self, engine: Engine, lock: WriterLock | ServerLock | None, clock: Clock, file: DatabaseFile | None = None
    ) -> None:
        """Use `open`, which checks and migrates."""
        self._engine = engine
        self._lock = lock
        self._clock = clock
        self._file = file

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
        file = None
        with ExitStack() as undone:
            if path is not None:
                check_place(path)
                lock = WriterLock(naming.lock_path(path))
                undone.callback(lock.release)
                file = DatabaseFile(path)
                undone.callback(file.close)
            engine = writing_engine(url, LOOP_TIMEOUT_MS)
            undone.callback(engine.dispose)
            with explained(safe_url(url)):
                if path is None:
                    lock = ServerLock(engine)
                    undone.callback(lock.release)
                upgrade(engine)
            undone.pop_all()
        return cls(engine, lock, clock, file)

    def close(self) -> None:
        """Close the database and let another writer in."""
        if isinstance(self._lock, ServerLock):
            self._lock.release()
        self._engine.dispose()
        if self._file is not None:
            self._file.close()
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

    @property
    def changes(self) -> ChangeBook:
        """Who changed what."""
        return ChangeBook(self._transaction, self._now)

    @property
    def channels(self) -> ChannelBook:
        """Which channels show nuclei."""
        return ChannelBook(self._transaction, self._now)

    @property
    def corrections(self) -> CorrectionBook:
        """What people say of nuclei and links."""
        return CorrectionBook(self._transaction, self._now)

    @property
    def events(self) -> EventBook:
        """What is told besides results."""
        return EventBook(self._transaction, self._now)

    @property
    def rules(self) -> RuleBook:
        """What rules decided and sent."""
        return RuleBook(self._transaction, self._now)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with explained(self.url):
            if isinstance(self._lock, ServerLock):
                self._lock.hold()
            if self._file is not None:
                self._file.check()
            with self._engine.begin() as connection:
                yield connection
                if self._file is not None:
                    self._file.check()

    def rescue(self) -> Path | None:
        """After a `DatabaseReplacedError`: write what a deleted file held into one beside its place, if it can be."""
        if self._file is None:
            return None
        opened = self._engine.raw_connection()  # the one that has been open all the time
        try:
            return self._file.rescue(opened.driver_connection)  # type: ignore[arg-type]
        finally:
            opened.close()

    def _now(self) -> str:
        return iso(self._clock())
