"""Questions to the database, answered as pandas tables; for tables of any length there is `storage.query.questions`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import func, select

from storage.query import health, questions
from storage.query.frames import frame, whole
from storage.query.selections import ALL, Selection, TimeRange
from storage.query.snapshots import resolve, resolved, snapshot
from storage.schema import tables
from storage.schema.states import TimepointState

__all__ = ["acquisitions", "health_of", "lineage", "nuclei", "resolve", "resolved", "snapshot", "status", "tracks"]


def acquisitions(path_or_url: str | Path, selection: Selection = ALL) -> pd.DataFrame:
    """Return acquisitions, oldest first: the columns of the table, counts of nuclei and tracks, progress."""
    with questions.acquisitions(path_or_url, selection) as pages:
        return whole(pages)


def status(path_or_url: str | Path) -> pd.DataFrame:
    """Return how far each acquisition is: state, time points queued, running, done and failed, the last error."""
    table, points = tables.acquisitions, tables.timepoints
    counts = [func.count().filter(points.c.state == s.value).label(s.value) for s in TimepointState]
    failed = func.max(points.c.error).filter(points.c.state == TimepointState.FAILED.value)
    query = (
        select(
            table.c.id,
            table.c.name,
            table.c.state,
            *counts,
            func.max(points.c.completed_at).label("last_done_at"),
            func.coalesce(table.c.error, failed).label("error"),
        )
        .outerjoin(points, points.c.acquisition_id == table.c.id)
        .group_by(table.c.id)
        .order_by(table.c.id)
    )
    with snapshot(path_or_url) as connection:
        return frame(connection, query)


def health_of(
    path_or_url: str | Path, moment: datetime
) -> tuple[health.QueueState, tuple[datetime, dict[str, Any]] | None]:
    """Return the queue at a moment, and the service's last report with its time (None: it never reported)."""
    with snapshot(path_or_url) as connection:
        return health.queue_state(connection, moment), health.read_report(connection)


def nuclei(
    path_or_url: str | Path,
    acquisition: int | str,
    *,
    where: str | None = None,
    t: TimeRange | None = None,
    track: int | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the nuclei of an acquisition, ordered by time point and label; see `Selection` for the parameters.

    Raises
    ------
    UnknownAcquisitionError, WrongRequestError
        For an unknown acquisition, track or column, or a filter that cannot be read.
    """
    selection = Selection(where=where, t=t, track=track, columns=columns)
    with questions.nuclei(path_or_url, acquisition, selection) as pages:
        return whole(pages)


def tracks(path_or_url: str | Path, acquisition: int | str, selection: Selection = ALL) -> pd.DataFrame:
    """Return the tracks of an acquisition: parent, first and last time point, number of nuclei, whether final."""
    with questions.tracks(path_or_url, acquisition, selection) as pages:
        return whole(pages)


def lineage(path_or_url: str | Path, acquisition: int | str, selection: Selection = ALL) -> pd.DataFrame:
    """Return tracks with root, generation and daughters; with `track`, its family and how each is related to it."""
    with questions.lineage(path_or_url, acquisition, selection) as pages:
        return whole(pages)
