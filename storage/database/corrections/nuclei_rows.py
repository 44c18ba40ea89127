"""Rows of nuclei of one time point: plain ones put back, and corrected ones in their place."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, insert, select, update

from storage.database.corrections.amendment import AmendedTimepoint
from storage.database.records import nuclei_records
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


def count(connection: Connection, acquisition_id: int, t: int, is_written: bool) -> None:
    """Bring the row of a time point to its nuclei; where labels were written, readers are still to see them."""
    number = select(func.count()).where(_at(nuclei, acquisition_id, t)).scalar_subquery()
    here = and_(timepoints.c.acquisition_id == acquisition_id, timepoints.c.t == t)
    here = and_(here, timepoints.c.nuclei_count.is_not(None))
    hidden = {"published_at": None, "painted_at": None} if is_written else {}
    connection.execute(update(timepoints).where(here).values(nuclei_count=number, **hidden))


def _at(table: Table, acquisition_id: int, t: int) -> ColumnElement[bool]:
    return and_(table.c.acquisition_id == acquisition_id, table.c.t == t)
