"""Where the stage stood is written down for the time points of which it is known, and for no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases.mmstack_file import mmstack, stack
from cases.ndtiff_file import ndtiff
from cases.stored import acquisition, pixels

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.processing.messages import Ready
from daemon.processing.recipe import Recipe
from storage import readers
from storage.acquisition import Acquisition
from storage.database.catalog import Catalog
from storage.found import Found
from storage.readers.micromanager.plane_facts import PlaneFacts
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


@pytest.mark.parametrize("write", [mmstack, ndtiff])
def test_micro_manager_tells_of_every_time_point(
    write: Callable[[Path, np.ndarray], Path], catalog: Catalog, tmp_path: Path
) -> None:
    (image,) = readers.open_acquisitions([write(tmp_path, np.zeros((3, 1, 2, 16, 20), np.uint16))])
    assert image.stage_um == (50.0, 0.0)
    assert image.stages_um == {t: (50.0 + t, -2.5 * t) for t in range(3)}
    assert stages(catalog, Found.of(image), tmp_path / "out") == {0: 50.0, 1: 51.0, 2: 52.0}


def test_positions_of_one_recording_stand_apart_and_a_file_that_grows_tells_of_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "e_MMStack_Pos0.ome.tif"
    planes = np.arange(2 * 5, dtype=np.uint16).reshape(2, 5, 1, 1, 1, 1) * np.ones((16, 20), np.uint16)
    for there in (2, 4):
        stack(path, planes[:, :there], closed=False, planned_t=5)
        one, two = readers.open_acquisitions([path], check=False)
        assert one.stages_um == {t: (50.0 + t, -2.5 * t) for t in range(there)}
        assert two.stages_um == {t: (50.0 + t, 100.0 - 2.5 * t) for t in range(there)}
    stack(path, planes[::-1, :4])
    assert readers.open_acquisitions([path])[0].time_stamps_s == (0.0, 60.0, 120.0, 180.0)


def test_a_microscope_without_a_stage_stands_nowhere() -> None:
    said = {"XPositionUm": 0, "YPositionUm": -0.0}
    assert PlaneFacts.of(said | {"Core-XYStage": "XY"}).stage_um == (0.0, 0.0)
    assert PlaneFacts.of(said | {"Core-XYStage": ""}).stage_um is None
    assert PlaneFacts.of({"XPositionUm": "NaN", "YPositionUm": 1}).stage_um is None
    assert PlaneFacts.of(said | {"XPosition_um_Intended": 5.0, "YPosition_um_Intended": 6.0}).stage_um == (0.0, 0.0)


@pytest.mark.parametrize("number", [0, 7])
def test_of_a_series_each_file_tells_its_own(catalog: Catalog, tmp_path: Path, number: int) -> None:
    image = replace(acquisition(np.zeros((1, 1, 3, 20, 24), np.uint16)), stage_um=(3.0, 4.0), first_number=number)
    assert stages(catalog, Found.of(image), tmp_path) == {0: 3.0}
