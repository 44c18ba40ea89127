"""What readers of the OME-Zarr have been shown: published labels, painted tracks, and what is pending."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, select, update

from storage.schema.states import TimepointState
from storage.schema.tables import nuclei, timepoints


def all_unpublished(connection: Connection) -> list[tuple[int, int]]:
    """Return (acquisition id, t) of all time points that are done but not yet marked as visible."""
    wanted = and_(timepoints.c.state == TimepointState.DONE.value, timepoints.c.published_at.is_(None))
    return _pairs(connection, wanted)


def all_unpainted(connection: Connection) -> list[tuple[int, int]]:
    """Return (acquisition id, t) of all time points whose tracks are final but not yet marked as painted."""
    done = timepoints.c.state == TimepointState.DONE.value
    return _pairs(connection, and_(done, timepoints.c.tracks_final, timepoints.c.painted_at.is_(None)))


def unpainted(connection: Connection, acquisition_id: int) -> list[int]:
    """Return the time points whose tracks are final but not yet marked as painted, ascending."""
    wanted = and_(_done(acquisition_id), timepoints.c.tracks_final, timepoints.c.painted_at.is_(None))
    return [int(t) for t in connection.execute(select(timepoints.c.t).where(wanted).order_by(timepoints.c.t)).scalars()]


def unpainted_final(connection: Connection, acquisition_id: int) -> list[tuple[int, dict[int, int]]]:
    """Return (t, {label: track id}) of the time points of `unpainted`."""
    return [(t, _track_of(connection, acquisition_id, t)) for t in unpainted(connection, acquisition_id)]


def next_unpainted(connection: Connection, acquisition_id: int) -> tuple[int, dict[int, int]] | None:
    """Return the first of `unpainted_final` whose labels are visible: they are what is painted."""
    wanted = and_(_done(acquisition_id), timepoints.c.tracks_final, timepoints.c.painted_at.is_(None))
    shown = wanted & timepoints.c.published_at.is_not(None)
    t = connection.execute(select(timepoints.c.t).where(shown).order_by(timepoints.c.t).limit(1)).scalar()
    return None if t is None else (int(t), _track_of(connection, acquisition_id, int(t)))


def mark_published(connection: Connection, acquisition_id: int, t: int, now: str) -> None:
    """Note that a time point is visible in ``labels/nuclei``."""
    connection.execute(update(timepoints).where(_done(acquisition_id), timepoints.c.t == t).values(published_at=now))


def mark_painted(connection: Connection, acquisition_id: int, t: int, now: str) -> None:
    """Note that a time point is visible in ``labels/tracks``."""
    connection.execute(update(timepoints).where(_done(acquisition_id), timepoints.c.t == t).values(painted_at=now))


def _pairs(connection: Connection, which: ColumnElement[bool]) -> list[tuple[int, int]]:
    columns = (timepoints.c.acquisition_id, timepoints.c.t)
    return [(int(a), int(t)) for a, t in connection.execute(select(*columns).where(which).order_by(*columns))]


def _done(acquisition_id: int) -> ColumnElement[bool]:
    return and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.state == TimepointState.DONE.value)


def _track_of(connection: Connection, acquisition_id: int, t: int) -> dict[int, int]:
    here = and_(nuclei.c.acquisition_id == acquisition_id, nuclei.c.t == t, nuclei.c.track_id.is_not(None))
    columns = select(nuclei.c.label, nuclei.c.track_id).where(here).order_by(nuclei.c.label)
    return {int(label): int(track) for label, track in connection.execute(columns)}
