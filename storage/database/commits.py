"""The one transaction that makes a time point done: rows, track ids, tracks, the tracker's state, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, bindparam, delete, insert, select, update

from nuset_engine.nuclei import Nuclei
from storage.database import analysed, claims, lookups, progress_flags
from storage.database.book import InTransactions
from storage.database.corrections.around_step import plain_within
from storage.database.ledger import track_changes
from storage.database.ledger.entries import tell
from storage.database.records import DOUBT_COLUMNS, doubts_by_label, nuclei_records, plain, track_record, upsert
from storage.database.track_measures import Measures, measured, with_measures
from storage.errors import StorageError
from storage.schema.event_kinds import RENEWED, EventKind
from storage.schema.rows import AcquisitionRow, TimepointJob
from storage.schema.states import AcquisitionState, TimepointState
from storage.schema.tables import acquisitions, plain_labels, timepoints, tracker_states, tracks
from storage.schema.tables import nuclei as nuclei_table
from storage.version import nusetd_version

if TYPE_CHECKING:
    from tracking.doubts.told import FrameDoubts
    from tracking.tracker import FrameTracks, TrackUpdate


class Commits(InTransactions):
    """What becomes of analysed time points, and of an acquisition in the end."""

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
            return commit_timepoint(
                connection, job, nuclei, update, tracker_state, timings or {}, quality or {}, measures, now
            )

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
            finalise_tracks(connection, acquisition_id, update, state, measures, now)

    def complete_acquisition(self, acquisition_id: int) -> AcquisitionRow:
        """Call an acquisition complete; partial or set aside where time points failed or are missing.

        Raises
        ------
        StorageError
            When time points are still waiting or running, or final tracks are not painted.
        """
        with self._transaction() as connection:
            lookups.acquisition(connection, acquisition_id)
            complete(connection, acquisition_id, self._now())
            return lookups.acquisition(connection, acquisition_id)


def commit_timepoint(
    connection: Connection,
    job: TimepointJob,
    nuclei: Nuclei,
    track_update: TrackUpdate,
    tracker_state: bytes,
    timings: Mapping[str, float],
    quality: Mapping[str, Any],
    measures: Measures | None,
    now: str,
) -> bool:
    """Write a time point's result; False (and queued again) when its source changed while it was processed."""
    row = claims.held(connection, job)
    if nuclei.t != job.t:
        raise StorageError(f"Nuclei of time point {nuclei.t} were handed in for time point {job.t}.")
    here = timepoints.c.id == job.id
    analysed.drop(connection, job.acquisition_id, job.t)
    if row["fingerprint"] != job.fingerprint:
        again = {"state": TimepointState.QUEUED.value, "attempts": 0, "queued_at": now}
        connection.execute(update(timepoints).where(here).values(again))
        return False
    before, after = _tracks_then(connection, job, track_update)
    if job.needs_replay:
        _forget_tracks(connection, job.acquisition_id)
    done = done_values(len(nuclei.table), timings, quality, job.fingerprint, now)
    done["measured"] = _replace_nuclei(connection, job, nuclei, track_update)
    connection.execute(update(timepoints).where(here).values(done))
    renewed = apply_update(connection, job.acquisition_id, track_update, measures, job.t)
    seen = _store_state(connection, job, tracker_state)
    facts = track_changes.changes(before, after, seen) | _renewed(renewed)
    tell(connection, EventKind.TIMEPOINT, job.acquisition_id, now, job.t, facts)
    return True


def _tracks_then(
    connection: Connection, job: TimepointJob, track_update: TrackUpdate
) -> tuple[track_changes.KnownTracks, track_changes.KnownTracks]:
    """Tracks before and after an update."""
    if job.needs_replay:
        return track_changes.all_of(connection, job.acquisition_id), track_changes.told_by(track_update)
    return track_changes.of_update(connection, job.acquisition_id, track_update)


def _renewed(times: list[int]) -> dict[str, list[int]]:
    return {RENEWED: times} if times else {}


def done_values(
    count: int, timings: Mapping[str, float], quality: Mapping[str, Any], fingerprint: str | None, now: str
) -> dict[str, Any]:
    """What a time point's row says from the moment on in which its nuclei are rows."""
    return {
        "state": TimepointState.DONE.value,
        "error": None,
        "nuclei_count": count,
        "timings": {str(name): plain(value) for name, value in timings.items()},
        "quality": dict(quality),
        "completed_at": now,
        "tracks_final": False,
        "published_at": None,
        "painted_at": None,
        "result_fingerprint": fingerprint,
        "result_version": nusetd_version(),
    }


def apply_update(
    connection: Connection,
    acquisition_id: int,
    track_update: TrackUpdate,
    measures: Measures | None = None,
    written_t: int | None = None,
) -> list[int]:
    """Bring track ids of nuclei, tracks and the finality of frames to what the tracker says now.

    The nuclei of time point `written_t` have just been written with their track ids. Final tracks are measured here,
    which takes a few milliseconds each, where their `measures` are not given.

    Returns
    -------
    list of int
        The time points, but for `written_t`, of which nuclei have other tracks now.
    """
    if track_update.removed_tracks:
        gone = [{"gone": int(number)} for number in track_update.removed_tracks]
        this = and_(tracks.c.acquisition_id == acquisition_id, tracks.c.track_id == bindparam("gone"))
        connection.execute(delete(tracks).where(this), gone)
    renewed = [int(frame.t) for frame in track_update.frames if _assign(connection, acquisition_id, frame, written_t)]
    for doubts in track_update.doubts:
        if doubts.t != written_t:
            _doubt(connection, acquisition_id, doubts)
    records = [track_record(acquisition_id, track) for track in track_update.tracks]
    if records:
        if measures is None:
            measures = measured(connection, acquisition_id, records)
        upsert(connection, tracks, with_measures(records, measures), ("acquisition_id", "track_id"))
    return renewed


def finalise_tracks(
    connection: Connection,
    acquisition_id: int,
    track_update: TrackUpdate,
    state: bytes,
    measures: Measures | None,
    now: str,
) -> None:
    """Write what the tracker says when nothing more will come."""
    _refuse_waiting(connection, acquisition_id)
    before, after = track_changes.of_update(connection, acquisition_id, track_update)
    renewed = apply_update(connection, acquisition_id, track_update, measures)
    here = tracker_states.c.acquisition_id == acquisition_id
    connection.execute(update(tracker_states).where(here).values(state=state))
    last_t = analysed.seen_t(connection, acquisition_id)
    facts = track_changes.changes(before, after, (last_t, last_t)) | _renewed(renewed)
    if facts:
        tell(connection, EventKind.TRACKS, acquisition_id, now, facts=facts)


def complete(connection: Connection, acquisition_id: int, now: str) -> None:
    """Make an acquisition complete, partial or set aside, after all of it is painted."""
    _refuse_waiting(connection, acquisition_id)
    unpainted = progress_flags.unpainted(connection, acquisition_id)
    if unpainted:
        raise StorageError(
            f"Acquisition {acquisition_id} is not complete: tracks of t = {unpainted[0]} are not painted."
        )
    final, reason = _outcome(connection, acquisition_id)
    claims.set_state(connection, acquisition_id, final, reason, now)
    tell(connection, EventKind.FINISHED, acquisition_id, now, facts={"state": final.value, "reason": reason})


def _replace_nuclei(
    connection: Connection, job: TimepointJob, nuclei: Nuclei, track_update: TrackUpdate
) -> dict[str, Any] | None:
    """Write the nuclei in the place of earlier ones; return `measurements` of the one with the lowest label."""
    old = and_(nuclei_table.c.acquisition_id == job.acquisition_id, nuclei_table.c.t == job.t)
    connection.execute(delete(nuclei_table).where(old))
    former = and_(plain_labels.c.acquisition_id == job.acquisition_id, plain_labels.c.t == job.t)
    connection.execute(delete(plain_labels).where(former))  # the labels are new, and plain
    ids: dict[int, int] = {}
    for frame in track_update.frames:
        if frame.t == job.t:
            ids = {int(label): int(track) for label, track in zip(frame.labels, frame.track_ids, strict=True)}
    said = next((doubts for doubts in track_update.doubts if doubts.t == job.t), None)
    records = nuclei_records(job.acquisition, nuclei, ids, said)
    if records:
        connection.execute(insert(nuclei_table), records)
    return min(records, key=lambda record: record["label"]).get("measurements") if records else None


def _assign(connection: Connection, acquisition_id: int, frame: FrameTracks, written_t: int | None) -> bool:
    """Give nuclei of a time point their tracks; True where any of them had another one."""
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.t == int(frame.t))
    connection.execute(update(timepoints).where(here).values(tracks_final=bool(frame.is_final), painted_at=None))
    if frame.t == written_t or not len(frame.labels):
        return False
    this = and_(
        nuclei_table.c.acquisition_id == acquisition_id,
        nuclei_table.c.t == int(frame.t),
        nuclei_table.c.label == bindparam("of"),
        nuclei_table.c.track_id.is_distinct_from(bindparam("now")),
    )
    pairs = [{"of": int(n), "now": int(i)} for n, i in zip(frame.labels, frame.track_ids, strict=True)]
    return connection.execute(update(nuclei_table).where(this).values(track_id=bindparam("now")), pairs).rowcount != 0


def _doubt(connection: Connection, acquisition_id: int, doubts: FrameDoubts) -> None:
    """Say of nuclei that are there how far they are doubted now."""
    this = and_(
        nuclei_table.c.acquisition_id == acquisition_id,
        nuclei_table.c.t == int(doubts.t),
        nuclei_table.c.label == bindparam("of"),
    )
    names = ("of", *DOUBT_COLUMNS)
    rows = [dict(zip(names, (label, *said), strict=True)) for label, said in doubts_by_label(doubts).items()]
    if rows:
        connection.execute(update(nuclei_table).where(this), rows)


def _forget_tracks(connection: Connection, acquisition_id: int) -> None:
    """Clear what the tracker said before, because it went back to the first frame."""
    connection.execute(delete(tracks).where(tracks.c.acquisition_id == acquisition_id))
    mine = nuclei_table.c.acquisition_id == acquisition_id
    connection.execute(update(nuclei_table).where(mine).values(track_id=None))
    here = timepoints.c.acquisition_id == acquisition_id
    connection.execute(update(timepoints).where(here).values(tracks_final=False, painted_at=None))


def _store_state(connection: Connection, job: TimepointJob, state: bytes) -> tuple[int, int]:
    """Keep the tracker's state; return the last time points that it had seen, before and now."""
    seen = analysed.seen_t(connection, job.acquisition_id)
    last = max(job.t, seen)
    record = {"acquisition_id": job.acquisition_id, "t": last, "state": state}
    upsert(connection, tracker_states, [record], ("acquisition_id",))
    return seen, last


def _refuse_waiting(connection: Connection, acquisition_id: int) -> None:
    waiting = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.state.in_(claims.UNSETTLED))
    first = connection.execute(select(timepoints.c.source_t).where(waiting).order_by(timepoints.c.t).limit(1)).scalar()
    if first is not None:
        raise StorageError(f"Acquisition {acquisition_id} cannot be finished: time point {first} is not done yet.")


def _outcome(connection: Connection, acquisition_id: int) -> tuple[AcquisitionState, str | None]:
    rows = (
        connection.execute(
            select(timepoints.c.t, timepoints.c.source_t, timepoints.c.state, timepoints.c.error)
            .where(timepoints.c.acquisition_id == acquisition_id)
            .order_by(timepoints.c.t)
        )
        .mappings()
        .all()
    )
    failed = [row for row in rows if row["state"] == TimepointState.FAILED.value]
    if len(failed) == len(rows):
        return AcquisitionState.SET_ASIDE, failed[0]["error"] if failed else "It has no time points."
    there = {row["t"] for row in rows}
    about = select(acquisitions.c.size_t, acquisitions.c.first_number, acquisitions.c.step)
    declared, start, step = connection.execute(about.where(acquisitions.c.id == acquisition_id)).one()
    size_t = max(max(there) + 1, declared or 0)
    first = 0 if start is None else min(there)  # a series may begin with any number
    missing = [t + (start or 0) for t in range(first, size_t, step) if t not in there]
    if not failed and not missing:
        return AcquisitionState.COMPLETE, None
    faults = [f"time point {row['source_t']} failed ({row['error']})" for row in failed[:3]]
    faults += [f"{len(failed) - 3} more failed"] if len(failed) > 3 else []
    faults += [f"{len(missing)} never arrived (the first is {missing[0]})"] if missing else []
    return AcquisitionState.PARTIAL, "; ".join(faults) + "."
