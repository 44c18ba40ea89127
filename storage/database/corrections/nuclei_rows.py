"""Rows of nuclei of one time point: plain ones put back, and corrected ones in their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, func, insert, select, update

from storage.database.corrections.amendment import AmendedTimepoint
from storage.database.records import DOUBT_COLUMNS, nuclei_records
from storage.schema.rows import AcquisitionRow
from storage.schema.tables import nuclei, plain_nuclei, timepoints

_SHARED = [column.name for column in plain_nuclei.columns if column.name != "id"]


def take_off(connection: Connection, acquisition_id: int, t: int) -> None:
    """Put the plain rows of a time point back."""
    connection.execute(delete(nuclei).where(_at(nuclei, acquisition_id, t), nuclei.c.corrected))
    here = _at(plain_nuclei, acquisition_id, t)
    plain = select(*(plain_nuclei.c[name] for name in _SHARED)).where(here).order_by(plain_nuclei.c.id)
    connection.execute(insert(nuclei).from_select(_SHARED, plain))
    connection.execute(delete(plain_nuclei).where(here))


def put_on(connection: Connection, row: AcquisitionRow, point: AmendedTimepoint) -> None:
    """Give a time point whose rows are plain its corrected ones; those that nothing was said of stay."""
    made = {label for one in point.outcomes for label in one.made}
    changed = {label for one in point.outcomes for label in (*one.changed, *one.removed)}
    replaced = sorted(made | changed)
    here = _at(nuclei, row.id, point.t)
    which = and_(here, nuclei.c.label.in_(replaced))
    columns = select(*(nuclei.c[name] for name in _SHARED)).where(which).order_by(nuclei.c.id)
    connection.execute(insert(plain_nuclei).from_select(_SHARED, columns))
    connection.execute(delete(nuclei).where(which))
    tracks = select(plain_nuclei.c.label, plain_nuclei.c.track_id).where(_at(plain_nuclei, row.id, point.t))
    track_of = {int(label): track for label, track in connection.execute(tracks) if label not in made}
    records = nuclei_records(row, point.nuclei, {label: track for label, track in track_of.items() if track})
    if records:
        connection.execute(insert(nuclei), [record | {"corrected": True} for record in records])


def lift(connection: Connection, acquisition_id: int) -> list[dict[str, Any]]:
    """Put the plain rows of an acquisition in the place of its corrected ones, whose tracks are the plain ones.

    Return the corrected ones, for `lower`; the plain ones stay aside as well.
    """
    mine = and_(nuclei.c.acquisition_id == acquisition_id, nuclei.c.corrected)
    rows = connection.execute(select(nuclei).where(mine).order_by(nuclei.c.id)).mappings()
    lifted = [{name: value for name, value in row.items() if (name, value) != ("measurements", None)} for row in rows]
    for row in lifted:  # whose JSON would be `null` where nothing is
        del row["id"]
    connection.execute(delete(nuclei).where(mine))
    aside = plain_nuclei.c.acquisition_id == acquisition_id
    plain = select(*(plain_nuclei.c[name] for name in _SHARED)).where(aside).order_by(plain_nuclei.c.id)
    connection.execute(insert(nuclei).from_select(_SHARED, plain))
    return lifted


def lower(connection: Connection, acquisition_id: int, lifted: Sequence[dict[str, Any]]) -> None:
    """Put corrected rows back, the plain ones with the tracks and doubts that they have by now aside."""
    aside = plain_nuclei.c
    same = and_(nuclei.c.acquisition_id == aside.acquisition_id, nuclei.c.t == aside.t, nuclei.c.label == aside.label)
    said = ("track_id", *DOUBT_COLUMNS)
    columns = (aside.id, nuclei.c.id, aside.t, aside.label, *(nuclei.c[name] for name in said))
    found = select(*columns).join(nuclei, same)
    pairs = connection.execute(found.where(aside.acquisition_id == acquisition_id)).all()
    if pairs:
        moved = [{"kept": kept, **dict(zip(said, now, strict=True))} for kept, _, _, _, *now in pairs]
        connection.execute(update(plain_nuclei).where(aside.id == bindparam("kept")), moved)
        gone = [{"gone": there} for _, there, *_ in pairs]
        connection.execute(delete(nuclei).where(nuclei.c.id == bindparam("gone")), gone)
    tracks = {(t, label): track for _, _, t, label, track, *_ in pairs}
    # One that a correction made has no plain track, though its label may be one that was there before.
    rows = [row if row["track_id"] is None else row | {"track_id": tracks[row["t"], row["label"]]} for row in lifted]
    if rows:
        connection.execute(insert(nuclei), rows)


def count(connection: Connection, acquisition_id: int, t: int, is_written: bool) -> None:
    """Bring the row of a time point to its nuclei; where labels were written, readers are still to see them."""
    number = select(func.count()).where(_at(nuclei, acquisition_id, t)).scalar_subquery()
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.t == t)
    here = and_(here, timepoints.c.nuclei_count.is_not(None))
    hidden = {"published_at": None, "painted_at": None} if is_written else {}
    connection.execute(update(timepoints).where(here).values(nuclei_count=number, **hidden))


def _at(table: Table, acquisition_id: int, t: int) -> ColumnElement[bool]:
    return and_(table.c.acquisition_id == acquisition_id, table.c.t == t)
