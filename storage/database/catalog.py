"""The catalog: the one writer of the database. Every method is one transaction.

It is made of the parts that register, claim and commit, each in a module of its own; what else it says stands here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from sqlalchemy import select

from nuset_engine.nuclei import Nuclei
from storage.database import analysed, lookups, progress_flags
from storage.database.claims import Claims
from storage.database.commits import Commits
from storage.database.registration import Registration
from storage.database.renewal import replay, staged_tracks
from storage.database.requests import RequestBook
from storage.database.service_reports import write_report
from storage.database.sources.source_book import SourceBook
from storage.database.stores.store_book import StoreBook
from storage.database.upkeep.upkeep_book import UpkeepBook
from storage.database.writer import Writer
from storage.query import health
from storage.schema.rows import (
    AcquisitionRow,
    AnalysedTimepoint,
    TimepointJob,
    TimepointRow,
    timepoint_row,
)
from storage.schema.states import AcquisitionState
from storage.schema.tables import timepoints, tracker_states


class Catalog(Writer, Registration, Claims, Commits):
    """What is known, what is to be done and what was found, in a database that this object alone writes."""

    # What is known

    @cached_property
    def stores(self) -> StoreBook:
        """Whose stores are whose."""
        return StoreBook(self._transaction, self._now)

    @property
    def sources(self) -> SourceBook:
        """Where sources lie."""
        return SourceBook(self._transaction, self._now)

    @cached_property
    def requests(self) -> RequestBook:
        """What is asked of the running service."""
        return RequestBook(self._transaction, self._now)

    @cached_property
    def upkeep(self) -> UpkeepBook:
        """Results after they are made."""
        return UpkeepBook(self._transaction, self._now)

    # What is analysed and waits

    def turn_of(self, job: TimepointJob) -> analysed.Turn:
        """Say when the result of a claimed time point can become rows."""
        with self._transaction() as connection:
            return analysed.turn_of(connection, job)

    def keep(self, result: AnalysedTimepoint) -> None:
        """Keep the result of a claimed time point until its turn comes; its labels must be on disk by now.

        Raises
        ------
        StaleJobError
            When the claim no longer counts.
        """
        with self._transaction() as connection:
            analysed.keep(connection, result.job, result.nuclei, result.timings, result.quality)

    def next_kept(self, acquisition_id: int) -> AnalysedTimepoint | None:
        """Return the kept result whose turn it is, if there is one."""
        with self._transaction() as connection:
            return analysed.next_in_order(connection, acquisition_id)

    def acquisitions_with_kept(self) -> tuple[int, ...]:
        """Return the acquisitions that have kept results."""
        with self._transaction() as connection:
            return analysed.acquisitions_with_any(connection)

    def set_aside_kept(self, acquisition_id: int, reason: str) -> tuple[int, ...]:
        """Set aside the kept results of an acquisition, of which no tracks can be made; return their t."""
        with self._transaction() as connection:
            return analysed.set_aside(connection, acquisition_id, reason)

    # Tracks made anew

    def wants_replay(self, acquisition_id: int) -> bool:
        """Say whether the tracks of an acquisition are to be made anew, and everything that it takes is there."""
        with self._transaction() as connection:
            return analysed.wants_replay(connection, acquisition_id)

    def clear_staged(self, acquisition_id: int) -> bool:
        """Remove some of what an interrupted replay left aside; True when nothing is left."""
        with self._transaction() as connection:
            return staged_tracks.clear(connection, acquisition_id)

    def stage(self, acquisition_id: int, piece: staged_tracks.StagedRows) -> None:
        """Write a piece of new tracks aside."""
        with self._transaction() as connection:
            staged_tracks.write(connection, acquisition_id, piece)

    def make_current(self, acquisition_id: int, replayed: replay.Replayed) -> None:
        """Let readers see the new tracks, all of which lie aside, in place of the old ones.

        Raises
        ------
        StaleJobError
            When what was replayed is not what is there any more: nothing changes.
        """
        with self._transaction() as connection:
            staged_tracks.make_current(connection, acquisition_id, replayed, self._now())

    # What readers have been shown

    def all_unpublished(self) -> list[tuple[int, int]]:
        """Return (acquisition id, t) of all time points that are done but not marked as visible."""
        with self._transaction() as connection:
            return progress_flags.all_unpublished(connection)

    def unpainted(self) -> list[tuple[int, int]]:
        """Return (acquisition id, t) of all time points whose tracks are final but not marked as painted."""
        with self._transaction() as connection:
            return progress_flags.all_unpainted(connection)

    def mark_published(self, acquisition_id: int, t: int) -> None:
        """Note that time point t is visible in ``labels/nuclei``."""
        with self._transaction() as connection:
            progress_flags.mark_published(connection, acquisition_id, t, self._now())

    def unpainted_final(self, acquisition_id: int) -> list[tuple[int, dict[int, int]]]:
        """Return (t, {label: track id}) of time points whose tracks are final but not marked as painted, ascending."""
        with self._transaction() as connection:
            return progress_flags.unpainted_final(connection, acquisition_id)

    def next_unpainted(self, acquisition_id: int) -> tuple[int, dict[int, int]] | None:
        """Return the first of those of `unpainted_final` that is published; None when there is none."""
        with self._transaction() as connection:
            return progress_flags.next_unpainted(connection, acquisition_id)

    def mark_painted(self, acquisition_id: int, t: int) -> None:
        """Note that time point t is visible in ``labels/tracks``."""
        with self._transaction() as connection:
            progress_flags.mark_painted(connection, acquisition_id, t, self._now())

    # What the service knows of itself

    def report(self, report: Mapping[str, Any]) -> None:
        """Keep what the service says of itself, in place of what it said before."""
        with self._transaction() as connection:
            write_report(connection, report, self._now())

    def queue_state(self) -> health.QueueState:
        """Return how many time points wait, and how the most recent ones went."""
        with self._transaction() as connection:
            return health.queue_state(connection, self._clock())

    def recent_quality(self, acquisition_id: int, t: int, count: int) -> health.Course:
        """Return how an acquisition went up to time point t: its latest `count` time points, and its first ones."""
        with self._transaction() as connection:
            return health.course(connection, acquisition_id, t, count)

    # Reading back what the writer needs

    def acquisition(self, acquisition_id: int) -> AcquisitionRow:
        """Return an acquisition's row.

        Raises
        ------
        UnknownAcquisitionError
            When there is none with this id.
        """
        with self._transaction() as connection:
            return lookups.acquisition(connection, acquisition_id)

    def acquisitions(self, state: AcquisitionState | None = None) -> list[AcquisitionRow]:
        """Return all acquisitions, or those in one state, oldest first."""
        with self._transaction() as connection:
            return lookups.acquisitions(connection, state)

    def unread(self) -> list[AcquisitionRow]:
        """Return the sources that are queued but could never be opened: `retry` asked for them."""
        with self._transaction() as connection:
            return lookups.unread(connection)

    def timepoints(self, acquisition_id: int) -> list[TimepointRow]:
        """Return an acquisition's time points, ascending."""
        mine = timepoints.c.acquisition_id == acquisition_id
        with self._transaction() as connection:
            rows = connection.execute(select(timepoints).where(mine).order_by(timepoints.c.t)).mappings()
            return [timepoint_row(row) for row in rows]

    def tracker_state(self, acquisition_id: int) -> bytes | None:
        """Return what the tracker's `state()` was after its last committed time point."""
        mine = tracker_states.c.acquisition_id == acquisition_id
        with self._transaction() as connection:
            state = connection.execute(select(tracker_states.c.state).where(mine)).scalar()
            return None if state is None else bytes(state)

    def stored_nuclei(self, acquisition_id: int) -> Iterator[Nuclei]:
        """Give the tables of all time points that have one, in order of t, exactly as they were committed."""
        with self._transaction() as connection:
            return iter(list(replay.stored_nuclei(connection, acquisition_id)))
