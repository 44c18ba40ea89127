"""Families of tracks."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from cases import family

from storage.errors import WrongRequestError
from storage.query.question import Question
from storage.query.statements import Selection


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family of `cases.family`; read only."""
    return family.fill(tmp_path_factory.mktemp("family"))


def column(table: pd.DataFrame, name: str) -> dict[int, object]:
    """A column by track, missing values as None."""
    values = [None if pd.isna(value) else value for value in table[name]]
    return dict(zip(table["track_id"], values, strict=True))


def test_every_track_has_its_place(results: Path) -> None:
    table = Question.lineage(results, "embryo").frame()
    assert list(table["track_id"]) == [1, 2, 3, 4, 5, 6]
    assert column(table, "root_track_id") == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 6}
    assert column(table, "generation") == {1: 0, 2: 1, 3: 1, 4: 2, 5: 2, 6: 0}
    assert column(table, "daughter_1") == {1: 2, 2: None, 3: 4, 4: None, 5: None, 6: None}
    assert column(table, "daughter_2") == {1: 3, 2: None, 3: 5, 4: None, 5: None, 6: None}
    assert table["relation"].isna().all()


@pytest.mark.parametrize(
    ("track", "relations"),
    [
        (3, {1: "ancestor", 2: "relative", 3: "self", 4: "descendant", 5: "descendant"}),
        (1, {1: "self", 2: "descendant", 3: "descendant", 4: "descendant", 5: "descendant"}),
        (5, {1: "ancestor", 2: "relative", 3: "ancestor", 4: "relative", 5: "self"}),
        (6, {6: "self"}),
    ],
)
def test_a_family_tells_how_each_is_related(results: Path, track: int, relations: dict[int, str]) -> None:
    assert column(Question.lineage(results, 1, Selection(track=track)).frame(), "relation") == relations


def test_lineages_can_be_filtered_and_cut(results: Path) -> None:
    wanted = Selection(where="relation = 'descendant'", track=3, columns=["track_id"])
    table = Question.lineage(results, 1, wanted).frame()
    assert table.to_dict("list") == {"track_id": [4, 5]}
    assert list(Question.lineage(results, 1, Selection(t=0)).frame()["track_id"]) == [1, 6]
    assert list(Question.lineage(results, 1, Selection(t=(4, None), limit=2)).frame()["track_id"]) == [2, 4]


def test_an_unknown_track_is_one_sentence(results: Path) -> None:
    with pytest.raises(WrongRequestError, match="no track 99 in this acquisition"):
        Question.lineage(results, 1, Selection(track=99)).frame()


def test_a_mother_that_is_not_there_and_a_circle_end(tmp_path: Path) -> None:
    family.fill(tmp_path)
    connection = sqlite3.connect(tmp_path / "nusetd.sqlite")
    connection.execute("UPDATE tracks SET parent_track_id = 99 WHERE track_id = 6")
    connection.execute("UPDATE tracks SET parent_track_id = 5 WHERE track_id = 1")  # 1 -> 3 -> 5 -> 1
    connection.commit()
    connection.close()
    assert list(Question.lineage(tmp_path, 1).frame()["track_id"]) == [6]
    assert not Question.lineage(tmp_path, 1, Selection(track=5, limit=10)).frame().empty


def test_tracks_of_a_range_are_those_that_live_in_it(results: Path) -> None:
    assert list(Question.tracks(results, 1, Selection(t=(2, 3))).frame()["track_id"]) == [1, 2, 3, 6][1:]
    assert list(Question.tracks(results, 1, Selection(t=(None, 1))).frame()["track_id"]) == [1, 6]
    assert list(Question.tracks(results, 1, Selection(track=4)).frame()["track_id"]) == [4]
    wanted = Selection(where="parent_track_id = 3", columns=["first_t"])
    assert list(Question.tracks(results, 1, wanted).frame()["first_t"]) == [4, 4]
