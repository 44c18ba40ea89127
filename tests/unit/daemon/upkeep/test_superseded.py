"""What was made of a file alone gives way when the file is a time point of a series that is done, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cases.stored import acquisition, pixels, register, work_off

from daemon.upkeep.forgetting import Forgetting
from daemon.upkeep.superseded import give_way
from storage.database.catalog import Catalog
from storage.schema.rows import AcquisitionRow

ALONE, OTHER = Path("/in/drug_T6.tif"), Path("/in/drug_T7.tif")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as opened:
        yield opened


def file_alone(catalog: Catalog, **params: object) -> AcquisitionRow:
    row = register(
        catalog, replace(acquisition(pixels(t=1), name="drug_T6"), source_path=ALONE, files=(ALONE,)), **params
    )
    catalog.add_timepoints(row.id, {0: "f6"}, {0: ALONE})
    work_off(catalog)
    catalog.mark_published(row.id, 0)
    catalog.mark_painted(row.id, 0)
    return catalog.complete_acquisition(row.id)


def series(catalog: Catalog) -> AcquisitionRow:
    image = replace(acquisition(pixels(t=2), name="drug"), source_path=Path("/in/drug_T*.tif"), first_number=1)
    row = register(catalog, image)
    catalog.add_timepoints(row.id, {5: "f6", 6: "f7"}, {5: ALONE, 6: OTHER})
    return row


def test_a_file_alone_is_forgotten_when_its_series_has_it(catalog: Catalog) -> None:
    alone = file_alone(catalog)
    row = series(catalog)
    forgetting = Forgetting(catalog)
    assert give_way(catalog, row, forgetting) == [], "its time point is not done there"
    work_off(catalog)
    (sentence,) = give_way(catalog, row, forgetting)
    assert sentence.startswith("drug_T6 is a time point of drug by now")
    while forgetting.busy:
        forgetting.turn()
        forgetting.wait()
    assert [one.id for one in catalog.acquisitions()] == [row.id]
    assert alone.id != row.id
    assert give_way(catalog, row, forgetting) == []


@pytest.mark.parametrize("params", [{"segmentation": {"min_score": 0.9}}, {"volume": {"min_iou": 0.1}}])
def test_a_result_of_other_parameters_stays_beside_it(catalog: Catalog, params: dict) -> None:
    file_alone(catalog, **params)
    row = series(catalog)
    work_off(catalog)
    assert give_way(catalog, row, Forgetting(catalog)) == []


def test_an_image_of_its_own_makes_nothing_give_way(catalog: Catalog) -> None:
    assert give_way(catalog, file_alone(catalog), Forgetting(catalog)) == []
