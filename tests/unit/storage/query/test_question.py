"""Questions to the database."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases.stored import acquisition, nuclei, one_to_one, register, work_off

from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.errors import DatabaseUnavailableError, StorageError, UnknownAcquisitionError
from storage.query.answers import to_pandas
from storage.query.question import Question
from storage.query.snapshots import resolve, snapshot
from storage.query.statements import Selection


@pytest.fixture
def filled(catalog: Catalog, tmp_path: Path) -> Path:
    """Two acquisitions; the first has 3, 4 and 5 nuclei at t = 0, 1, 2, the second nothing yet."""
    row = register(catalog, note="π")
    catalog.add_timepoints(row.id, {0: "a", 1: "b", 2: "c"})
    work_off(catalog, lambda job: (nuclei(job.t, 3 + job.t), one_to_one(job.t, 3 + job.t)))
    register(catalog, acquisition(name="7"))
    return tmp_path / "nusetd.sqlite"


def test_acquisitions_tell_how_far_they_are(filled: Path) -> None:
    table = Question.acquisitions(filled).frame()
    assert list(table["name"]) == ["embryo", "7"]
    assert list(table["timepoints_done"]) == [3, 0]
    assert list(table["nuclei_count"]) == [12, 0]
    assert list(table["tracks_count"]) == [5, 0]
    assert list(table["cells_count"]) == [5, 0]  # alive at the end, of 12 detections
    assert list(table["divisions_count"]) == [0, 0]
    assert list(table["source_folder"]) == ["/data", "/data"]
    assert list(table["date"]) == [str(table["created_at"][0])[:10]] * 2
    assert table["params"][0] == '{"note": "π"}'
    assert "source_key" not in table


def test_status_counts_states(filled: Path, catalog: Catalog) -> None:
    catalog.add_timepoints(2, {0: "a", 1: "b"})
    job = catalog.claim_next()
    assert job is not None
    catalog.fail_timepoint(job, "disk full", retry=False)
    table = Question.status(filled).frame().set_index("name")
    assert list(table.loc["embryo", ["queued", "running", "done", "failed"]]) == [0, 0, 3, 0]
    assert list(table.loc["7", ["queued", "running", "done", "failed", "error"]]) == [1, 0, 0, 1, "disk full"]


def test_nuclei_of_all_of_one_time_of_one_track(filled: Path) -> None:
    assert len(Question.nuclei(filled, "embryo").frame()) == 12
    assert set(Question.nuclei(filled, 1, Selection(t=1)).frame()["t"]) == {1}
    assert list(Question.nuclei(filled, "1", Selection(t=(1, 2), track=11)).frame()["t"]) == [1, 2]
    named = Question.nuclei(filled, "embryo", Selection(columns=["t", "label", "volume_um3"], t=0)).frame()
    assert list(named.columns) == ["t", "label", "volume_um3"]
    assert list(named["volume_um3"]) == [400.0, 450.0, 500.0]


def test_columns_keep_their_kind_beside_missing_values(filled: Path) -> None:
    table = Question.nuclei(filled, "embryo").frame()
    assert (str(table["track_id"].dtype), str(table["gap_bridged"].dtype)) == ("Int64", "boolean")
    assert table["area_um2"].isna().all()
    empty = Question.nuclei(filled, 2).frame()
    assert (len(empty), str(empty["track_id"].dtype)) == (0, "Int64")


def test_other_channels_are_columns_of_their_own(catalog: Catalog, tmp_path: Path) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "a"})
    table = Nuclei.from_positions(0, np.ones((2, 3)), channel_1_mean=[1.5, np.nan])
    work_off(catalog, lambda job: (table, one_to_one(0, 2)))
    found = Question.nuclei(tmp_path, "embryo").frame()["channel_1_mean"]
    assert found[0] == 1.5
    assert pd.isna(found[1])


def test_pages_hold_everything_once(filled: Path) -> None:
    with Question.nuclei(filled, 1).pages(rows=5) as parts:
        pages = list(parts)
    assert [page.num_rows for page in pages] == [5, 5, 2]
    whole = Question.nuclei(filled, 1).frame()
    pd.testing.assert_frame_equal(pd.concat(map(to_pandas, pages), ignore_index=True), whole)


def test_a_snapshot_is_of_one_moment(filled: Path, catalog: Catalog) -> None:
    with snapshot(filled) as connection:
        before = len(Question.tracks(connection, 1).frame())
        catalog.add_timepoints(1, {3: "d"})
        work_off(catalog, lambda job: (nuclei(job.t, 9), one_to_one(job.t, 9)))
        assert len(Question.tracks(connection, 1).frame()) == before
    assert len(Question.tracks(filled, 1).frame()) == 9


def test_nothing_can_be_written_through_a_snapshot(filled: Path) -> None:
    from sqlalchemy import text

    with (
        pytest.raises(DatabaseUnavailableError, match="readonly"),
        snapshot(filled) as connection,
    ):
        connection.execute(text("DELETE FROM nuclei"))
    assert len(Question.nuclei(filled, 1).frame()) == 12


def test_a_name_goes_before_an_id(filled: Path) -> None:
    assert resolve(filled, "embryo") == 1
    assert resolve(filled, "1") == 1
    assert resolve(filled, "7") == 2


@pytest.mark.parametrize("wanted", ["nobody", "99", "", "1; DROP TABLE nuclei"])
def test_an_unknown_acquisition_is_one_sentence(filled: Path, wanted: str) -> None:
    with pytest.raises(UnknownAcquisitionError, match="the latest are 7, embryo"):
        Question.nuclei(filled, wanted).frame()


def test_an_unknown_column_is_one_sentence(filled: Path) -> None:
    with pytest.raises(StorageError, match="no column colour: there are id, acquisition_id"):
        Question.nuclei(filled, 1, Selection(columns=["t", "colour"])).frame()


def test_an_absent_database_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError, match="There is no database"):
        Question.acquisitions(tmp_path / "absent.sqlite").frame()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_no_database_of_ours(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").touch()
    with pytest.raises(DatabaseUnavailableError, match="older nusetd"):
        Question.status(tmp_path / "x.sqlite").frame()


def test_a_track_is_found_without_walking_through_all_nuclei(filled: Path) -> None:
    from sqlalchemy import text
    from sqlalchemy.dialects import sqlite

    with snapshot(filled) as connection:
        query = Question.nuclei(connection, 1, Selection(track=11)).statement(connection)
        sql = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
        plan = " ".join(row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {sql}")))
    assert "(acquisition_id=? AND track_id=?)" in plan
    assert "TEMP B-TREE" not in plan


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter, unlike those of `tmp_path`."""
    with tempfile.TemporaryDirectory(prefix="nusetd test ") as made:
        yield Path(made)
        Path(made).chmod(0o755)


@pytest.mark.parametrize("running", [False, True])
def test_people_who_may_not_write_beside_the_database_can_ask(public: Path, running: bool) -> None:
    """A member of the service's group, while it runs and when it does not."""
    code = (  # the first question loads every module, which another user may not be able to read
        "import os, sys\nfrom storage.query.question import Question\nQuestion.acquisitions(sys.argv[1]).frame()\n"
        "if os.geteuid() == 0:\n    os.setgid(65534)\n    os.setuid(65534)\n"
        "print(len(Question.acquisitions(sys.argv[1]).frame()))"
    )
    with ExitStack() as service:
        catalog = service.enter_context(Catalog.open(public / "nusetd.sqlite"))
        register(catalog)
        if not running:
            service.close()
        public.chmod(0o555)
        command = [sys.executable, "-c", code, str(public)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
