"""What was forgotten is not taken again by itself, and what still comes of its series is another acquisition."""

from __future__ import annotations

from pathlib import Path

from desk import Desk

from storage.database.catalog import Catalog


def forget(catalog: Catalog, number: int) -> None:
    while not catalog.upkeep.forget_some(number):
        pass


def test_a_forgotten_file_is_taken_again_only_when_it_changed(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        desk = Desk(tmp_path, catalog)
        path = desk.put("stack.tif")
        desk.run(0.0, 5.0)
        forget(catalog, 1)
        desk.run(5.5, 20.0)
        assert desk.queued() == {}
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        desk = Desk(tmp_path, catalog)
        desk.run(0.0, 20.0)
        assert desk.queued() == {}, "nor after a restart"
        desk.intake.submit(path)
        desk.run(20.5, 30.0)
        assert desk.queued() == {"stack": [0]}, "a person may ask for it"
        forget(catalog, catalog.acquisitions()[0].id)
        desk.put("stack.tif", value=2, shape=(4, 16, 16))
        desk.run(30.5, 40.0)
        assert desk.queued() == {"stack": [0]}


def test_a_series_goes_on_as_another_acquisition(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        desk = Desk(tmp_path, catalog)
        for t in range(2):
            desk.put(f"a_t{t}.tif")
        desk.run(0.0, 40.0)
        forget(catalog, 1)
        desk.intake.admission.let_go(1)
        desk.put("a_t2.tif")
        desk.run(40.5, 80.0)
        assert desk.queued() == {"a": [2]}
        forget(catalog, catalog.acquisitions()[0].id)
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        desk = Desk(tmp_path, catalog)
        desk.put("a_t3.tif")
        desk.run(0.0, 40.0)
        assert desk.queued() == {"a": [3]}, "nothing waits for those that are forgotten"
