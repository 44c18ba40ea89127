"""Nuclei that divide, as labels of mitoses."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.corrected import CorrectedMovie, labels_at

import storage
from storage.errors import WrongRequestError
from storage.export.division_examples import division_examples, slices_without
from storage.export.mitotic_nuclei import MitoticNuclei, mitotic_nuclei
from storage.query.snapshots import resolved, snapshot


@pytest.fixture
def movie(tmp_path: Path) -> CorrectedMovie:
    """A small movie in which nothing divides yet."""
    movie = CorrectedMovie(tmp_path / "out", frames=7)
    movie.process()
    return movie


def told(movie: CorrectedMovie, **choice: int) -> MitoticNuclei:
    with snapshot(movie.output) as connection:
        return mitotic_nuclei(connection, resolved(connection, "embryo"), **choice)


def changed(movie: CorrectedMovie, *statements: str) -> None:
    with closing(sqlite3.connect(movie.output / "nusetd.sqlite")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def nodes(found: MitoticNuclei) -> set[tuple[tuple[int, int], ...]]:
    return set(found.mothers.values())


def test_a_mother_that_a_person_spoke_of_is_in_mitosis_in_its_last_frames(movie: CorrectedMovie) -> None:
    assert told(movie).mothers == {}
    storage.open(movie.output)["embryo"].correct.divide(3, 3, (3, 4))
    found = told(movie)
    assert nodes(found) == {((3, 3),)}
    assert 3 in found.unknown[2], "it may have begun"
    assert {3, 4} <= found.unknown[4], "it may not be over in the daughters"
    assert 4 in found.unknown[3], "who ends may have divided unseen"
    assert 1 not in found.unknown.get(3, ())
    assert set(range(1, 9)) == found.unknown[6], "who knows what comes after the last time point"
    assert 0 not in found.unknown, "what is there from the first on was not just born"
    assert found.ordinary == (0, 1, 2, 3, 4), "who knows what comes after the last time point"
    assert nodes(told(movie, frames=2)) == {((2, 3), (3, 3))}
    storage.open(movie.output)["embryo"].correct.undo()
    assert told(movie).mothers == {}


def test_as_long_as_a_mitosis_lasts_daughters_may_still_be_condensed(movie: CorrectedMovie) -> None:
    storage.open(movie.output)["embryo"].correct.divide(1, 3, (3, 4))
    once, twice = told(movie), told(movie, frames=2)
    assert {3, 4} <= once.unknown[2] & twice.unknown[2] & twice.unknown[3]
    assert not {3, 4} & once.unknown.get(3, frozenset()), "it is over"
    assert 1 not in twice.unknown.get(3, ()), "nor is anybody else in doubt"


def test_a_mother_that_was_not_seen_right_before_its_daughters_is_not_taken(movie: CorrectedMovie) -> None:
    reply = storage.open(movie.output)["embryo"].correct.divide(2, 3, (3, 4), to_t=4)
    assert reply.state == "applied", reply.text
    found = told(movie)
    assert (found.mothers, found.doubtful) == ({}, 1)
    assert 3 in found.unknown[2]


def test_what_nobody_spoke_of_is_taken_only_if_undoubted_and_asked_for(movie: CorrectedMovie) -> None:
    storage.open(movie.output)["embryo"].correct.divide(3, 3, (3, 4))
    for change in ("state = 'undone'", "state = 'applied', kind = 'link'"):
        changed(movie, f"UPDATE corrections SET {change}")
        found = told(movie)
        assert (found.mothers, found.doubtful) == ({}, 1)
        assert 3 in found.unknown[3]
    for doubt, taken in ((0.02, 1), (0.5, 0)):
        changed(movie, f"UPDATE tracks SET doubt = {doubt} WHERE parent_track_id IS NOT NULL")
        assert len(told(movie, undoubted=True).mothers) == taken
    one = "(SELECT max(track_id) FROM tracks WHERE parent_track_id IS NOT NULL)"
    changed(movie, f"UPDATE tracks SET doubt = 0.02 WHERE track_id = {one}")
    assert told(movie, undoubted=True).mothers == {}, "of the other daughter it is doubted"


def test_of_every_second_time_point_the_same_is_told(movie: CorrectedMovie) -> None:
    storage.open(movie.output)["embryo"].correct.divide(3, 3, (3, 4))
    once = told(movie, frames=2)
    for table, columns in (("nuclei", "t"), ("timepoints", "t"), ("tracks", "first_t last_t")):
        for column in columns.split():
            changed(movie, f"UPDATE {table} SET {column} = -2 * {column}", f"UPDATE {table} SET {column} = -{column}")
    changed(
        movie,
        "UPDATE acquisitions SET step = 2",
        "UPDATE corrections SET changed = replace(changed, '[3, 3]', '[6, 3]')",
    )
    twice = told(movie, frames=2)
    assert nodes(once) == {((2, 3), (3, 3))}
    assert nodes(twice) == {((4, 3), (6, 3))}
    assert twice.unknown == {2 * t: labels for t, labels in once.unknown.items()}
    assert twice.ordinary == tuple(2 * t for t in once.ordinary)


def test_slices_show_the_mother_and_say_nothing_of_others_that_may_divide(
    movie: CorrectedMovie, tmp_path: Path
) -> None:
    with pytest.raises(WrongRequestError, match="No nucleus of embryo divides"):
        division_examples(movie.output, ["embryo"], tmp_path / "examples")
    say = storage.open(movie.output)["embryo"].correct
    say.divide(2, 1, (1, 2))
    say.divide(4, 7, (7, 8))
    found = division_examples(movie.output, ["embryo"], tmp_path / "examples")
    assert (found.learned, found.held_out) == (1, 1)
    images, labels, seen = found.to_learn
    names = sorted(path.name for path in images.iterdir())
    assert names == sorted(path.name for path in labels.iterdir()) == sorted(path.name for path in seen.iterdir())
    shown = [name for name in names if tifffile.imread(labels / name).any()]
    assert {name[:5] for name in shown} == {"t0002"}
    marked, known = (tifffile.imread(folder / shown[0]) for folder in (labels, seen))
    there = labels_at(2)[1]
    np.testing.assert_array_equal(marked, np.where(there == 1, 1, 0))
    assert not known[there == 2].any(), "its track ends there"
    assert known[np.isin(there, (1, 3, 4, 5, 6, 7))].all()
    assert {path.name[:5] for path in found.to_judge[0].iterdir()} == {"t0004"}


@pytest.mark.parametrize(("each", "written", "times"), [(1, 2, "03"), (4, 9, "013")])
def test_slices_in_which_nothing_divides_are_learned_too(
    movie: CorrectedMovie, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each: int, written: int, times: str
) -> None:
    monkeypatch.setattr("storage.export.division_examples.QUIET", each)
    say = storage.open(movie.output)["embryo"].correct
    say.divide(2, 1, (1, 2))
    say.divide(4, 7, (7, 8))
    images, labels, seen = division_examples(movie.output, ["embryo"], tmp_path / "examples").to_learn
    shown = {path.name: tifffile.imread(path).any() for path in sorted(labels.iterdir())}
    quiet = [name for name, divides in shown.items() if not divides]
    assert (sum(shown.values()), len(quiet)) == (3, written), "there are no more than nine"
    assert {name[:5] for name in quiet} == {f"t000{t}" for t in times}, "not where others are judged"
    for name in quiet:
        known, there = tifffile.imread(seen / name) > 0, labels_at(int(name[1:5]))[1]
        assert known[np.isin(there, (4, 5, 6))].all(), "they are known not to divide"
        assert tifffile.imread(images / name).any()
    assert not (tifffile.imread(seen / quiet[-1]) > 0)[labels_at(3)[1] == 7].any(), "a mother, a time point before"


def test_nothing_is_learned_at_time_points_of_those_who_are_held_out(
    movie: CorrectedMovie, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.export.division_examples.slices_without", lambda *_: [0])
    say = storage.open(movie.output)["embryo"].correct
    say.divide(2, 1, (1, 2))
    say.divide(4, 7, (7, 8))
    found = division_examples(movie.output, ["embryo"], tmp_path / "examples")
    learned, judged = ({path.name[:5] for path in folders[0].iterdir()} for folders in (found.to_learn, found.to_judge))
    assert (learned, judged) == ({"t0000", "t0001", "t0002", "t0003"}, {"t0004"})


def test_a_slice_without_mothers_shows_nuclei_of_which_something_is_known() -> None:
    labels = np.zeros((6, 2, 4), np.int32)
    labels[:5, :, 1], labels[2:4, 0, 3] = 1, 2  # 2 is a mother
    seen = np.ones(labels.shape, bool)
    seen[0] = False
    assert slices_without({2}, labels, seen, 9) == [1, 4], "neither the mother's, nor unknown ones, nor empty ones"
    assert slices_without({2}, labels, seen, 1) == [4]
    assert slices_without(set(), labels, seen, 9) == [1, 2, 3, 4]
    assert slices_without({2}, labels, seen, 0) == []


def test_who_is_held_out_is_not_learned_at_other_time_points_either(movie: CorrectedMovie, tmp_path: Path) -> None:
    say = storage.open(movie.output)["embryo"].correct
    say.divide(3, 1, (1, 2))
    say.divide(4, 7, (7, 8))
    found = division_examples(movie.output, ["embryo"], tmp_path / "examples", frames=2)
    for folders, own, other in ((found.to_learn, 1, 7), (found.to_judge, 7, 1)):
        (marked, known), there = (tifffile.imread(f / "t0003_z001.tif") for f in folders[1:]), labels_at(3)[1]
        np.testing.assert_array_equal(marked, np.where(there == own, own, 0))
        assert not known[there == other].any()


def test_what_was_learned_from_stays_until_another_division_is_confirmed(movie: CorrectedMovie, tmp_path: Path) -> None:
    say = storage.open(movie.output)["embryo"].correct
    say.divide(2, 1, (1, 2))
    found = division_examples(movie.output, ["embryo"], tmp_path / "examples")
    assert (found.learned, found.held_out) == (1, 0)
    (first, *_) = sorted(found.to_learn[0].iterdir())
    before = first.stat().st_mtime_ns
    division_examples(movie.output, ["embryo"], tmp_path / "examples", begun=True)
    assert first.stat().st_mtime_ns == before
    with pytest.raises(WrongRequestError, match="cannot be held out"):
        division_examples(movie.output, ["embryo"], tmp_path / "examples", held_out=1)
    say.divide(4, 7, (7, 8))
    with pytest.raises(WrongRequestError, match="another --output"):
        division_examples(movie.output, ["embryo"], tmp_path / "examples", begun=True)


def test_a_division_that_nobody_confirmed_is_named(movie: CorrectedMovie, tmp_path: Path) -> None:
    storage.open(movie.output)["embryo"].correct.divide(3, 3, (3, 4))
    with closing(sqlite3.connect(movie.output / "nusetd.sqlite")) as connection, connection:
        connection.execute("UPDATE corrections SET kind = 'link'")
    with pytest.raises(WrongRequestError, match=r"The one division of embryo was not confirmed or drawn .*undoubted"):
        division_examples(movie.output, ["embryo"], tmp_path / "examples")
