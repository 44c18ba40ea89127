"""Databases that were made apart and are put together: rows, corrections and stores go over, whoever is killed."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from cases.corrected import CorrectedMovie, assert_same_seen
from cases.mirror import Mirror
from cases.stored import acquisition, pixels, register, squares

import storage
from daemon.cli import main
from daemon.upkeep import merge as merging
from storage import naming
from storage.connection.engine import writing_engine
from storage.database.catalog import Catalog
from storage.database.sources.taken_files import Source
from storage.database.upkeep.merging import OF_RESULTS
from storage.errors import StoreTakenError
from storage.omezarr import bundles
from storage.omezarr.image_store import ImageStore
from storage.schema import migrate
from storage.schema.columns import metadata
from storage.schema.rows import AcquisitionRow

FRAMES = 3
SEPARATE = {"acquisitions", "corrections", "events", "sources", "changes", "forgotten_sources", "folders"}
NOT_TAKEN = {
    "identity",
    "service_reports",
    "requests",
    "staged_track_ids",
    "staged_tracks",
    "rule_sendings",
    "rule_states",
}
"""What only the one database means, and what is made anew."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two outputs with an acquisition each, of one name; the first was corrected, once in vain."""
    folder = tmp_path_factory.mktemp("apart")
    for name in ("a", "b"):
        movie = CorrectedMovie(folder / name, frames=FRAMES, model=name, shift=int(name == "b"))
        row = movie.process()
        with Catalog.open(movie.output) as catalog:
            seen = [Source(f"/data/{name}.tif", 1, 2, 3, True)]
            catalog.add_timepoints(row.id, {}, taken=seen)
    correct = storage.open(folder / "a")["embryo"].correct
    correct.delete(1, 2)
    correct.merge(0, [3, 4])
    correct.undo()
    return folder


@pytest.fixture
def apart(made: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    shutil.copytree(made, tmp_path / "apart")
    return tmp_path / "apart"


def merge(apart: Path, *names: str) -> int:
    """Put them together."""
    return main(["merge", *(str(apart / name) for name in names), "--into", str(apart / "all.sqlite")])


def seen(output: Path, row: AcquisitionRow, database: str = "nusetd.sqlite") -> dict[str, object]:
    """What people see of an acquisition, but for its number."""
    movie = CorrectedMovie(output, frames=FRAMES)
    if database != "nusetd.sqlite":
        shutil.copy(output / database, output / "nusetd.sqlite")
    found = movie.seen(row)
    for table in ("nuclei", "tracks"):
        found[table] = found[table].drop(columns="acquisition_id")
    return found


def rows(output: Path | str) -> list[AcquisitionRow]:
    """The acquisitions of a database."""
    with Catalog.open(output) as catalog:
        return catalog.acquisitions()


def test_every_table_is_taken_over_or_said_not_to_be() -> None:
    copied = {table.name for table in OF_RESULTS}
    assert copied | SEPARATE | NOT_TAKEN == {table.name for table in metadata.sorted_tables}
    order = [table.name for table in OF_RESULTS]
    for table in OF_RESULTS:
        referred = {key.column.table.name for key in table.foreign_keys} & copied
        assert all(order.index(name) < order.index(table.name) for name in referred)


def test_all_of_two_databases_is_seen_in_one(apart: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [seen(apart / name, rows(apart / name)[0]) for name in ("a", "b")]
    assert merge(apart, "a", "b") == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"{apart / name}: 1 acquisition taken over." for name in ("a", "b")]
    assert said.err == "embryo is called embryo-2 now: that name was taken.\n"
    first, second = rows(apart / "all.sqlite")
    assert (first.name, second.name) == ("embryo", "embryo-2")
    assert [naming.parent(naming.as_place(str(row.zarr_path))) for row in (first, second)] == [apart / "a", apart / "b"]
    Mirror().take(storage.open(apart / "all.sqlite").follow("start", until_now=True)).check(apart / "all.sqlite")
    for row, was in zip((first, second), before, strict=True):
        assert_same_seen(seen(apart, row, "all.sqlite"), was)
    with closing(sqlite3.connect(apart / "all.sqlite")) as connection:
        taken = connection.execute("SELECT path, acquisition_id FROM sources ORDER BY path").fetchall()
        nulls = "SELECT count(*) FROM nuclei WHERE measurements = 'null'"
        assert connection.execute(nulls).fetchone() == (0,)
    assert taken == [("/data/a.tif", first.id), ("/data/b.tif", second.id)]


def test_corrections_are_kept_and_can_be_undone_there(apart: Path) -> None:
    assert merge(apart, "b", "a") == 0
    correct = storage.open(apart / "all.sqlite")["embryo-2"].correct
    said = correct.list().set_index("kind")
    assert said["undone_by"].isna().to_dict() == {"delete": True, "merge": False, "undo": True}
    assert said.loc["merge", "undone_by"] == said.loc["undo", "id"]
    reply = correct.undo()
    assert reply.state == "applied", reply.text
    plain = CorrectedMovie(apart / "plain", frames=FRAMES, model="a")
    assert_same_seen(seen(apart, rows(apart / "all.sqlite")[1], "all.sqlite"), seen(plain.output, plain.process()))


def test_again_takes_nothing_twice_and_goes_on_after_a_kill(
    apart: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(merging, "hand_over", lambda *places: (_ for _ in ()).throw(KeyboardInterrupt))
        assert merge(apart, "a") == 130
    [row] = rows(apart / "all.sqlite")
    for _ in range(2):
        assert merge(apart, "a") == 0
        assert "0 acquisitions taken over, 1 there already" in capsys.readouterr().out
        with Catalog.open(apart / "all.sqlite") as catalog:
            assert ImageStore.open(str(row.zarr_path), catalog.stores.owner(row), made=False)
    assert len(rows(apart / "all.sqlite")) == 1


def test_a_second_result_of_the_same_kind_is_left_out_and_named(
    apart: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = CorrectedMovie(apart / "c", frames=FRAMES, model="a")
    row = other.process()
    assert merge(apart, "a", "c") == 0
    said = capsys.readouterr()
    assert "embryo is left out: embryo is a result of the same source" in said.err
    assert "0 acquisitions taken over, 1 left out" in said.out
    with Catalog.open(other.output) as catalog:
        assert ImageStore.open(str(row.zarr_path), catalog.stores.owner(row), made=False), "its store stays its own"


def test_a_store_that_is_away_is_named_and_taken_over_later(apart: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (apart / "a" / "embryo.ome.zarr").rename(apart / "away")
    assert merge(apart, "a") == 1
    assert f"its OME-Zarr not: {apart / 'a' / 'embryo.ome.zarr'} is not there" in capsys.readouterr().err
    (apart / "away").rename(apart / "a" / "embryo.ome.zarr")
    assert merge(apart, "a") == 0


@pytest.mark.parametrize("images", ["bundle", "memory://merged"])
def test_bundles_and_object_stores_are_handed_over(images: str, tmp_path: Path) -> None:
    bundle = "plate" if images == "bundle" else None
    output = tmp_path / "a"
    output.mkdir()
    with Catalog.open(output) as catalog:
        image = acquisition(pixels(1))
        place = naming.zarr_path(output if bundle else images, image.name, bundle)
        params = {"nuclear_channel": 0}
        row = catalog.register(image, zarr_path=place, model_name="m", model_sha256="0" * 64, params=params)
        catalog.add_timepoints(row.id, {0: "x"})
        store = ImageStore.create(str(row.zarr_path), image, owner=catalog.stores.owner(row))
        store.write_timepoint(0, [image.planes(0, 0)], squares(0, 1))
    assert merge(tmp_path, "a") == 0
    with Catalog.open(tmp_path / "all.sqlite") as catalog:
        [row] = catalog.acquisitions()
        owner = catalog.stores.owner(row)
        assert ImageStore.create(str(row.zarr_path), image, owner=owner, made=False).owner == owner
        if bundle is not None:
            bundles.ensure(naming.as_place(output / "plate.ome.zarr"), "0.4", owner.of_bundle)
    with Catalog.open(output) as catalog, pytest.raises(StoreTakenError, match="of another database"):
        ImageStore.open(str(row.zarr_path), catalog.stores.owner(row))


def test_what_is_still_to_be_done_is_done_there(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "a.sqlite") as catalog:
        row = register(catalog, acquisition())
        catalog.add_timepoints(row.id, {0: "x", 1: "y"})
        assert catalog.claim_next() is not None  # and its process is killed
    assert main(["merge", str(tmp_path / "a.sqlite"), "--into", str(tmp_path / "all.sqlite")]) == 0
    with Catalog.open(tmp_path / "all.sqlite") as catalog:
        jobs = [catalog.claim_next(2), catalog.claim_next(2)]
        assert [job.t for job in jobs if job is not None] == [0, 1]


def test_ten_databases_one_of_them_of_an_older_version_are_put_together_whoever_is_killed(tmp_path: Path) -> None:
    """A real kill in the middle: what was taken over is known by then, and nothing is there twice."""
    from alembic import command

    made = [f"{number}.sqlite" for number in range(10)]
    for name in made:
        with Catalog.open(tmp_path / name) as catalog:
            for image in range(20):
                row = register(catalog, acquisition(name=f"{name}-{image}"))
                catalog.add_timepoints(row.id, {0: f"content1-{name}-{image}"})
    engine = writing_engine(naming.database_url(tmp_path / made[7]))
    with engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0019")
    engine.dispose()
    into = tmp_path / "all.sqlite"
    arguments = ["merge", *(str(tmp_path / name) for name in made), "--into", str(into)]
    first = subprocess.Popen([sys.executable, "-m", "daemon.cli", *arguments])
    until = time.monotonic() + 60.0
    while taken(into) < 30 and first.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    first.kill()
    assert first.wait() == -signal.SIGKILL
    assert 30 <= taken(into) < 200
    assert main(arguments) == 0
    assert taken(into) == 200
    with closing(sqlite3.connect(into)) as connection:
        assert connection.execute("SELECT count(DISTINCT store_id) FROM acquisitions").fetchone() == (200,)
        assert connection.execute("SELECT count(*) FROM timepoints").fetchone() == (200,)


def taken(database: Path) -> int:
    """Acquisitions that are there."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM acquisitions").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def test_a_database_into_itself_and_one_that_is_not_there_are_refused(
    apart: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["merge", str(apart / "a"), "--into", str(apart / "a" / "nusetd.sqlite")]) == 2
    assert "name another one" in capsys.readouterr().err
    assert main(["merge", str(apart / "none.sqlite"), "--into", str(apart / "all.sqlite")]) == 1
    assert "There is no database" in capsys.readouterr().err
    assert not (apart / "all.sqlite").exists()
