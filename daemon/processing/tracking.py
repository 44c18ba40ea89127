"""The worker's side of tracking: trackers that stay in memory, and tracks that are made anew.

It reads the database and never writes it. What reads it is loaded with the first such task: a worker that only segments
starts without.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from daemon.processing.messages import ReplayTask, Tracked, TrackTask
from daemon.processing.recipe import StoredRecipe

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from storage.database.renewal.replayed import Replayed
    from tracking.tracker import Tracker

_MOST = 16  # trackers in memory: a few megabytes each


class Trackers:
    """The trackers of the acquisitions that were tracked last, each with the name of its state."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[int, Tracker]] = OrderedDict()

    def take(self, task: TrackTask, connection: Connection) -> Tracker:
        """Return the tracker in the state that the task goes on from; it is given back by `keep`.

        Raises
        ------
        TrackerStateError
            When it has to be read, and what is stored cannot be.
        """
        from sqlalchemy import select

        from storage.schema.tables import tracker_states
        from tracking.tracker import Tracker

        name, tracker = self._known.pop(task.acquisition.id, (None, None))
        if tracker is not None and name == task.before:
            return tracker
        mine = tracker_states.c.acquisition_id == task.acquisition.id
        stored = connection.execute(select(tracker_states.c.state).where(mine)).scalar()
        params = StoredRecipe.of(task.acquisition).tracking
        return Tracker(params) if stored is None else Tracker.from_state(bytes(stored), params)

    def keep(self, task: TrackTask, tracker: Tracker) -> None:
        """Keep a tracker for the next time point."""
        self._known[task.acquisition.id] = (task.after, tracker)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)


def track(task: TrackTask, trackers: Trackers) -> Tracked:
    """Link one time point to the tracks before it, or make all tracks final.

    Raises
    ------
    TrackerStateError
        When the tracker's stored state cannot be read: the tracks are to be made anew.
    """
    from storage.database.records import track_record
    from storage.database.track_measures import measured
    from storage.query.snapshots import snapshot

    began, number = time.perf_counter(), task.acquisition.id
    with snapshot(task.database) as connection:
        tracker = trackers.take(task, connection)
        update = tracker.finish() if task.nuclei is None else tracker.advance(task.nuclei)
        records = [track_record(number, track) for track in update.tracks]
        measures = measured(connection, number, records, update, task.nuclei)
    trackers.keep(task, tracker)
    return Tracked(update, tracker.state(), measures, task.after, time.perf_counter() - began)


def make_anew(task: ReplayTask, progress: Callable[[int, int], None]) -> Replayed:
    """Make the tracks of an acquisition anew."""
    from storage.database.renewal.replay import replay
    from storage.query.snapshots import snapshot

    with snapshot(task.database) as connection:
        return replay(connection, task.acquisition.id, StoredRecipe.of(task.acquisition).tracking, progress)
