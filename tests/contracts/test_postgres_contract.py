"""The database on PostgreSQL: the same schema, the same rows, the same promises as on SQLite."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cases import family, images, postgres, recipes
from cases.corrected import CorrectedMovie, assert_consistent
from cases.mirror import Mirror
from cases.ruled import RULES, DriftingMovie
from cases.stored import Clock, acquisition, nuclei, one_to_one, pixels, register, work_off
from sqlalchemy import create_engine, text

import storage
from daemon import cli
from daemon.rules.rule_runner import RuleReader
from storage.connection.engine import writing_engine
from storage.corrections.asking import Corrector
from storage.corrections.persons_word import PersonsWord
from storage.database.catalog import Catalog
from storage.database.corrections.events import APPLIED
from storage.errors import DatabaseUnavailableError, NewerSchemaError, WrongRequestError
from storage.query.noticing.sent import latest_sendings
from storage.query.question import Question
from storage.query.snapshots import snapshot
from storage.schema import migrate, tables, views
from storage.schema.states import AcquisitionState

pytest.importorskip("pg8000", reason="needs the extra nusetd[postgresql]")
pytestmark = pytest.mark.skipif(
    postgres.binaries() is None, reason="needs PostgreSQL's own programs (apt-get install postgresql)"
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server for this file's tests."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    """An empty database."""
    name = f"db_{abs(hash(request.node.name))}"
    engine = create_engine(server.replace("postgresql://", "postgresql+pg8000://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres", f"/{name}")


def live_through(database: str | Path) -> None:
    """Everything that happens to an acquisition: growth, a retry, a changed source, its end."""
    clock = Clock()
    with Catalog.open(database, clock=clock) as catalog:
        row = register(catalog, acquisition(name="embryo"), threshold=0.5)
        catalog.set_aside_source("/data/bad.tif", "bad", "It is no image.")
        catalog.add_timepoints(row.id, {0: "a", 1: "b", 2: "c"})
        job = catalog.claim_next()
        assert job is not None
        catalog.fail_timepoint(job, "The share did not answer.", retry=True, pause_s=0.0)
        clock.pass_seconds(1)
        work_off(catalog)
        assert catalog.add_timepoints(row.id, {1: "changed"}) == (1,)
        job = catalog.claim_next()
        assert job is not None
        assert job.needs_replay
        update = one_to_one(2, 3)
        assert catalog.commit_timepoint(job, nuclei(1, 3, shift=2.0), update, b"again", {"segment_s": 1.0})
        for t in range(3):
            catalog.mark_published(row.id, t)
        catalog.finalise_tracks(row.id, update, b"end")
        for t, _ in catalog.unpainted_final(row.id):
            catalog.mark_painted(row.id, t)
        assert catalog.complete_acquisition(row.id).state is AcquisitionState.COMPLETE


def shown(database: str | Path) -> dict[str, pd.DataFrame]:
    """What people are shown of it."""
    return {
        # Stores are told apart by what was drawn by lot.
        "acquisitions": Question.acquisitions(database).frame().drop(columns="store_id"),
        "status": Question.status(database).frame(),
        # The servers number rows differently: ids say nothing.
        "nuclei": Question.nuclei(database, "embryo").frame().drop(columns="id", errors="ignore"),
        "tracks": Question.tracks(database, "embryo").frame().drop(columns="id", errors="ignore"),
    }


def test_schema_equals_the_sum_of_its_migrations(url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    Catalog.open(url).close()
    engine = writing_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        for name in views.VIEWS:
            connection.execute(text(f"SELECT * FROM {name}")).all()
    engine.dispose()


def test_the_same_is_stored_as_on_sqlite(url: str, tmp_path: Path) -> None:
    for database in (url, tmp_path / "nusetd.sqlite"):
        live_through(database)
    ours, other = shown(url), shown(tmp_path / "nusetd.sqlite")
    assert len(ours["nuclei"]) == 9
    for name, table in ours.items():
        pd.testing.assert_frame_equal(table, other[name], obj=name)


def test_who_follows_is_told_the_same_as_on_sqlite(url: str, tmp_path: Path) -> None:
    told: list[list[tuple[object, ...]]] = []
    for database in (url, tmp_path / "nusetd.sqlite"):
        live_through(database)
        lines = list(storage.open(database).follow("start", until_now=True))
        Mirror().take(lines).check(database)
        told.append([tuple(line.get(name) for name in ("kind", "cursor", "t", "label", "track_id")) for line in lines])
    assert told[0] == told[1]


def test_rules_decide_the_same_as_on_sqlite(url: str, tmp_path: Path) -> None:
    told: list[list[dict[str, object]]] = []
    for database in (url, tmp_path / "nusetd.sqlite"):
        clock = Clock()
        with Catalog.open(database, clock=clock) as catalog:
            movie, reader = DriftingMovie(catalog, divides_at=4), RuleReader(catalog, str(database), RULES)
            for t in range(7):
                clock.pass_seconds(60)
                movie.commit(t, signal=100.0)
                reader.turn(float(t))
        with snapshot(database) as connection:
            told.append(latest_sendings(connection, 100))
    assert told[0] == told[1]
    assert {str(one["rule"]) for one in told[0]} == {rule.name for rule in RULES}


def test_every_view_says_the_same_as_on_sqlite(url: str, tmp_path: Path) -> None:
    found: list[dict[str, list[str]]] = []
    for database in (url, tmp_path / "nusetd.sqlite"):
        live_through(database)
        with snapshot(database) as connection:
            views_now = {name: connection.execute(text(f"SELECT * FROM {name}")).all() for name in views.VIEWS}
        found.append({name: sorted(str([plainly(v) for v in row]) for row in rows) for name, rows in views_now.items()})
    assert any(found[0].values())
    assert found[0] == found[1]


def test_every_recipe_says_the_same_as_on_sqlite(url: str, tmp_path: Path) -> None:
    found: list[dict[str, list[str]]] = []
    for database, name in ((url, "server"), (tmp_path / "nusetd.sqlite", "file")):
        (tmp_path / name).mkdir()
        family.fill(tmp_path / name, database=database)
        with snapshot(database) as connection:
            answers = {title: connection.execute(text(query)).all() for title, query in recipes.SQL.items()}
        found.append({title: sorted(str([plainly(v) for v in row]) for row in rows) for title, rows in answers.items()})
    assert sum(bool(rows) for rows in found[0].values()) >= 9
    assert found[0] == found[1]


def test_python_reads_results_of_a_server(url: str, tmp_path: Path) -> None:
    family.fill(tmp_path, database=url)
    results = storage.open(url)
    embryo = results[family.NAME]
    told = results.acquisitions(where="nuclear_channel_name = 'channel 0'")
    assert told[["nuclear_channel_name", "cells_count"]].to_numpy().tolist() == [["channel 0", 4]]
    assert list(embryo.counts()["nuclei_count"]) == [len(ids) for ids in family.TRACKS_AT.values()]
    assert len(embryo.divisions()) == 2
    assert set(embryo.lineage(track=3)["relation"]) == {"ancestor", "relative", "self", "descendant"}
    assert len(embryo.nuclei(track=6, where="volume_um3 > 600 and channel_1_mean = 3", columns=["t"])) == 4
    with pytest.raises(WrongRequestError, match="absent"):
        results.sql("SELECT * FROM absent")
    with pytest.raises(WrongRequestError, match="read-only"):
        results.sql("DELETE FROM nuclei")
    for picture in ("summary", "lineage"):
        output = tmp_path / f"{picture}.png"
        words = ["plot", family.NAME, "--database", url, "--picture", picture, "--output", str(output)]
        assert cli.main(words) == 0
        assert output.stat().st_size > 5_000


def plainly(value: object) -> object:
    """A value as both mean it: SQLite has no truth values and no JSON, PostgreSQL's averages are decimal numbers."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    return round(float(value), 9) if isinstance(value, int | float | Decimal) else value


def test_a_second_writer_is_refused_until_the_first_has_gone(url: str) -> None:
    with Catalog.open(url), pytest.raises(DatabaseUnavailableError, match="Another nusetd") as refused:
        Catalog.open(url)
    assert "secret" not in str(refused.value)
    Catalog.open(url).close()


def test_a_writer_whose_connections_were_cut_takes_its_lock_again(url: str, server: str) -> None:
    with Catalog.open(url) as catalog:
        register(catalog)
        engine = create_engine(server.replace("postgresql://", "postgresql+pg8000://"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            name = url.rpartition("/")[2]
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
            )
        engine.dispose()
        assert len(catalog.acquisitions()) == 1
        with pytest.raises(DatabaseUnavailableError, match="Another nusetd"):
            Catalog.open(url)


def test_readers_see_one_moment_and_cannot_write(url: str) -> None:
    with Catalog.open(url) as catalog:
        register(catalog)
        with snapshot(url) as connection:
            count = text("SELECT count(*) FROM acquisitions")
            assert connection.execute(count).scalar() == 1
            writer = threading.Thread(target=register, args=(catalog, acquisition(name="second")))
            writer.start()
            writer.join(30)
            assert connection.execute(count).scalar() == 1
        with pytest.raises(DatabaseUnavailableError, match="read-only"), snapshot(url) as connection:
            connection.execute(text("DELETE FROM acquisitions"))
        assert len(Question.acquisitions(url).frame()) == 2


def corrected_while_it_runs(movie: CorrectedMovie) -> list[dict[str, Any]]:
    """What people see of a movie that is corrected, goes on, is corrected further, and in part undone."""
    movie.output.mkdir()
    with Catalog.open(movie.where) as catalog:
        row = movie.queue(catalog)
        movie.advance(catalog, row, 3)
    say = Corrector(str(movie.where), row.id, author="me")
    split = PersonsWord("split", 1, (1,), points=((2.0, 4.0, 2.5), (2.0, 4.0, 4.5)))
    words = (split, PersonsWord("unlink", 0, (3,), (3,)), PersonsWord("delete", 2, (5,)))
    assert [say.say(word).state for word in words] == [APPLIED] * 3
    with Catalog.open(movie.where) as catalog:
        movie.work(catalog, row)
    words = (PersonsWord("merge", 3, (6, 7)), PersonsWord("divide", 2, (2,), (2, 4)))
    assert [say.say(word).state for word in words] == [APPLIED] * 2
    found = movie.seen(row)
    assert_consistent(found)
    assert say.undo(1).state == say.undo().state == APPLIED
    assert len(say.list()) == 7
    return [found, movie.seen(row)]


@pytest.mark.long  # it starts processes, twice; `.ci/run` runs it once
def test_files_are_processed_into_it_and_found_again_where_they_were_moved(url: str, tmp_path: Path) -> None:
    """All statements of a run, from taking files up to the end, are in words that both know."""
    folder = tmp_path / "in"
    folder.mkdir()
    images.imagej_tiff(folder, pixels(2, 1, 3))
    command = ("process", str(folder), "--output", str(tmp_path / "out"), "--database", url, "--voxel-size", "1,1,1")
    with pytest.MonkeyPatch.context() as patched:
        engine = str(Path(__file__).parents[1] / "acceptance")
        patched.syspath_prepend(engine)
        patched.setenv("PYTHONPATH", engine, prepend=os.pathsep)
        for _ in range(2):
            assert cli.main([*command, "--engine", "classical_engine:ClassicalEngine"]) == 0
            [row] = storage.open(url).acquisitions().itertuples()
            assert (row.state, Path(row.source_path).parent) == ("complete", folder)
            folder = folder.rename(tmp_path / "moved")
            command = ("process", str(folder), *command[2:])


SEEN = {
    "nuclei": ["t", "label", "track_id", "volume_px", "intensity_mean", "corrected"],
    "tracks": ["track_id", "parent_track_id", "first_t", "last_t", "is_final", "duration_s"],
}


def test_corrections_are_the_same_on_both(url: str, tmp_path: Path) -> None:
    served = CorrectedMovie(tmp_path / "served", 4, database=url)
    alone = CorrectedMovie(tmp_path / "alone", 4)
    for one, other in zip(corrected_while_it_runs(served), corrected_while_it_runs(alone), strict=True):
        for name, columns in SEEN.items():
            rows, others = (seen[name][columns].astype(float) for seen in (one, other))
            pd.testing.assert_frame_equal(rows, others)
        for name in ("labels", "track_labels"):
            assert (one[name] == other[name]).all()


def test_a_newer_database_and_another_programs_are_refused(url: str) -> None:
    engine = writing_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))
    with pytest.raises(DatabaseUnavailableError, match="invoices"):
        Catalog.open(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE invoices"))
    Catalog.open(url).close()
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '0999'"))
    engine.dispose()
    with pytest.raises(NewerSchemaError, match="newer nusetd"):
        Catalog.open(url)


def test_a_server_that_does_not_answer_is_one_sentence() -> None:
    nobody = f"postgresql://tester:secret@127.0.0.1:{postgres.free_port()}/x"
    for attempt in (lambda: Catalog.open(nobody), lambda: Question.acquisitions(nobody).frame()):
        with pytest.raises(DatabaseUnavailableError, match="127") as refused:
            attempt()
        assert "secret" not in str(refused.value)
