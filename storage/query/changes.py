"""Whether anything that people look at has changed since they looked."""

from __future__ import annotations

from sqlalchemy import Connection, Executable, func, select

from storage.schema.tables import (
    acquisitions,
    changes,
    corrections,
    requests,
    rule_sendings,
    service_reports,
    timepoints,
)


def results_mark(connection: Connection) -> str:
    """A text that is another one when results change: committed, published, corrected, taken on or forgotten."""
    return _mark(
        connection,
        select(
            func.count(timepoints.c.id),
            func.max(timepoints.c.completed_at),
            func.max(timepoints.c.published_at),
            func.max(timepoints.c.painted_at),
        ),
        select(func.count(acquisitions.c.id), func.max(acquisitions.c.id), func.max(acquisitions.c.completed_at)),
        select(func.count(corrections.c.id), func.max(corrections.c.ordered_at), func.max(corrections.c.applied_at)),
        select(acquisitions.c.state, func.count()).group_by(acquisitions.c.state).order_by(acquisitions.c.state),
        select(timepoints.c.state, func.count()).group_by(timepoints.c.state).order_by(timepoints.c.state),
    )


def activity_mark(connection: Connection) -> str:
    """A text that is another one after every start of work, report, order, answer, and what rules sent."""
    return _mark(
        connection,
        select(func.max(timepoints.c.queued_at), func.max(timepoints.c.started_at)),
        select(func.max(service_reports.c.reported_at)),
        select(func.count(requests.c.id), func.max(requests.c.answered_at)),
        select(func.max(changes.c.id), func.max(changes.c.ended_at)),
        select(func.max(acquisitions.c.dismissed_at)),
        select(
            func.max(rule_sendings.c.id), func.max(rule_sendings.c.delivered_at), func.sum(rule_sendings.c.attempts)
        ),
    )


def change_mark(connection: Connection) -> str:
    """A text that is another one after any of both; nothing else can be read in it."""
    return f"{results_mark(connection)}|{activity_mark(connection)}"


def _mark(connection: Connection, *queries: Executable) -> str:
    return "|".join(str(value) for query in queries for row in connection.execute(query).all() for value in row)
