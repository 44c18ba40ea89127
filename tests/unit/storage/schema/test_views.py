"""Views: the common questions in one SELECT each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cases import family
from cases.stored import nuclei, one_to_one, register

from storage.connection.engine import writing_engine
from storage.database.catalog import Catalog
from storage.schema import migrate, views


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """The family of `cases.family`, as any SQLite client sees it."""
    folder = family.fill(tmp_path_factory.mktemp("family"))
    with closing(sqlite3.connect(folder / "nusetd.sqlite")) as connection:
        yield connection


def rows(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def test_counts_over_time(database: sqlite3.Connection) -> None:
    query = (
        "SELECT t, time_s, nuclei_count, divisions_count FROM counts_over_time WHERE acquisition = 'embryo' ORDER BY t"
    )
    assert rows(database, query) == [
        (0, 0.0, 2, 0), (1, 60.0, 2, 0), (2, 120.0, 2, 1), (3, 180.0, 3, 0), (4, 240.0, 4, 1), (5, 300.0, 4, 0),
    ]  # fmt: skip


def test_divisions(database: sqlite3.Connection) -> None:
    columns = "parent_track_id, daughter_1, daughter_2, t, daughters_t, time_s, score, y_um, x_um, parent_seen_s"
    assert rows(database, f"SELECT {columns} FROM divisions ORDER BY t") == [
        (1, 2, 3, 1, 2, 60.0, 0.8, 10.0, 5.0, 120.0),
        (3, 4, 5, 3, 4, 180.0, 0.8, 30.0, 15.0, 120.0),
    ]
    volumes = "parent_volume_um3, daughter_1_volume_um3, daughter_2_volume_um3"
    assert rows(database, f"SELECT {volumes} FROM divisions WHERE parent_track_id = 3") == [(303.0, 404.0, 504.0)]


def test_lineages(database: sqlite3.Connection) -> None:
    columns = "track_id, parent_track_id, root_track_id, generation, daughters_count"
    assert rows(database, f"SELECT {columns} FROM lineages WHERE acquisition_id = 1 ORDER BY track_id") == [
        (1, None, 1, 0, 2), (2, 1, 1, 1, 0), (3, 1, 1, 1, 2), (4, 3, 1, 2, 0), (5, 3, 1, 2, 0), (6, None, 6, 0, 0),
    ]  # fmt: skip


def test_steps_over_a_gap_are_longer_but_no_faster(database: sqlite3.Connection) -> None:
    query = "SELECT previous_t, t, step_um, speed_um_per_min FROM track_steps WHERE track_id = 6 ORDER BY t"
    assert rows(database, query) == [(0, 1, 5.0, 5.0), (1, 3, 10.0, 5.0), (3, 4, 5.0, 5.0), (4, 5, 5.0, 5.0)]


def test_every_nucleus_knows_what_made_it(database: sqlite3.Connection) -> None:
    columns = "acquisition, t, model_name, model_sha256, params, source_fingerprint, committed_at"
    found = rows(database, f"SELECT DISTINCT {columns} FROM nuclei_origins WHERE track_id = 2 AND t = 4")
    assert found == [
        ("embryo", 4, "fluorescence", "ab" * 32, '{"minimum": 3}', "fingerprint 4", "2026-01-01T00:00:00.000Z")
    ]
    assert rows(database, "SELECT count(*) FROM nuclei_origins") == [(family.NUCLEI,)]
    assert rows(database, "SELECT count(*) FROM nuclei_origins WHERE nusetd_version IS NULL") == [(0,)]


@pytest.mark.parametrize("view", ["divisions", "nuclei_origins", "track_steps", "counts_over_time"])
def test_a_view_is_answered_by_index(database: sqlite3.Connection, view: str) -> None:
    plan = rows(database, f"EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE acquisition_id = 1")
    scans = [line[3].split()[1] for line in plan if line[3].startswith("SCAN")]
    assert set(scans) <= ({"d", "k"} if view == "counts_over_time" else set())  # few rows: the tracks, counted once


def test_divisions_are_found_by_their_mother(database: sqlite3.Connection) -> None:
    plan = " ".join(line[3] for line in rows(database, "EXPLAIN QUERY PLAN SELECT * FROM divisions"))
    assert "parent_track_id=?" in plan
    assert "track_id>?" not in plan
    assert "track_id<?" not in plan


def test_a_row_keeps_its_origin_while_its_source_is_taken_again(catalog: Catalog, tmp_path: Path) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "old"}, {0: Path("/data/a_t1.tif")})
    job = catalog.claim_next()
    assert job is not None
    catalog.commit_timepoint(job, nuclei(0), one_to_one(0, 3), b"", {})
    catalog.add_timepoints(row.id, {0: "new"}, {0: Path("/data/a_t1.tif")})
    query = "SELECT DISTINCT source_file, source_fingerprint FROM nuclei_origins"
    with closing(sqlite3.connect(tmp_path / "nusetd.sqlite")) as connection:
        assert rows(connection, query) == [("/data/a_t1.tif", "old")]
        job = catalog.claim_next()
        assert job is not None
        catalog.commit_timepoint(job, nuclei(0), one_to_one(0, 3), b"", {})
        assert rows(connection, query) == [("/data/a_t1.tif", "new")]


def test_views_of_a_migrated_database_are_those_of_a_new_one(tmp_path: Path) -> None:
    from alembic import command

    engine = writing_engine(f"sqlite:///{tmp_path}/old.sqlite")
    with engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("CREATE VIEW divisions AS SELECT 1 AS one")  # as if of another version
        connection.exec_driver_sql("CREATE VIEW mine AS SELECT name FROM acquisitions")
    engine.dispose()
    found = []
    for name in ("old", "new"):
        Catalog.open(tmp_path / f"{name}.sqlite").close()
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as connection:
            found.append(rows(connection, "SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY name"))
    assert [name for name, _ in found[0]] == sorted([*views.VIEWS, "mine"])
    assert [one for one in found[0] if one[0] != "mine"] == found[1]


def test_a_change_of_the_views_comes_with_a_migration() -> None:
    """If this fails, add a migration with `VIEWS_SHA256` as `views.digest()` gives it now, and raise `migrate.HEAD`."""
    from alembic.script import ScriptDirectory

    revisions = ScriptDirectory.from_config(migrate.configuration()).walk_revisions()
    hashes = [one.module.VIEWS_SHA256 for one in revisions if hasattr(one.module, "VIEWS_SHA256")]
    assert hashes[0] == views.digest()
