"""The list of doubts: what is in it, what its commands do, and how answers change it."""

from __future__ import annotations

import csv
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from cases.corrected import CorrectedMovie

import storage
from daemon.cli import main
from storage.doubts.listing import doubts, table
from storage.errors import WrongRequestError
from storage.query.snapshots import resolved, snapshot


def listed(movie: CorrectedMovie, top: int = 20, kinds: tuple[str, ...] = ()) -> pd.DataFrame:
    with snapshot(movie.output) as connection:
        row = resolved(connection, "embryo")
        return table(row, doubts(connection, row, top, kinds))


@pytest.fixture
def movie(tmp_path: Path) -> CorrectedMovie:
    """A small movie of which some decisions are said to be doubtful, and all others not to be."""
    movie = CorrectedMovie(tmp_path / "out", frames=5)
    movie.process()
    with closing(sqlite3.connect(movie.output / "nusetd.sqlite")) as connection, connection:
        connection.execute("UPDATE nuclei SET doubt = 0.01, link_doubt = CASE WHEN t > 0 THEN 0.01 END")
        said = [("doubt", 0.9, "several", 1, 3), ("doubt", 0.5, "false", 2, 8), ("doubt", 0.4, "part", 3, 4)]
        for column, value, kind, t, label in said:
            where = f"SET {column} = ?, doubt_kind = ? WHERE t = ? AND label = ?"
            connection.execute(f"UPDATE nuclei {where}", (value, kind, t, label))
        connection.execute("UPDATE nuclei SET link_doubt = 0.6 WHERE t = 2 AND label = 5")
    return movie


def test_the_worst_comes_first_with_its_place_and_what_would_mend_it(movie: CorrectedMovie) -> None:
    found = listed(movie)
    assert found["kind"].tolist() == ["several", "link", "false", "part"]
    assert found["rank"].tolist() == [1, 2, 3, 4]
    first = found.iloc[0]
    with closing(sqlite3.connect(movie.output / "nusetd.sqlite")) as connection:
        place = connection.execute(
            "SELECT centroid_y_um, centroid_y_px FROM nuclei WHERE t = 1 AND label = 3"
        ).fetchone()
    assert (first["t"], first["label"], first["doubt"]) == (1, 3, 0.9)
    assert (first["y_um"], first["y_px"]) == place
    assert first["wrong"].startswith("nusetd correct embryo split --t 1 --label 3 --at ")
    assert first["right"] == "nusetd correct embryo confirm --t 1 --label 3"
    assert found.iloc[1]["right"] == "nusetd correct embryo link --t 1 --label 5 --to 5"
    assert found.iloc[2]["wrong"] == "nusetd correct embryo delete --t 2 --label 8"
    assert found.iloc[3]["wrong"].startswith("nusetd correct embryo merge --t 3 --labels 4,")


def test_only_some_kinds_and_only_so_many(movie: CorrectedMovie) -> None:
    assert listed(movie, top=2)["kind"].tolist() == ["several", "link"]
    assert listed(movie, kinds=("false", "link"))["kind"].tolist() == ["link", "false"]
    with pytest.raises(WrongRequestError, match="no doubts of kind odd"):
        listed(movie, kinds=("odd",))


def test_what_mends_more_comes_before_what_is_likelier(movie: CorrectedMovie) -> None:
    """Two nuclei taken for one break the links into them and out of them as well."""
    with closing(sqlite3.connect(movie.output / "nusetd.sqlite")) as connection, connection:
        connection.execute("UPDATE nuclei SET doubt = 0.45 WHERE doubt_kind = 'several'")
    kinds = listed(movie)["kind"].tolist()
    assert kinds.index("several") < kinds.index("false")


def test_what_is_confirmed_or_corrected_leaves_and_its_kind_is_judged_anew(movie: CorrectedMovie) -> None:
    before = listed(movie)
    for command in (before.iloc[0]["right"], before.iloc[1]["right"]):
        assert main([*shlex.split(command)[1:], "--database", str(movie.output)]) == 0
    after = listed(movie)
    assert after["kind"].tolist() == ["false", "part"]
    assert after.iloc[0]["doubt"] < 0.4  # that a doubtful nucleus was right speaks for the others
    assert main([*shlex.split(after.iloc[0]["wrong"])[1:], "--database", str(movie.output)]) == 0
    assert listed(movie)["kind"].tolist() == ["part"]
    assert listed(movie).iloc[0]["doubt"] > after.iloc[1]["doubt"]
    storage.open(movie.output)["embryo"].correct.undo()
    pd.testing.assert_frame_equal(listed(movie), after)


def test_a_nucleus_that_was_corrected_is_doubted_no_more(movie: CorrectedMovie) -> None:
    storage.open(movie.output)["embryo"].correct.delete(2, 5)
    rows = storage.open(movie.output)["embryo"].nuclei(where="doubt > 0.3")
    assert set(zip(rows["t"], rows["label"], strict=True)) == {(1, 3), (2, 8), (3, 4)}
    assert "link" not in listed(movie)["kind"].tolist()


def test_the_command_prints_the_list(movie: CorrectedMovie, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doubts", "embryo", "--top", "1", "--format", "csv", "--database", str(movie.output)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("rank,doubt,kind,t,label,track_id,z_um")
    for command in next(csv.reader([lines[1]]))[-2:]:  # as they stand, each is about this database
        assert command.startswith("nusetd correct embryo ")
        assert command.endswith(f" --database {movie.output}")
    assert main(["doubts", "embryo", "--kind", "odd", "--database", str(movie.output)]) == 2
    assert "there are false, part" in capsys.readouterr().err


@pytest.fixture
def gap(movie: CorrectedMovie) -> CorrectedMovie:
    """The same, where a nucleus was not found at t = 2, its track going on over that."""
    with closing(sqlite3.connect(movie.output / "nusetd.sqlite")) as connection, connection:
        connection.execute("UPDATE nuclei SET doubt = 0.01, doubt_kind = NULL, link_doubt = 0.01 WHERE t > 0")
        (track,) = connection.execute("SELECT track_id FROM nuclei WHERE t = 2 AND label = 5").fetchone()
        connection.execute("DELETE FROM nuclei WHERE t = 2 AND label = 5")
        connection.execute("UPDATE tracks SET nuclei_count = nuclei_count - 1 WHERE track_id = ?", (track,))
        connection.execute("UPDATE nuclei SET link_doubt = 0.8 WHERE t = 3 AND track_id = ?", (track,))
        connection.execute("UPDATE nuclei SET link_doubt = 0.3 WHERE t = 4 AND label = 2")
    return movie


def test_a_gap_of_a_track_is_a_nucleus_that_may_have_been_missed(gap: CorrectedMovie) -> None:
    found = listed(gap)
    assert found["kind"].tolist() == ["missed", "link"]
    first = found.iloc[0]
    # It lies at y = 25 before and at 24 after it; all others went down to 26 meanwhile.
    assert (first["x_px"], first["y_px"]) == pytest.approx((7.0, 26.0), abs=0.1)
    assert (first["t"], first["label"], first["doubt"]) == (3, 5, 0.8)
    assert first["wrong"].startswith("nusetd correct embryo add --t 2 --at ")
    assert first["right"] == "nusetd correct embryo link --t 1 --label 5 --to 5 --to-t 3"
    assert first["alternative"] == "it was missed at time point 2 in between"


def test_whoever_says_that_none_was_missed_is_asked_no_more(gap: CorrectedMovie) -> None:
    right = listed(gap).iloc[0]["right"]
    assert main([*shlex.split(right)[1:], "--database", str(gap.output)]) == 0
    assert listed(gap)["kind"].tolist() == ["link"]


def test_none_was_missed_where_a_person_took_one_away(movie: CorrectedMovie) -> None:
    storage.open(movie.output)["embryo"].correct.delete(1, 5)
    assert listed(movie)["kind"].tolist() == ["several", "false", "part"]
