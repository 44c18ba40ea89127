"""Whether anything that people look at has changed since they looked."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from storage.schema.tables import acquisitions, changes, corrections, requests, service_reports, timepoints


def change_mark(connection: Connection) -> str:
    """A text that is another one after every commit, publication, report and answer; nothing else can be read in it."""
    points = select(
        func.count(timepoints.c.id),
        func.max(timepoints.c.queued_at),
        func.max(timepoints.c.started_at),
        func.max(timepoints.c.completed_at),
        func.max(timepoints.c.published_at),
        func.max(timepoints.c.painted_at),
    )
    others = (
        select(func.count(acquisitions.c.id), func.max(acquisitions.c.id), func.max(acquisitions.c.completed_at)),
        select(acquisitions.c.state, func.count()).group_by(acquisitions.c.state).order_by(acquisitions.c.state),
        select(timepoints.c.state, func.count()).group_by(timepoints.c.state).order_by(timepoints.c.state),
        select(func.max(service_reports.c.reported_at)),
        select(func.count(corrections.c.id), func.max(corrections.c.ordered_at), func.max(corrections.c.applied_at)),
        select(func.count(requests.c.id), func.max(requests.c.answered_at)),
        select(func.max(changes.c.id), func.max(changes.c.ended_at)),
        select(func.max(acquisitions.c.dismissed_at)),
    )
    seen = [connection.execute(query).all() for query in (points, *others)]
    return "|".join(str(value) for rows in seen for row in rows for value in row)
