"""Where people corrected or confirmed nuclei: what somebody has looked at."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from storage.schema.tables import acquisitions, corrections
from tracking.corrections.rules import LINK_KINDS

_IN_FORCE = and_(corrections.c.state == "applied", corrections.c.kind.not_in((*LINK_KINDS, "undo")))
"""Of nuclei: who speaks of a link did not look at outlines."""


@dataclass(frozen=True)
class SpokenOf:
    """What somebody said of the nuclei of a time point.

    Attributes
    ----------
    labels : frozenset of int
        Nuclei that were confirmed, made or changed.
    places : tuple of (z, y, x)
        Voxels in the middle of every correction.
    """

    labels: frozenset[int]
    places: tuple[tuple[int, int, int], ...]


def corrected_timepoints(connection: Connection, acquisition: int) -> list[int]:
    """The time points of an acquisition at which a correction of nuclei is in force, in order."""
    query = select(corrections.c.t).distinct().where(corrections.c.acquisition_id == acquisition, _IN_FORCE)
    return sorted(connection.scalars(query))


def spoken_of(connection: Connection, acquisition: int, t: int) -> SpokenOf:
    """What somebody said of the nuclei of a time point."""
    here = and_(corrections.c.acquisition_id == acquisition, corrections.c.t == t, _IN_FORCE)
    places = [corrections.c[f"{axis}_px"] for axis in "zyx"]
    labels: set[int] = set()
    found = []
    for changed, *place in connection.execute(select(corrections.c.changed, *places).where(here)):
        for name in ("labels", "made", "changed"):
            labels |= {int(label) for label in (changed or {}).get(name, ())}
        z, y, x = (round(at) for at in place)
        found.append((z, y, x))
    return SpokenOf(frozenset(labels), tuple(found))


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
