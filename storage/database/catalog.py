"""The catalog: the one writer of the database. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, Engine, select

from nuset_engine.nuclei import Nuclei
from storage import naming
from storage.clock import Clock, iso, later, utc_now
from storage.connection.availability import check_place, explained
from storage.connection.engine import safe_url, writing_engine
from storage.connection.lock import ServerLock, WriterLock
from storage.database import claims, commits, lookups, progress_flags, registration, requests, taken_files
from storage.database.records import nuclei_from_rows
from storage.database.service_reports import write_report
from storage.database.source_book import SourceBook
from storage.description import Description
from storage.query import health
from storage.schema.migrate import upgrade
from storage.schema.rows import AcquisitionRow, TimepointJob, TimepointRow, timepoint_row
from storage.schema.states import FINISHED, AcquisitionState, TimepointState
from storage.schema.tables import nuclei as nuclei_table
from storage.schema.tables import timepoints, tracker_states

if TYPE_CHECKING:
    from tracking.tracker import TrackUpdate


class Catalog:
    """What is known, what is to be done and what was found, in a database that this object alone writes."""

    def __init__(self, engine: Engine, lock: WriterLock | ServerLock | None, clock: Clock) -> None:
        """Use `Catalog.open`, which checks and migrates."""
        self._engine, self._lock, self._clock = engine, lock, clock

    @classmethod
    def open(cls, path_or_url: str | Path, clock: Clock = utc_now) -> Catalog:
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
        return str(self._engine.url)

    # What is known

    def register(
        self,
        acquisition: Description,
        *,
        zarr_path: str | Path,
        model_name: str,
        model_sha256: str,
        params: Mapping[str, Any],
    ) -> AcquisitionRow:
        """Make an acquisition known, or return its row when it is.

        The same source with another model, other parameters or another voxel size is another result with a row of its
        own. `name` and `zarr_path` get a number when they are taken, so use those of the returned row. A source that
        now holds an image of other size keeps its row; its old rows are dropped and it gets a new OME-Zarr.
        """
        path = naming.as_place(zarr_path)
        with self._transaction() as connection:
            model = (model_name, model_sha256)
            number = registration.register(connection, acquisition, path, model, params, self._now())
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
        taken: Iterable[taken_files.Source] = (),
        former: Mapping[int, str] | None = None,
    ) -> tuple[int, ...]:
        """Queue time points that are new, or whose content changed; return those.

        Old rows stay readable until the commit of the new ones replaces them.

        Parameters
        ----------
        seen, former : mappings of the time point to its fingerprint, as now and as versions before made it
        files : mapping of the time point to the file that holds it, to be kept with the result
        taken : the files that they are from, which are noted as taken in the same transaction
        """
        with self._transaction() as connection:
            taken_files.note(connection, acquisition_id, taken)
            return registration.add_timepoints(connection, acquisition_id, seen, files or {}, self._now(), former)

    @property
    def sources(self) -> SourceBook:
        """Where sources lie."""
        return SourceBook(self._transaction)

    # What is asked

    def ask(self, path: str) -> int:
        """Ask the running service to take a file as it is; return the request's number."""
        with self._transaction() as connection:
            return requests.ask(connection, path, self._now())

    def unanswered(self) -> list[requests.SubmitRequest]:
        """Return what was asked and not answered yet, oldest first."""
        with self._transaction() as connection:
            return requests.unanswered(connection)

    def answer(self, number: int, accepted: bool, text: str) -> None:
        """Answer what was asked."""
        with self._transaction() as connection:
            requests.answer(connection, number, accepted, text, self._now())

    def answer_to(self, number: int) -> requests.SubmitRequest | None:
        """Return a request with what the service made of it."""
        with self._transaction() as connection:
            return requests.answer_to(connection, number)

    # What is to be done

    def claim_next(self) -> TimepointJob | None:
        """Claim the next time point of the oldest acquisition that has one ready; None when there is nothing to do."""
        with self._transaction() as connection:
            return claims.claim_next(connection, self._now())

    def commit_timepoint(
        self,
        job: TimepointJob,
        nuclei: Nuclei,
        update: TrackUpdate,
        tracker_state: bytes,
        timings: Mapping[str, float] | None = None,
        quality: Mapping[str, Any] | None = None,
    ) -> bool:
        """Write rows, track ids, tracks and tracker state, and mark the time point as done, in one transaction.

        Its labels must be on disk by now.

        Returns
        -------
        bool
            False when the source changed while it was processed: nothing is written, it is queued again.

        Raises
        ------
        StaleJobError
            When the claim no longer counts.
        """
        with self._transaction() as connection:
            now = self._now()
            return commits.commit_timepoint(
                connection, job, nuclei, update, tracker_state, timings or {}, quality or {}, now
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
        """Change an acquisition's state.

        Raises
        ------
        IllegalTransitionError
            When the state may not follow the present one.
        """
        with self._transaction() as connection:
            lookups.acquisition(connection, acquisition_id)
            completed_at = self._now() if state in FINISHED else None
            claims.set_state(connection, acquisition_id, state, error, completed_at)

    def finalise_tracks(self, acquisition_id: int, update: TrackUpdate, state: bytes, anew: bool = False) -> None:
        """Write what `Tracker.finish`, or (`anew`) `replay_all`, says; the acquisition's state stays as it is.

        Raises
        ------
        StorageError
            When time points are still waiting or running.
        """
        with self._transaction() as connection:
            lookups.acquisition(connection, acquisition_id)
            commits.finalise_tracks(connection, acquisition_id, update, state, anew)

    def is_waiting(self, acquisition_id: int) -> bool:
        """Say whether time points of an acquisition wait for their turn, or are being processed."""
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

    def unpublished(self, acquisition_id: int) -> list[int]:
        """Return the time points that are done but not marked as visible in ``labels/nuclei``, ascending."""
        with self._transaction() as connection:
            return progress_flags.unpublished(connection, acquisition_id)

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
        unit = self.acquisition(acquisition_id).unit
        for row in self.timepoints(acquisition_id):
            if row.nuclei_count is None:
                continue
            here = (nuclei_table.c.acquisition_id == acquisition_id) & (nuclei_table.c.t == row.t)
            with self._transaction() as connection:
                rows = connection.execute(select(nuclei_table).where(here).order_by(nuclei_table.c.id)).mappings().all()
            yield nuclei_from_rows(row.t, unit, rows)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with explained(self.url):
            if isinstance(self._lock, ServerLock):
                self._lock.hold()
            with self._engine.begin() as connection:
                yield connection

    def _now(self) -> str:
        return iso(self._clock())
