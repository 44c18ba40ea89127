"""Acquisitions that somebody has done once more with the settings in use now: a second result beside the first.

The first one stays as it is. Its files count as new ones from then on, so that they are taken in the ordinary way, also
by a service that was stopped in between.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.watching.intake import Intake
from storage.database.requests import Request
from storage.errors import UnknownAcquisitionError
from storage.readers.names import file_of_image
from storage.schema.states import FINISHED

if TYPE_CHECKING:
    from storage.database.catalog import Catalog
    from storage.schema.rows import AcquisitionRow


def do_again(catalog: Catalog, intakes: Collection[Intake], asked: Request) -> None:
    """Carry out such a request; while the engine is not loaded it is left for later."""
    try:
        row = catalog.acquisition(int(asked.path))
    except UnknownAcquisitionError as error:
        catalog.requests.answer(asked.id, False, str(error))
        return
    source = file_of_image(Path(row.source_path))
    intake = next((one for one in intakes if source.is_relative_to(one.root)), None)
    why = _why_not(row, intake)
    if why is None and intake is not None:
        recipe = intake.recipe_of(source)
        if recipe is None:
            return
        done = [one for one in catalog.sources.results(row.source_path) if one.zarr_path and recipe.made(one)]
        if not done:
            intake.take_again(catalog.sources.take_again(row.id, asked.id, _TAKEN.format(name=row.name)))
            return
        mine = row.id in [one.id for one in done]
        why = _SAME.format(name=row.name) if mine else _THERE.format(name=row.name, other=done[-1].name)
    catalog.requests.answer(asked.id, False, why or "")


_TAKEN = "{name} is done again with the settings in use now; its first result stays, and can be compared."
_THERE = "{name} was done with these settings already: see {other}."
_SAME = (
    "{name} was done with the very settings in use now: there would be nothing to compare. Change one first, on the "
    "page or by `nusetd override`."
)


def _why_not(row: AcquisitionRow, intake: Intake | None) -> str | None:
    if intake is None:
        return f"{row.source_path} is in none of the watched folders: give other settings to `nusetd process --set`."
    if not intake.online:
        return f"{row.source_path} is in a folder that is offline now: try again later."
    if row.zarr_path is None:
        return f"{row.name} has no first result: `nusetd retry` has it tried again."
    if row.state not in FINISHED:
        return f"{row.name} is not finished: where its settings have changed, it is begun anew by itself."
    return None
