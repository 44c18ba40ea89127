"""Looking through stores: each is what it is, and what a person should look at is told apart."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cases.processed import process

from daemon.cli import main
from storage.omezarr.image_store import ImageStore
from storage.omezarr.ownership import Owner
from storage.store_check import check_stores


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    process(folder)
    return folder / "out"


@pytest.fixture
def output(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil, signed by its database."""
    shutil.copytree(original, tmp_path / "out")
    store = ImageStore.open(tmp_path / "out" / "embryo.ome.zarr")
    store._visible.sign(mine(tmp_path / "out"))
    return tmp_path / "out"


def mine(output: Path) -> Owner:
    with closing(sqlite3.connect(output / "nusetd.sqlite")) as connection:
        [database] = connection.execute("SELECT database_id FROM identity").fetchone()
        [store] = connection.execute("SELECT store_id FROM acquisitions").fetchone()
    return Owner(database, 1, store)


def states(output: Path) -> dict[str, str]:
    return {Path(str(one.place)).name: one.state for one in check_stores(output)}


def test_a_whole_store_is_called_so(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert states(output) == {"embryo.ome.zarr": "whole"}
    assert main(["check-store", "--database", str(output)]) == 0
    assert "2 time points" in capsys.readouterr().out


def test_what_is_missing_damaged_or_taken_is_told(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = output / "embryo.ome.zarr"
    ImageStore.open(store)._visible.sign(Owner("f" * 32, 7, "x"))
    [verdict] = check_stores(output)
    assert (verdict.state, verdict.what) == ("taken", "of acquisition 7 of database ffffffffffff")
    (store / ".zattrs").write_text("{")
    assert states(output) == {"embryo.ome.zarr": "damaged"}
    (store / ".zattrs").write_text("{}")
    assert states(output) == {"embryo.ome.zarr": "taken"}
    shutil.rmtree(store)
    [verdict] = check_stores(output)
    assert verdict.state == "missing"
    assert "was last seen at 20" in verdict.what
    assert main(["check-store", "--database", str(output)]) == 1
    assert "1 of 1 store to be looked at" in capsys.readouterr().err


def test_a_time_point_that_is_not_visible_is_damage(output: Path) -> None:
    with closing(sqlite3.connect(output / "nusetd.sqlite")) as connection:
        connection.execute("UPDATE timepoints SET published_at = NULL WHERE t = 1")
        connection.commit()
    assert states(output) == {"embryo.ome.zarr": "damaged"}


def test_what_no_acquisition_has_is_told_apart(output: Path) -> None:
    store, owner = output / "embryo.ome.zarr", mine(output)
    (output / "day1").mkdir()
    for name, whose in (("day1/lost.ome.zarr", owner), ("theirs.ome.zarr", Owner("f" * 32, 1, "x"))):
        shutil.copytree(store, output / name)
        ImageStore.open(output / name)._visible.sign(whose)
    (output / "photos.zarr").mkdir()
    (output / "photos.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    for whose in (owner.database[:12], "f" * 12):
        (output / f"new.ome.zarr.{whose}.partial").mkdir()
    (output / "embryo.ome.zarr.staging").mkdir()
    assert states(output) == {
        "embryo.ome.zarr": "whole",
        "lost.ome.zarr": "orphaned",
        "theirs.ome.zarr": "foreign",
        "photos.zarr": "foreign",
        f"new.ome.zarr.{owner.database[:12]}.partial": "left over",
        f"new.ome.zarr.{'f' * 12}.partial": "foreign",
        "embryo.ome.zarr.staging": "in work",
    }


def test_positions_of_a_bundle_are_looked_at_one_by_one(tmp_path: Path) -> None:
    output, _ = process(tmp_path, bundle="exp")
    found = {str(one.place): one for one in check_stores(output)}
    assert {place: one.state for place, one in found.items()} == {f"{output}/exp.ome.zarr/0": "whole"}
    assert "did not sign it" in found[f"{output}/exp.ome.zarr/0"].what
