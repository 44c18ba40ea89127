"""The catalog: the one writer of the database. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from nuset_engine.nuclei import Nuclei
from storage import naming
from storage.clock import later
from storage.database import analysed, claims, commits, lookups, progress_flags, registration
from storage.database.corrections.around_step import plain_within
from storage.database.renewal import replay, staged_tracks
from storage.database.requests import RequestBook
from storage.database.service_reports import write_report
from storage.database.sources import taken_files
from storage.database.sources.source_book import SourceBook
from storage.database.stores.store_book import StoreBook
from storage.database.upkeep.upkeep_book import UpkeepBook
from storage.database.writer import Writer
from storage.description import Description
from storage.given_facts import GivenFacts
from storage.query import health
from storage.schema.rows import (
    AcquisitionRow,
    AnalysedTimepoint,
    ChannelFact,
    TimepointJob,
    TimepointRow,
    timepoint_row,
)
from storage.schema.states import FINISHED, AcquisitionState, TimepointState
from storage.schema.tables import timepoints, tracker_states

if TYPE_CHECKING:
    from storage.database.track_measures import Measures
    from tracking.tracker import TrackUpdate


class Catalog(Writer):
    """What is known, what is to be done and what was found, in a database that this object alone writes."""

    # What is known

    def register(
        self,
        acquisition: Description,
        *,
        zarr_path: str | Path,
        model_name: str,
        model_sha256: str,
        params: Mapping[str, Any],
        given: GivenFacts | None = None,
        replaces: int | None = None,
        channel: ChannelFact | None = None,
    ) -> AcquisitionRow:
        """Make an acquisition known, or return its row when it is; without `channel`, `params` say it, or it is 0.

        The same source with another model, other parameters or another voxel size is another result with a row of its
        own. `name` and `zarr_path` get a number when they are taken, so use those of the returned row. A source that
        now holds an image of other size keeps its row; its old rows are dropped and it gets a new OME-Zarr.

        Parameters
        ----------
        given : what a person said of this source alone
        replaces : the acquisition that the source was taken for before, see `SourceBook.to_replace`; it keeps its id,
            name and place, and nothing else
        """
        path = naming.as_place(zarr_path)
        channel = channel or ChannelFact(params.get("nuclear_channel", 0), None)
        with self._transaction() as connection:
            model = (model_name, model_sha256)
            now = self._now()
            number = registration.register(connection, acquisition, path, model, params, now, channel, given, replaces)
            return lookups.acquisition(connection, number)

    def set_aside_source(
        self, source_path: str | Path, name: str, reason: str, taken: Iterable[taken_files.Source] = ()
    ) -> AcquisitionRow:
        """Note that a source cannot be opened, and why; a later `register` of the same source takes the row over.

        What it looked like (`taken`) is kept with it: as long as it looks so, it need not be tried again.
        """
        with self._transaction() as connection:
            number = registration.set_aside(connection, Path(source_path), name, reason, self._now())
            taken_files.note(connection, number, taken)
            return lookups.acquisition(connection, number)

    def add_timepoints(
        self,
        acquisition_id: int,
        seen: Mapping[int, str],
        files: Mapping[int, Path] | None = None,
        taken: Sequence[taken_files.Source] = (),
        former: Mapping[int, str] | None = None,
        archive: bool = False,
    ) -> tuple[int, ...]:
        """Queue time points that are new, or whose content changed; return those. Old rows stay until new ones come.

        Parameters
        ----------
        seen, former : mappings of the time point to its fingerprint, as now and as versions before made it
        files : mapping of the time point to its file, kept with the result
        taken, archive : the files that they are from, noted as taken with it; whether they wait for others
        """
        with self._transaction() as connection:
            taken_files.note(connection, acquisition_id, taken)
            now = self._now()
            taken_files.answer_complaints(connection, acquisition_id, taken, now)
            return registration.add_timepoints(connection, acquisition_id, seen, files or {}, now, former, archive)

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

    # What is to be done

    def claim_next(self, at_once: int = 1, without: Collection[int] = (), archives: bool = True) -> TimepointJob | None:
        """Claim the next time point of the oldest acquisition that has one ready; None when there is nothing to do.

        At most `at_once` time points of one acquisition are processed at the same time; those of `without` wait, and
        those of archives are claimed only where `archives` says so, and nothing else is ready.
        """
        with self._transaction() as connection:
            return claims.claim_next(connection, self._now(), at_once, without, archives)

    def commit_timepoint(
        self,
        job: TimepointJob,
        nuclei: Nuclei,
        update: TrackUpdate,
        tracker_state: bytes,
        timings: Mapping[str, float] | None = None,
        quality: Mapping[str, Any] | None = None,
        measures: Measures | None = None,
    ) -> bool:
        """Write rows, track ids, tracks and tracker state, and mark the time point as done, in one transaction.

        Its labels must be on disk by now. `measures` are those of the tracks that are final; where they are not given,
        they are taken here, which takes a while.

        Returns
        -------
        bool
            False when the source changed while it was processed: nothing is written, it is queued again.

        Raises
        ------
        StaleJobError
            When the claim no longer counts.
        """
        now = self._now()
        with self._transaction() as connection, plain_within(connection, job.acquisition_id, now):
            return commits.commit_timepoint(
                connection, job, nuclei, update, tracker_state, timings or {}, quality or {}, measures, now
            )

    def fail_timepoint(
        self, job: TimepointJob, reason: str, retry: bool, pause_s: float = 30.0, counts: bool = True
    ) -> None:
        """Note a failed attempt: queued again after a pause, or set aside.

        An attempt that says nothing about the image (a full disk, a share that is away) is not counted.
        """
        with self._transaction() as connection:
            claims.give_back(connection, job, reason, later(self._clock(), pause_s) if retry else None, counts)

    def abandon(self, acquisition_id: int, reason: str) -> None:
        """Set aside every time point of an acquisition that waits for its turn."""
        with self._transaction() as connection:
            claims.abandon(connection, acquisition_id, reason)

    def blame(self, acquisition_id: int, t: int, reason: str, most: int) -> TimepointState | None:
        """At start: count a crash against the time point that was running, set aside after `most`; None: it was not."""
        with self._transaction() as connection:
            return claims.blame(connection, acquisition_id, t, reason, most)

    def requeue_running(self) -> tuple[tuple[int, int], ...]:
        """At start: queue what the last writer was working on when it died; return (acquisition id, t)."""
        with self._transaction() as connection:
            return claims.requeue_running(connection)

    def retry(self, acquisition_id: int | None = None) -> tuple[int, ...]:
        """Queue what was set aside, of one acquisition or (None) of all; return the ids of the acquisitions touched."""
        with self._transaction() as connection:
            if acquisition_id is not None:
                lookups.acquisition(connection, acquisition_id)
            return claims.retry(connection, acquisition_id, self._now())

    def set_acquisition_state(self, acquisition_id: int, state: AcquisitionState, error: str | None = None) -> None:
        """Change an acquisition's state; one that may not follow the present one is an `IllegalTransitionError`."""
        with self._transaction() as connection:
            lookups.acquisition(connection, acquisition_id)
            completed_at = self._now() if state in FINISHED else None
            claims.set_state(connection, acquisition_id, state, error, completed_at)

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

    def finalise_tracks(
        self, acquisition_id: int, update: TrackUpdate, state: bytes, measures: Measures | None = None
    ) -> None:
        """Write what `Tracker.finish` says; the acquisition's state stays as it is.

        Raises
        ------
        StorageError
            When time points are still waiting or running.
        """
        now = self._now()
        with self._transaction() as connection, plain_within(connection, acquisition_id, now):
            lookups.acquisition(connection, acquisition_id)
            commits.finalise_tracks(connection, acquisition_id, update, state, measures, now)

    def is_waiting(self, acquisition_id: int) -> bool:
        """Say whether time points of an acquisition are awaited: queued, being processed, or analysed and kept."""
        with self._transaction() as connection:
            return claims.is_waiting(connection, acquisition_id)

    def complete_acquisition(self, acquisition_id: int) -> AcquisitionRow:
        """Call an acquisition complete; partial or set aside where time points failed or are missing.

        Raises
        ------
        StorageError
            When time points are still waiting or running, or final tracks are not painted.
        """
        with self._transaction() as connection:
            lookups.acquisition(connection, acquisition_id)
            commits.complete(connection, acquisition_id, self._now())
            return lookups.acquisition(connection, acquisition_id)

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
