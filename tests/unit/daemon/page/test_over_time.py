"""Curves of the page: the numbers of the tables, read anew only where something may have changed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cases import family
from sqlalchemy import Connection, insert

import storage
from daemon.page.live import over_time
from daemon.page.live.over_time import OverTime
from storage import naming
from storage.database.catalog import Catalog
from storage.schema.tables import corrections


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`, which nobody changes."""
    return family.fill(tmp_path_factory.mktemp("family"))


@pytest.fixture
def mine(results: Path, tmp_path: Path) -> Path:
    """Its tables, for one test to write into."""
    shutil.copy(results / naming.DATABASE_NAME, tmp_path)
    return tmp_path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Which time points were read, each time."""
    seen: list[list[int]] = []
    real = over_time._read

    def noting(connection: Connection, number: int, times: Sequence[int]) -> Sequence[Any]:
        seen.append(list(times))
        return real(connection, number, times)

    monkeypatch.setattr(over_time, "_read", noting)
    return seen


def written(mine: Path, statement: str) -> None:
    with closing(sqlite3.connect(mine / naming.DATABASE_NAME)) as connection, connection:
        connection.execute(statement)


def test_curves_are_those_of_the_tables(results: Path) -> None:
    found = OverTime(naming.database_url(results)).counts(1)
    embryo = storage.open(results)[family.NAME]
    nuclei = embryo.nuclei()
    groups = nuclei.groupby("t")
    assert found["nuclei_count"] == embryo.counts()["nuclei_count"].tolist() == groups.size().tolist()
    assert found["intensity_mean"] == groups["intensity_mean"].mean().tolist()
    assert found["cells"] == groups["track_id"].nunique().tolist()
    assert sum(found["divisions"]) == len(embryo.divisions())


def test_what_cannot_change_is_read_once(results: Path, read: list[list[int]]) -> None:
    course = OverTime(naming.database_url(results))
    first = course.counts(1)
    assert course.counts(1) == first
    assert read == [[0, 1, 2, 3, 4, 5], []]


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        ("UPDATE timepoints SET painted_at = '2099' WHERE t = 2", [[2], []]),  # its tracks are others
        ("UPDATE timepoints SET completed_at = '2099' WHERE t = 4", [[4], []]),  # it was done again
        ("UPDATE timepoints SET tracks_final = 0 WHERE t = 5", [[5], [5]]),  # its tracks may still change
        ("UPDATE timepoints SET painted_at = NULL WHERE t = 3", [[3], [3]]),
    ],
)
def test_what_may_have_changed_is_read_anew(
    mine: Path, read: list[list[int]], change: str, anew: list[list[int]]
) -> None:
    course = OverTime(naming.database_url(mine))
    course.counts(1)
    written(mine, change)
    written(mine, "UPDATE nuclei SET intensity_mean = 2 * intensity_mean")
    seen = course.counts(1)
    course.counts(1)
    assert read[1:] == anew
    assert [t for t, value in enumerate(seen["intensity_mean"]) if value == 100.0] == anew[0]


def test_a_correction_has_all_of_it_read_anew(mine: Path, read: list[list[int]]) -> None:
    course = OverTime(naming.database_url(mine))
    course.counts(1)
    said = {"labels": [1], "tracks": [1], "parameters": {}, "author": "anna", "state": "applied", "kind": "delete"}
    where = {"acquisition_id": 1, "t": 0, "source_t": 0, "ordered_at": "2099", "applied_at": "2099"}
    with Catalog.open(mine) as catalog, catalog._transaction() as connection:
        connection.execute(insert(corrections).values(**said, **where))
    course.counts(1)
    assert read == [[0, 1, 2, 3, 4, 5]] * 2
