"""A file that was taken alone becomes a time point of a series when others come: its own result gives way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon import logs
from daemon.upkeep.forgetting import Forgetting, Order

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow


def give_way(catalog: Catalog, series: AcquisitionRow, forgetting: Forgetting) -> list[str]:
    """Have results of single files forgotten that are done in a series; return a sentence for each."""
    said = []
    for alone in catalog.upkeep.superseded(series.id) if series.first_number is not None else ():
        said.append(f"{alone.name} is a time point of {series.name} by now, and is kept there: its own result goes.")
        logs.warning("result gives way to that of its series", acquisition=alone.name, series=series.name)
        forgetting.order(Order(alone.id, False, _hear))
    return said


def _hear(done: bool, text: str) -> None:
    if not done:
        logs.warning("result could not give way", reason=text)
