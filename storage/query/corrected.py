"""Where people corrected something: the time points whose labels somebody has looked at."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from storage.schema.tables import acquisitions, corrections

_IN_FORCE = corrections.c.state == "applied"


def corrected_timepoints(connection: Connection, acquisition: int) -> list[int]:
    """The time points of an acquisition at which a correction is in force, in order."""
    query = select(corrections.c.t).distinct().where(corrections.c.acquisition_id == acquisition, _IN_FORCE)
    return sorted(connection.scalars(query))


def corrected_acquisitions(connection: Connection) -> list[tuple[int, str, int]]:
    """Id, name, and number of corrected time points of each acquisition that has some, the newest first."""
    count = func.count(corrections.c.t.distinct())
    query = (
        select(acquisitions.c.id, acquisitions.c.name, count)
        .join(corrections, corrections.c.acquisition_id == acquisitions.c.id)
        .where(_IN_FORCE)
        .group_by(acquisitions.c.id, acquisitions.c.name)
        .order_by(acquisitions.c.id.desc())
    )
    return [(int(number), str(name), int(points)) for number, name, points in connection.execute(query)]
