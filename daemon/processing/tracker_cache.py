"""Trackers that stay in a worker's memory from one time point to the next.

What reads the database is loaded with the first such task: a worker that only segments starts without.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from daemon.processing.messages import TrackTask
from daemon.processing.recipe import StoredRecipe

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tracking.tracker import Tracker

_MOST = 16  # trackers in memory: a few megabytes each


class TrackerCache:
    """The trackers of the acquisitions that were tracked last, each with the name of its state."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[int, Tracker]] = OrderedDict()

    def take(self, task: TrackTask, connection: Connection, step: int) -> Tracker:
        """Return the tracker in the state that the task goes on from; it is given back by `keep`.

        Raises
        ------
        TrackerStateError
            When it has to be read, and what is stored cannot be, or counts other steps than the series by now has.
        """
        from sqlalchemy import select

        from storage.schema.tables import tracker_states
        from tracking.tracker import Tracker

        name, tracker = self._known.pop(task.acquisition.id, (None, None))
        if tracker is not None and name == task.before and tracker.step == step:
            return tracker
        mine = tracker_states.c.acquisition_id == task.acquisition.id
        stored = connection.execute(select(tracker_states.c.state).where(mine)).scalar()
        params = StoredRecipe.of(task.acquisition).tracking
        return Tracker(params, step) if stored is None else Tracker.from_state(bytes(stored), params, step)

    def keep(self, task: TrackTask, tracker: Tracker) -> None:
        """Keep a tracker for the next time point."""
        self._known[task.acquisition.id] = (task.after, tracker)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
