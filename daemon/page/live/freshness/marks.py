"""What tells whether what people see is old: one look for all who ask within a moment, and none without a commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

from sqlalchemy import text
from starlette.concurrency import run_in_threadpool

from daemon.page.live.freshness.until_changed import UntilChanged
from daemon.page.live.stores import pause
from storage.query.changes import CommitWatch, activity_mark, pace_mark, results_mark
from storage.query.snapshots import snapshot

_SHARED_S = 0.3
_LOOK_S = 1.0
_HEARTBEAT_S = 15.0
_MOST_STAMPS = 4096
_PACE_S = 3.0  # work arrives and is begun more often than anybody wants to hear of

_MADE = text("""
    SELECT p.completed_at, p.published_at, p.painted_at,
        (SELECT max(c.id) || ' ' || coalesce(max(c.applied_at), '') FROM corrections c
         WHERE c.acquisition_id = p.acquisition_id) AS corrected
    FROM timepoints p WHERE p.acquisition_id = :number AND p.t = :t
""")


@dataclass(frozen=True)
class Marks:
    """Texts that are others when something has changed.

    Attributes
    ----------
    results, activity, pace : str
        See `storage.query.changes`; the last one may be some seconds old.
    """

    results: str = ""
    activity: str = ""
    pace: str = ""


class MarkReader:
    """Reads the marks of a database.

    Parameters
    ----------
    database : str
    clock : callable
        Steady seconds.
    """

    def __init__(self, database: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._commits = CommitWatch(database)
        self._lock = Lock()
        self._marks = Marks()
        self._looked_at = self._pace_at = float("-inf")
        self._pace_due = False

    def hurry(self) -> None:
        """Somebody changed something: the next look is shared with nobody before."""
        self._looked_at = self._pace_at = float("-inf")

    def look(self) -> Marks:
        """The marks as they are now.

        Raises
        ------
        StorageError
            When the database cannot be read.
        """
        with self._lock:
            now = self._clock()
            if now - self._looked_at <= _SHARED_S:
                return self._marks
            rested = now - self._pace_at > _PACE_S
            if self._commits.changed() or (self._pace_due and rested):
                self._read(now, rested)
            self._looked_at = now
            return self._marks

    def _read(self, now: float, rested: bool) -> None:
        try:
            with snapshot(self._database) as connection:
                results, activity = results_mark(connection), activity_mark(connection)
                rested = rested or (results, activity) != (self._marks.results, self._marks.activity)
                pace = pace_mark(connection) if rested else self._marks.pace
        except BaseException:
            self._commits.forget()  # or it would be tried again only after the next commit
            raise
        self._marks, self._pace_due = Marks(results, activity, pace), not rested
        if rested:
            self._pace_at = now


class Stamps:
    """What pictures of time points were made of: one stays good while that is the same, whatever else is committed.

    It is read once until results change.

    Parameters
    ----------
    database : str
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._known = UntilChanged[tuple[int, int], tuple[str, str]](_MOST_STAMPS)

    def forget(self, mark: object) -> None:
        """Read them anew, if this mark is another one than the last."""
        self._known.forget(mark)

    def of_image(self, number: int, t: int) -> str:
        """Other for another image."""
        return self._of(number, t)[0]

    def of_labels(self, number: int, t: int) -> str:
        """Other for other labels; where people correct them, also after they were painted."""
        return self._of(number, t)[1]

    def _of(self, number: int, t: int) -> tuple[str, str]:
        def read() -> tuple[str, str]:
            with snapshot(self._database) as connection:
                return _stamps(connection.execute(_MADE, {"number": number, "t": t}).one_or_none())

        return self._known.get((number, t), read)


def _stamps(row: Any) -> tuple[str, str]:  # noqa: ANN401 - a row, or none
    if row is None:
        return "", ""
    image = f"{row.completed_at} {row.published_at}"
    return image, image if row.corrected is None else f"{image} {row.painted_at} {row.corrected}"


class MarkNews:
    """Tells all who listen of other marks: one look a second, however many they are, and none while nobody listens.

    Parameters
    ----------
    look : callable
        Reads the marks.
    ending : Event
        Set when the server ends.
    """

    def __init__(self, look: Callable[[], Marks], ending: Event) -> None:
        self._look, self._ending = look, ending
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()  # the next ones; there is another event for those after them
        self._seen = ("", "")  # the marks, and a word that is another one after other results

    async def heard(self) -> AsyncIterator[str | None]:
        """At every change a word, which is another one where results changed; None where long nothing happened."""
        self._listeners += 1
        if self._task is None:
            self._seen = ("", "")
            self._task = asyncio.create_task(self._watch())
        told = ("", "")
        try:
            while not self._ending.is_set():
                if self._seen != told:
                    told = self._seen
                    yield told[1]
                elif not await self._happened():
                    yield None
        finally:
            self._listeners -= 1

    async def _happened(self) -> bool:
        """Wait for news; False where there are none for long."""
        try:
            # No Condition: who is cut off while waiting for one may leave it locked, and then nobody hears, or ends.
            async with asyncio.timeout(_HEARTBEAT_S):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _watch(self) -> None:
        while self._listeners and not self._ending.is_set():
            try:
                marks = await run_in_threadpool(self._look)
                seen = (str(marks), str(hash(marks.results)))
            except Exception as error:  # noqa: BLE001  # else nobody would hear of anything any more
                seen = (f"error {error}", self._seen[1])
            if seen != self._seen:
                self._seen = seen
                self._tell()
            await pause(self._ending, _LOOK_S)
        self._task = None  # before anything else has its turn: who listens from now on begins anew
        self._tell()
