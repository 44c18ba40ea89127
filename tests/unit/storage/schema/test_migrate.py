"""The tables: equal to the sum of their migrations, named as the contract says, guarded against other versions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from cases import family
from cases.mirror import Mirror
from sqlalchemy import create_engine, text

import storage
from storage import naming
from storage.connection.engine import writing_engine
from storage.database.catalog import Catalog
from storage.errors import DatabaseUnavailableError, NewerSchemaError
from storage.query.question import Question
from storage.schema import migrate, tables

CONTRACT = {
    "acquisitions": "id name source_path state reader size_t size_c size_z size_y size_x voxel_z_um voxel_y_um "
    "voxel_x_um voxel_source frame_interval_s zarr_path created_at completed_at error model_name model_sha256 params "
    "nusetd_version",
    "timepoints": "id acquisition_id t state attempts error nuclei_count timings",
    "nuclei": "id acquisition_id t label track_id centroid_z_um centroid_y_um centroid_x_um volume_um3 area_um2 "
    "centroid_z_px centroid_y_px centroid_x_px volume_px score",
    "tracks": "id acquisition_id track_id parent_track_id first_t last_t nuclei_count is_final",
}
UNIQUE = {
    ("timepoints", "acquisition_id,t"),
    ("nuclei", "acquisition_id,t,label"),
    ("tracks", "acquisition_id,track_id"),
}


def described(path: Path) -> dict[str, object]:
    """Every table's columns, indexes and foreign keys, as SQLite itself tells them."""
    with closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        found: dict[str, object] = {}
        for name in names:
            if name == migrate.VERSION_TABLE or name.startswith("sqlite_"):  # those are SQLite's own
                continue
            columns = [row[1:] for row in connection.execute(f"PRAGMA table_info({name})")]
            keys = sorted(row[2:] for row in connection.execute(f"PRAGMA foreign_key_list({name})"))
            indexes = sorted(
                (row[2], tuple(r[2] for r in connection.execute(f"PRAGMA index_info('{row[1]}')")))
                for row in connection.execute(f"PRAGMA index_list({name})")
            )
            found[name] = (columns, keys, indexes)
    connection.close()
    return found


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    """A database made by the migrations."""
    Catalog.open(tmp_path / "migrated.sqlite").close()
    return tmp_path / "migrated.sqlite"


def test_schema_equals_the_sum_of_its_migrations(migrated: Path, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/direct.sqlite")
    tables.metadata.create_all(engine)
    engine.dispose()
    assert described(migrated) == described(tmp_path / "direct.sqlite")


def test_alembic_sees_no_difference(migrated: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = writing_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_head_is_the_newest_migration() -> None:
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(migrate.configuration()).get_current_head() == migrate.HEAD


def test_migrations_can_be_undone(migrated: Path) -> None:
    from alembic import command

    engine = writing_engine(f"sqlite:///{migrated}")
    with engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    engine.dispose()
    assert described(migrated) == {}


@pytest.mark.parametrize(("table", "columns"), CONTRACT.items())
def test_the_names_of_the_contract_are_there(table: str, columns: str) -> None:
    assert set(columns.split()) <= set(tables.metadata.tables[table].columns.keys())


@pytest.mark.parametrize(("table", "columns"), UNIQUE)
def test_the_keys_of_the_contract_are_unique(migrated: Path, table: str, columns: str) -> None:
    unique = {tuple(names) for is_unique, names in described(migrated)[table][2] if is_unique}  # type: ignore[index]
    assert tuple(columns.split(",")) in unique


def test_a_database_of_a_newer_version_is_refused_and_left_alone(migrated: Path) -> None:
    with sqlite3.connect(migrated) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.close()
    before = described(migrated)
    with pytest.raises(NewerSchemaError, match="newer nusetd"):
        Catalog.open(migrated)
    assert described(migrated) == before


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.sqlite") as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    connection.close()
    with pytest.raises(DatabaseUnavailableError, match="another program"):
        Catalog.open(tmp_path / "x.sqlite")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(DatabaseUnavailableError, match="cannot be"):
        Catalog.open(tmp_path / "x.sqlite")


def test_an_older_database_is_copied_before_it_is_upgraded(migrated: Path) -> None:
    engine = writing_engine(f"sqlite:///{migrated}")
    migrate._back_up(engine, "0000")
    engine.dispose()
    assert described(migrated.with_name("migrated.sqlite.before-upgrade-from-0000")) == described(migrated)


def test_a_database_of_the_first_version_is_upgraded_and_a_copy_kept(migrated: Path) -> None:
    from alembic import command

    engine = writing_engine(f"sqlite:///{migrated}")
    with engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    engine.dispose()
    first = described(migrated)
    Catalog.open(migrated).close()
    assert described(migrated) != first
    assert described(migrated.with_name("migrated.sqlite.before-upgrade-from-0001")) == first


def test_measurements_of_an_older_database_are_columns_after_its_upgrade(tmp_path: Path) -> None:
    from alembic import command

    family.fill(tmp_path)
    before = Question.nuclei(tmp_path, family.NAME).frame()
    engine = writing_engine(naming.database_url(tmp_path))
    with engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
    engine.dispose()
    Catalog.open(tmp_path).close()
    pd.testing.assert_frame_equal(Question.nuclei(tmp_path, family.NAME).frame(), before)
    assert before["channel_1_mean"].notna().all()


def test_durations_of_an_older_database_count_as_those_of_now(tmp_path: Path) -> None:
    from alembic import command

    family.fill(tmp_path)
    before = Question.tracks(tmp_path, family.NAME).frame()
    assert before["duration_s"].notna().all()
    engine = writing_engine(naming.database_url(tmp_path))
    with engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0009")
        older = connection.execute(text("SELECT duration_frames, duration_s, last_t - first_t FROM tracks")).all()
    engine.dispose()
    assert [tuple(row) for row in older] == [(span, 60.0 * span, span) for _, _, span in older]
    Catalog.open(tmp_path).close()
    pd.testing.assert_frame_equal(Question.tracks(tmp_path, family.NAME).frame(), before)


def test_what_an_older_database_holds_is_told_from_the_start(tmp_path: Path) -> None:
    from alembic import command

    family.fill(tmp_path)
    engine = writing_engine(naming.database_url(tmp_path))
    with engine.begin() as connection:
        config = migrate.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0019")
    engine.dispose()
    Catalog.open(tmp_path).close()
    Mirror().take(storage.open(tmp_path).follow("start", until_now=True)).check(tmp_path)


def test_a_connection_has_the_settings_that_lose_nothing(migrated: Path) -> None:
    engine = writing_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    engine.dispose()
    assert settings == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30_000}


def test_a_writer_takes_the_lock_when_it_begins(migrated: Path) -> None:
    """Two transactions that read before they write must not both succeed, or one update is lost."""
    engine = writing_engine(f"sqlite:///{migrated}")
    with engine.begin():
        other = sqlite3.connect(migrated, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    engine.dispose()
