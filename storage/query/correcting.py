"""How far corrections have come: those that wait for their rows, and time points that are painted after others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select

from storage.schema.states import TimepointState
from storage.schema.tables import acquisitions, corrections, timepoints


@dataclass(frozen=True)
class CorrectionProgress:
    """What is still to come of what people said of an acquisition.

    Attributes
    ----------
    acquisition_id : int
    acquisition : str
    waiting : int
        Corrections, and undos of some, that rows do not follow yet.
    painted, to_paint : int
        Time points whose labels or tracks were painted since the last one was carried out, and of how many.
    """

    acquisition_id: int
    acquisition: str
    waiting: int
    painted: int
    to_paint: int

    @property
    def sentence(self) -> str:
        """For people."""
        said = [f"{self.waiting} to be carried out"] if self.waiting else []
        if self.painted < self.to_paint:
            said.append(f"{self.painted} of {self.to_paint} time points are painted")
        return f"{self.acquisition}: {', '.join(said)}"


def correction_progress(connection: Connection, acquisition_id: int | None = None) -> list[CorrectionProgress]:
    """Of every acquisition, or of one, where something is still to come of what people said."""
    table = corrections.c
    query = (
        select(acquisitions.c.id, acquisitions.c.name, func.max(table.applied_at))
        .add_columns(func.count().filter(table.state == "ordered"))
        .join(corrections, table.acquisition_id == acquisitions.c.id)
        .group_by(acquisitions.c.id, acquisitions.c.name)
        .order_by(acquisitions.c.id)
    )
    if acquisition_id is not None:
        query = query.where(acquisitions.c.id == acquisition_id)
    found = []
    for number, name, applied_at, waiting in connection.execute(query).all():
        painted, left = _painting(connection, number, applied_at)
        if waiting or left:
            found.append(CorrectionProgress(int(number), str(name), int(waiting), painted, painted + left))
    return found


def _painting(connection: Connection, acquisition_id: int, since: str | None) -> tuple[int, int]:
    """How many final time points were painted since a moment, and how many are to be."""
    point = timepoints.c
    done = and_(point.acquisition_id == acquisition_id, point.state == TimepointState.DONE.value, point.tracks_final)
    columns = (func.count().filter(point.painted_at >= (since or "")), func.count().filter(point.painted_at.is_(None)))
    painted, left = connection.execute(select(*columns).where(done)).one()
    return int(painted), int(left)


def said_of(connection: Connection, acquisition_id: int, most: int) -> list[dict[str, Any]]:
    """Return what was said of an acquisition, the latest first, and what came of it."""
    names = ("id", "t", "source_t", "kind", "labels", "tracks", "state", "reason", "author", "ordered_at", "undone_by")
    columns = [*(corrections.c[name] for name in names), corrections.c.parameters, corrections.c.changed]
    mine = corrections.c.acquisition_id == acquisition_id
    rows = connection.execute(select(*columns).where(mine).order_by(corrections.c.id.desc()).limit(most)).mappings()
    return [
        {
            **{name: row[name] for name in names},
            "undoes": row["parameters"].get("undoes"),
            "times": row["parameters"].get("times", [row["t"]]),
            "how": (row["changed"] or {}).get("how"),
        }
        for row in rows
    ]
