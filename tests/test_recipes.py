"""RECIPES.md and the example script: every recipe runs, and gives what is true of a small family of tracks."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cases import family
from cases.recipes import PYTHON, SQL, TEXT

import storage
from storage.errors import DatabaseUnavailableError, StorageError, UnknownAcquisitionError, WrongRequestError
from storage.schema import tables, views

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`; read only."""
    return family.fill(tmp_path_factory.mktemp("family"))


EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "How many nuclei at each time?": [
        (t, float(t), len(ids), int(t in (2, 4))) for t, ids in family.TRACKS_AT.items()
    ],
    "Which tracks divide?": [(1, 2, 3, 1, 2.0, 10.0, 5.0, 0.8), (3, 4, 5, 3, 2.0, 30.0, 15.0, 0.8)],
    "How large are nuclei when they divide, and their daughters?": [
        (1, 1, 101.0, 202.0, 302.0),
        (3, 3, 303.0, 404.0, 504.0),
    ],
    "How fast does each track move?": [
        (1, 1, 5.0, 5.0), (2, 3, 15.0, 5.0), (3, 1, 5.0, 5.0), (4, 1, 5.0, 5.0), (5, 1, 5.0, 5.0), (6, 4, 25.0, 5.0),
    ],
    "How far did each track get from where it began?": [(6, 25.0), (2, 15.0), (1, 5.0), (3, 5.0), (4, 5.0), (5, 5.0)],
    "One nucleus over time": [
        (t, 1, 2.0, 20.0, 5.0 * t, 200.0 + t) for t in (2, 3, 4, 5)
    ],
    "Who descends from whom?": [
        (1, None, 1, 0, 0, 1, 2), (2, 1, 1, 1, 2, 5, 0), (3, 1, 1, 1, 2, 3, 2), (4, 3, 1, 2, 4, 5, 0),
        (5, 3, 1, 2, 4, 5, 0), (6, None, 6, 0, 0, 5, 0),
    ],
    "How long from birth to division?": [(3, 2.0)],
    "Which nuclei should a person look at?": [
        (5, 3, 5, 0.9, 0, 0, 0, 1, 0, 0), (4, 1, 2, 0.9, 0, 0, 0, 0, 1, 0), (3, 3, 6, 0.7, 0, 0, 0, 0, 0, 0),
    ],
}  # fmt: skip


def test_every_recipe_is_checked() -> None:
    assert set(SQL) - {"What made a number?"} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recipe_gives_what_is_true(results: Path, name: str) -> None:
    with closing(sqlite3.connect(results / "nusetd.sqlite")) as connection:
        assert connection.execute(SQL[name]).fetchall() == EXPECTED[name]


def documented() -> dict[str, set[str]]:
    """The columns in the dictionary by table or view, as RECIPES.md has them."""
    text = TEXT.split("## Every column\n")[1].split("\n## ")[0]
    found: dict[str, set[str]] = {}
    for heading, rows in re.findall(r"^`(\w+)`:[^|]*((?:\|.*\n)+)", text, re.MULTILINE):
        found[heading] = {name for row in rows.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    for place, name in re.findall(r"`(\w+)\.(\w+)`(?=[^|\n]*\|)", text):
        found.setdefault(place, set()).add(name)
    return found


def test_the_dictionary_has_every_column_and_no_other(results: Path) -> None:
    """Of tables and views; a column that has the name of one in the four tables of the contract means the same."""
    present = {table.name: set(table.columns.keys()) for table in tables.metadata.tables.values()}
    with closing(sqlite3.connect(results / "nusetd.sqlite")) as connection:
        for view in views.VIEWS:
            present[view] = {row[1] for row in connection.execute(f"PRAGMA table_info({view})")}
    told = documented()
    assert {place: told[place] - present[place] for place in told if told[place] - present[place]} == {}
    contract = ("acquisitions", "timepoints", "nuclei", "tracks")
    assert {table: present[table] - told[table] for table in contract if present[table] - told[table]} == {}
    shared = {"acquisition", "nucleus_id"}.union(*(told[table] for table in contract))
    others = {place: names - told.get(place, set()) - shared for place, names in present.items()}
    assert {place: names for place, names in others.items() if names} == {}


def test_the_recipe_for_origins_names_model_version_and_source(results: Path) -> None:
    with closing(sqlite3.connect(results / "nusetd.sqlite")) as connection:
        ((model, sha, params, version, _file, fingerprint, _at),) = connection.execute(SQL["What made a number?"])
    assert (model, sha, params, fingerprint) == ("fluorescence", "ab" * 32, '{"minimum": 3}', "fingerprint 4")
    assert version


def test_the_python_recipe_runs(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(results.parent)
    names: dict[str, Any] = {}
    (code,) = PYTHON
    exec(code.replace('"results"', repr(str(results))), names)  # our own, and it is to run as it stands
    assert list(names["large"]["track_id"]) == [6, 6, 3, 3, 6, 4, 5, 6]
    assert len(names["divisions"]) == 2
    assert set(names["family"]["relation"]) == {"ancestor", "relative", "self", "descendant"}
    assert names["labels"].shape == (6, 3, 20, 24)
    assert names["fastest"]["speed"].max() == 5.0


def test_the_example_script_runs(results: Path, tmp_path: Path) -> None:
    script = ROOT / "tests" / "examples" / "explore.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(tmp_path)}
    command = [sys.executable, str(script), str(results)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "nuclei: 2 at first, 4 at last\ndivisions: 2\n" in done.stdout
    assert "median speed: 5.00 um/min" in done.stdout
    assert (tmp_path / "explore.png").stat().st_size > 5_000


def test_results_are_tables_and_lazy_arrays(results: Path) -> None:
    embryo = storage.open(results)["embryo"]
    assert [one.name for one in storage.open(results)] == ["embryo"]
    assert embryo.about.model_sha256 == "ab" * 32
    whole = embryo.nuclei()
    pd.testing.assert_frame_equal(pd.concat(embryo.nuclei_pages(), ignore_index=True), whole)
    assert list(embryo.counts()["nuclei_count"]) == [len(ids) for ids in family.TRACKS_AT.values()]
    assert list(embryo.tracks(t=5)["track_id"]) == [2, 4, 5, 6]
    assert embryo.image().shape == (6, 2, 3, 20, 24)
    for t, ids in family.TRACKS_AT.items():
        assert set(np.unique(embryo.labels()[t].compute())) == {0, *range(1, len(ids) + 1)}
        assert set(np.unique(embryo.track_labels()[t].compute())) == {0, *ids}


def test_what_python_asks_wrongly_is_one_sentence(results: Path, tmp_path: Path) -> None:
    found = storage.open(results)
    with pytest.raises(UnknownAcquisitionError, match="no acquisition 'nobody'"):
        found["nobody"]
    with pytest.raises(WrongRequestError, match="no such table: absent"):
        found.sql("SELECT * FROM absent")
    with pytest.raises(WrongRequestError, match="readonly"):
        found.sql("DELETE FROM nuclei")
    with pytest.raises(StorageError, match="at level 9"):
        found["embryo"].labels(level=9)
    with pytest.raises(DatabaseUnavailableError, match="no database"):
        storage.open(tmp_path)
