"""Where the stage stood is written down for the time points of which it is known, and for no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases.stored import acquisition, pixels

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.processing.messages import Ready
from daemon.processing.recipe import Recipe
from storage.acquisition import Acquisition
from storage.database.catalog import Catalog
from storage.found import Found
from storage.schema.tables import timepoints


def stages(catalog: Catalog, found: Found, output: Path) -> dict[int, float | None]:
    """What is written down of an image's time points."""
    pipeline.admit(catalog, found, Recipe(Ready("m", "0" * 64), Processing()), output)
    with catalog._transaction() as connection:
        rows = connection.execute(timepoints.select().order_by(timepoints.c.t)).mappings()
        return {row["t"]: row["stage_y_um"] for row in rows}


def film() -> Acquisition:
    """Three time points in one file, which says one place of the stage."""
    return replace(acquisition(pixels(3)), stage_um=(10.0, 20.0))


def test_a_file_tells_of_its_first_time_point(catalog: Catalog, tmp_path: Path) -> None:
    assert stages(catalog, Found.of(film()), tmp_path) == {0: 10.0, 1: None, 2: None}


def test_what_comes_later_of_a_file_is_not_where_the_first_was(catalog: Catalog, tmp_path: Path) -> None:
    assert stages(catalog, Found.of(film(), [1, 2]), tmp_path) == {1: None, 2: None}


@pytest.mark.parametrize("number", [0, 7])
def test_of_a_series_each_file_tells_its_own(catalog: Catalog, tmp_path: Path, number: int) -> None:
    image = replace(acquisition(np.zeros((1, 1, 3, 20, 24), np.uint16)), stage_um=(3.0, 4.0), first_number=number)
    assert stages(catalog, Found.of(image), tmp_path) == {0: 3.0}
