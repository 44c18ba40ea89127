"""Results of single files that are time points of a series by now, whose own result of them counts."""

from __future__ import annotations

from sqlalchemy import Connection, select

from storage.canonical import canonical_json
from storage.connection.database_folder import folder_of
from storage.schema.rows import AcquisitionRow, acquisition_row
from storage.schema.states import FINISHED, TimepointState
from storage.schema.tables import acquisitions, timepoints

_ALIKE = ("segmentation", "volume")  # parameters by which nuclei are found


def superseded(connection: Connection, series_id: int) -> list[AcquisitionRow]:
    """Return what was made of files alone that are done in a series, with the same weights and parameters."""
    series = connection.execute(select(acquisitions).where(acquisitions.c.id == series_id)).mappings().one_or_none()
    if series is None or series["first_number"] is None:
        return []
    done = (timepoints.c.acquisition_id == series_id) & (timepoints.c.state == TimepointState.DONE.value)
    alone = (
        select(acquisitions)
        .join(timepoints, timepoints.c.source_file == acquisitions.c.source_key)
        .where(done, acquisitions.c.id != series_id, acquisitions.c.first_number.is_(None))
        .where(acquisitions.c.zarr_path.is_not(None), acquisitions.c.state.in_([state.value for state in FINISHED]))
        .where(acquisitions.c.model_sha256 == series["model_sha256"])
        .order_by(acquisitions.c.id)
    )
    rows = connection.execute(alone).mappings().all()
    found = [row for row in rows if all(_same(row["params"].get(n), series["params"].get(n)) for n in _ALIKE)]
    return [acquisition_row(row, folder_of(connection)) for row in found]


def _same(one: object, other: object) -> bool:
    return canonical_json({"": one}) == canonical_json({"": other})
