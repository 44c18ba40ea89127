"""Results that are moved: a folder is whole wherever it lies, and the rest follows an order."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cases.processed import COUNT, TIME_POINTS, process
from cases.stored import acquisition, register

import storage
from daemon.cli import main
from storage.database.catalog import Catalog
from storage.database.sources.taken_files import Source
from storage.errors import WrongRequestError
from storage.omezarr import references
from storage.query.question import Question
from storage.query.statements import Selection
from storage.verify import verify


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source and its results."""
    folder = tmp_path_factory.mktemp("moving")
    process(folder)
    return folder


@pytest.fixture
def moved(original: Path, tmp_path: Path) -> Path:
    """Its results at another place, as an archive or a laptop has them; nothing lies at the old one."""
    shutil.copytree(original / "out", tmp_path / "elsewhere" / "results")
    return tmp_path / "elsewhere" / "results"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "nusetd.sqlite") as opened:
        yield opened


def stored_path(output: Path) -> str:
    """What the table holds."""
    with closing(sqlite3.connect(output / "nusetd.sqlite")) as connection:
        return str(connection.execute("SELECT zarr_path FROM acquisitions").fetchone()[0])


def test_a_moved_folder_opens(moved: Path, original: Path) -> None:
    (original / "out" / "embryo.ome.zarr").rename(original / "out" / "away")  # nobody may read it there
    try:
        assert stored_path(moved) == "embryo.ome.zarr"
        embryo = storage.open(moved)["embryo"]
        assert embryo.about.zarr_path == str(moved / "embryo.ome.zarr")
        assert len(set(embryo.labels()[1].compute().ravel().tolist()) - {0}) == COUNT
        assert storage.open(moved).acquisitions()["zarr_path"].tolist() == [str(moved / "embryo.ome.zarr")]
        looked_at = list(verify(moved, "embryo", source=True))
        assert [(one.t, one.mismatches) for one in looked_at] == [(t, ()) for t in range(TIME_POINTS)]
    finally:
        (original / "out" / "away").rename(original / "out" / "embryo.ome.zarr")


def test_a_moved_folder_is_drawn_and_exported(moved: Path, tmp_path: Path) -> None:
    database = ["--database", str(moved)]
    assert main(["plot", "embryo", "--picture", "nuclei", "--output", str(tmp_path / "a.png"), *database]) == 0
    assert main(["export", "embryo", "--format", "ctc", "--output", str(tmp_path / "ctc"), *database]) == 0
    assert len(list((tmp_path / "ctc").glob("*.tif"))) == TIME_POINTS


def test_a_folder_that_nobody_may_write_is_read_at_its_new_place(moved: Path) -> None:
    moved.chmod(0o555)
    try:
        assert storage.open(moved)["embryo"].about.zarr_path == str(moved / "embryo.ome.zarr")
    finally:
        moved.chmod(0o755)


def test_the_path_in_sql_is_made_whole_as_the_recipe_says(moved: Path) -> None:
    recipe = (Path(__file__).resolve().parents[3] / "RECIPES.md").read_text(encoding="utf-8")
    sql = recipe.split("<!-- whole paths -->", 1)[1].split("```sqlite\n", 1)[1].split("```", 1)[0]
    with closing(sqlite3.connect(moved / "nusetd.sqlite")) as connection:
        assert connection.execute(sql).fetchall() == [("embryo", str(moved / "embryo.ome.zarr"))]
        connection.execute("UPDATE acquisitions SET zarr_path = 's3://bucket/embryo.ome.zarr'")
        assert connection.execute(sql).fetchall() == [("embryo", "s3://bucket/embryo.ome.zarr")]


def test_filters_see_whole_paths(moved: Path) -> None:
    for where, count in ((f"zarr_path = '{moved}/embryo.ome.zarr'", 1), ("zarr_path = 'embryo.ome.zarr'", 0)):
        assert len(Question.acquisitions(moved, Selection(where=where)).frame()) == count


def test_rows_of_before_are_read_as_they_are(catalog: Catalog, tmp_path: Path) -> None:
    row = register(catalog, acquisition(), output=tmp_path)
    old = str(tmp_path / "x.ome.zarr")
    with closing(sqlite3.connect(tmp_path / "nusetd.sqlite")) as connection:
        connection.execute("UPDATE acquisitions SET zarr_path = ?", (old,))
        connection.commit()
    assert catalog.acquisition(row.id).zarr_path == old


def test_a_place_known_by_its_whole_path_is_not_given_again(catalog: Catalog, tmp_path: Path) -> None:
    first = register(catalog, acquisition(), output=tmp_path)
    with closing(sqlite3.connect(tmp_path / "nusetd.sqlite")) as connection:
        connection.execute("UPDATE acquisitions SET zarr_path = ?", (first.zarr_path,))
        connection.commit()
    second = register(catalog, acquisition(), output=tmp_path, other=1)
    assert second.zarr_path != first.zarr_path


def test_what_lies_behind_a_link_lies_beside_the_database_too(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    os.symlink(tmp_path / "disk", tmp_path / "data")
    with Catalog.open(tmp_path / "data" / "nusetd.sqlite") as catalog:
        register(catalog, acquisition(), output=tmp_path / "disk")
    assert not Path(stored_path(tmp_path / "disk")).is_absolute()


def sql_paths(folder: Path, query: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(folder / "nusetd.sqlite")) as connection:
        return connection.execute(query).fetchall()


def test_relocate_moves_stores_and_sources(catalog: Catalog, tmp_path: Path) -> None:
    row = register(catalog, output=Path("/archive/old/results"))
    folder = Path(row.source_path).parent
    taken = [Source(row.source_path, 1, 2, 1, True)]
    catalog.add_timepoints(row.id, {0: "a"}, {0: Path(row.source_path)}, taken)
    moved = catalog.upkeep.move(Path("/archive/old"), tmp_path)
    assert (moved.stores, moved.sources) == (1, 0)
    assert catalog.acquisition(row.id).zarr_path == f"{tmp_path}/results/{Path(str(row.zarr_path)).name}"
    moved = catalog.upkeep.move(folder, Path("/new/place"))
    assert (moved.stores, moved.sources) == (0, 1)
    there = f"/new/place/{Path(row.source_path).name}"
    assert sql_paths(tmp_path, "SELECT source_path, source_key FROM acquisitions") == [(there, there)]
    assert sql_paths(tmp_path, "SELECT source_file FROM timepoints") == [(there,)]
    assert sql_paths(tmp_path, "SELECT path FROM sources") == [(there,)]
    assert catalog.upkeep.move(Path("/new/pla"), Path("/x")).sources == 0  # the beginning of a name is no folder


def test_relocate_refuses_what_is_known_under_the_new_path(catalog: Catalog, tmp_path: Path) -> None:
    one = register(catalog, acquisition(), output=tmp_path / "a")
    other = register(catalog, acquisition(), output=tmp_path / "b", other=1)
    before = sql_paths(tmp_path, "SELECT zarr_path FROM acquisitions ORDER BY id")
    with pytest.raises(WrongRequestError, match="is known already, as that of"):
        catalog.upkeep.move(Path(str(one.zarr_path)), Path(str(other.zarr_path)))
    assert sql_paths(tmp_path, "SELECT zarr_path FROM acquisitions ORDER BY id") == before


def test_the_command_relocate_says_what_it_found(
    moved: Path, original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = ["--database", str(moved)]
    shutil.copy(original / "embryo.tif", tmp_path / "embryo.tif")
    assert main(["relocate", str(original), str(tmp_path / "misspelt"), *database]) == 2
    assert "is not there" in capsys.readouterr().err
    assert main(["relocate", str(tmp_path / "nothing"), str(tmp_path), *database]) == 1
    assert main(["relocate", str(original), str(tmp_path), *database]) == 0
    assert "sources of 1 acquisition." in capsys.readouterr().out
    assert storage.open(moved)["embryo"].about.source_path == str(tmp_path / "embryo.tif")
    with Catalog.open(moved):  # as the service does
        assert main(["relocate", str(tmp_path), str(tmp_path), *database]) == 1
    assert "stop it first" in capsys.readouterr().err


def test_links_to_a_moved_image_lead_to_it(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    os.symlink("/old/images/a.ome.zarr/0", store / "0")
    os.symlink("/old/images2/b.ome.zarr/1", store / "1")
    assert references.relink(store, Path("/old/images"), Path("/new")) == 1
    assert [os.readlink(store / name) for name in "01"] == ["/new/a.ome.zarr/0", "/old/images2/b.ome.zarr/1"]
