"""Noticeds for which a condition holds, at the time of one event."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, FromClause, and_, func, select

from storage.query import statements
from storage.query.filters import Columns, condition
from storage.query.following.event_rows import EventRow
from storage.query.health import course
from storage.query.noticing.subjects import Together, made_columns, of_tracks
from storage.schema.event_kinds import DIVIDED, NOT_DIVIDED, EventKind
from storage.schema.tables import acquisitions, events, nuclei, timepoints, tracks

Noticed = dict[str, Any]
"""What a condition holds for; plain values."""

MOST = 200
"""Noticeds that one look gives."""

_BEFORE = 5  # time points whose median a count is compared with, as for alerts
_AXES = ("z", "y", "x")
_SHOWN = (
    "t", "source_t", "label", "track_id", "score", "volume_um3", "area_um2", "intensity_mean",
    *(f"centroid_{axis}_{unit}" for unit in ("um", "px") for axis in _AXES),
)  # fmt: skip


@dataclass(frozen=True)
class Glance:
    """One event of an acquisition, and how far its divisions and its drift had come before.

    Attributes
    ----------
    event : EventRow
    divisions : int
        Known before it.
    drift_um : tuple of float
        (z, y, x) before it.
    """

    event: EventRow
    divisions: int = 0
    drift_um: tuple[float, float, float] = (0.0, 0.0, 0.0)


def rows(connection: Connection, subject: str, where: str, look: Glance) -> list[Noticed]:
    """Return what a condition holds for.

    Raises
    ------
    WrongRequestError
        When the acquisition has no such column.
    """
    if subject in ("nuclei", "tracks"):
        return _nuclei(connection, subject, where, look.event)
    made = {"divisions": _divisions, "counts": _counts, "drift": _drift}[subject](connection, look)
    return [row for row in made if _holds(connection, subject, where, row)]


def divisions_after(look: Glance) -> int:
    """How many divisions are known after an event."""
    facts = look.event.facts
    return look.divisions + len(facts.get(DIVIDED, ())) - len(facts.get(NOT_DIVIDED, ()))


def divisions_before(connection: Connection, acquisition_id: int, event_id: int) -> int:
    """Return how many divisions of an acquisition were known before an event."""
    query = select(events.c.kind, events.c.facts).where(
        events.c.acquisition_id == acquisition_id, events.c.id < event_id
    )
    count = 0
    for kind, facts in connection.execute(query.order_by(events.c.id)):
        count = 0 if kind == EventKind.DROPPED.value else count
        count += len((facts or {}).get(DIVIDED, ())) - len((facts or {}).get(NOT_DIVIDED, ()))
    return count


def step_um(connection: Connection, event: EventRow) -> tuple[tuple[float, float, float], int]:
    """Return how nuclei moved together since the time point before, (z, y, x), and how many it was seen by."""
    number, t = event.acquisition_id, event.t
    before = select(func.max(timepoints.c.t)).where(
        timepoints.c.acquisition_id == number, timepoints.c.t < t, timepoints.c.nuclei_count.is_not(None)
    )
    then, now = nuclei.alias("then"), nuclei.alias("now")
    same = and_(then.c.acquisition_id == now.c.acquisition_id, then.c.track_id == now.c.track_id)
    moved = [now.c[f"centroid_{axis}_um"] - then.c[f"centroid_{axis}_um"] for axis in _AXES]
    query = select(*moved).select_from(now.join(then, same))
    query = query.where(now.c.acquisition_id == number, now.c.t == t, then.c.t == before.scalar_subquery())
    steps = [row for row in connection.execute(query) if None not in row]
    if not steps:
        return (0.0, 0.0, 0.0), 0
    z, y, x = (float(median(values)) for values in zip(*steps, strict=True))
    return (z, y, x), len(steps)


def _nuclei(connection: Connection, subject: str, where: str, event: EventRow) -> list[Noticed]:
    number = event.acquisition_id
    assert number is not None  # a rule looks at events of acquisitions
    columns: Columns = statements.nuclei_columns(connection, number)
    shown: dict[str, ColumnElement[Any]] = {name: nuclei.c[name] for name in _SHOWN}
    source: FromClause = nuclei
    if subject == "tracks":
        source, more = _with_tracks(number)
        columns, shown = Together(more, columns), shown | more
    query = select(*(column.label(name) for name, column in shown.items())).select_from(source)
    query = query.where(nuclei.c.acquisition_id == number, nuclei.c.t == event.t, condition(where, columns, subject))
    return [dict(row) for row in connection.execute(query.order_by(nuclei.c.label).limit(MOST)).mappings()]


def _with_tracks(number: int) -> tuple[FromClause, dict[str, ColumnElement[Any]]]:
    """Nuclei with their tracks, and what is known of these."""
    first = nuclei.alias("first")
    same = and_(tracks.c.acquisition_id == nuclei.c.acquisition_id, tracks.c.track_id == nuclei.c.track_id)
    begun = and_(
        first.c.acquisition_id == nuclei.c.acquisition_id,
        first.c.track_id == nuclei.c.track_id,
        first.c.t == tracks.c.first_t,
    )
    start = select(func.coalesce(acquisitions.c.first_number, 0)).where(acquisitions.c.id == number)
    steps = [nuclei.c[f"centroid_{axis}_um"] - first.c[f"centroid_{axis}_um"] for axis in _AXES]
    apart = func.sqrt(sum(step * step for step in steps), type_=Float())
    return nuclei.join(tracks, same).outerjoin(first, begun), of_tracks(start.scalar_subquery(), apart)


def _divisions(connection: Connection, look: Glance) -> list[Noticed]:
    return [
        _division(connection, look.event, parent, daughters, t) | {"score": score[0] if score else None}
        for parent, daughters, t, *score in look.event.facts.get(DIVIDED, ())
    ]


def _division(connection: Connection, event: EventRow, parent: int, daughters: Sequence[int], t: int) -> Noticed:
    """A division with the middle of its daughters, as far as rows are there."""
    number = event.acquisition_id
    columns = [nuclei.c.volume_um3, *(nuclei.c[f"centroid_{axis}_um"] for axis in _AXES)]
    mine = and_(nuclei.c.acquisition_id == number, nuclei.c.track_id.in_([parent, *daughters]), nuclei.c.t <= t)
    query = select(nuclei.c.track_id, *columns).where(mine).order_by(nuclei.c.t)
    last = {int(track): values for track, *values in connection.execute(query)}
    places = [last[one][1:] for one in daughters if one in last and None not in last[one][1:]]
    row: Noticed = {"parent_track_id": parent, "t": t, "source_t": t + _first_number(connection, event)}
    row |= {f"daughter_{n}": one for n, one in enumerate(daughters[:2], start=1)}
    row |= {f"daughter_{n}_volume_um3": last[one][0] for n, one in enumerate(daughters[:2], start=1) if one in last}
    row |= {"parent_volume_um3": last[parent][0]} if parent in last else {}
    if places:
        row |= {f"{axis}_um": fmean(values) for axis, values in zip(_AXES, zip(*places, strict=True), strict=True)}
    return row


def _counts(connection: Connection, look: Glance) -> list[Noticed]:
    event = look.event
    if event.t is None or event.acquisition_id is None:
        return []
    gone = course(connection, event.acquisition_id, event.t, _BEFORE + 1)
    *before, now = gone.latest
    usual = median(one.nuclei_count for one in before) if before else None
    signal = _number(now.quality.get("signal"))
    begun = [value for one in gone.first if one.t < now.t and (value := _number(one.quality.get("signal")))]
    first = median(begun) if begun else None
    return [
        {
            "t": event.t,
            "source_t": now.t,
            "nuclei_count": now.nuclei_count,
            "nuclei_before": usual,
            "nuclei_ratio": now.nuclei_count / usual if usual else None,
            "divisions_count": divisions_after(look) - look.divisions,
            "divisions_total": divisions_after(look),
            "blank_slices": len(now.quality.get("blank_slices") or ()),
            "signal": signal,
            "signal_ratio": signal / first if signal is not None and first else None,
        }
    ]


def _drift(connection: Connection, look: Glance) -> list[Noticed]:
    step, links = step_um(connection, look.event)
    if not links:
        return []
    total = [before + moved for before, moved in zip(look.drift_um, step, strict=True)]
    t = look.event.t or 0
    row: Noticed = {"t": t, "source_t": t + _first_number(connection, look.event), "links": links}
    for what, values in (("step", step), ("total", total)):
        row |= {f"{what}_{axis}_um": value for axis, value in zip(_AXES, values, strict=True)}
        row[f"{what}_um"] = math.hypot(*values)
    return [row]


def _holds(connection: Connection, subject: str, where: str, row: Noticed) -> bool:
    holds = condition(where, made_columns(subject, row), subject)
    return bool(connection.execute(select(holds)).scalar())


def _first_number(connection: Connection, event: EventRow) -> int:
    query = select(acquisitions.c.first_number).where(acquisitions.c.id == event.acquisition_id)
    return int(connection.execute(query).scalar() or 0)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
