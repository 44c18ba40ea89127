"""What nobody shows while it is being written."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from daemon.processing.messages import AnalyseTask, CorrectTask, PaintTask
from daemon.processing.writing import Making, Writing

ROW: Any = SimpleNamespace(id=1)
OTHER: Any = SimpleNamespace(id=2)


def analysis(t: int) -> AnalyseTask:
    return AnalyseTask(ROW, t, None)


def test_a_time_point_under_way_hides_itself_and_later_ones() -> None:
    writing = Writing()
    writing.begin(ROW, analysis(3))
    assert [writing.hides(1, t) for t in (2, 3, 4)] == [False, True, True]
    assert [writing.is_at(1, t) for t in (2, 3, 4)] == [False, True, False]
    assert (writing.into(1), writing.into(2), writing.hides(2, 3)) == (True, False, False)
    writing.over(ROW, analysis(3))
    assert (writing.into(1), writing.hides(1, 3)) == (False, False)


def test_of_two_workers_at_one_time_point_the_second_keeps_it_hidden() -> None:
    writing = Writing()
    writing.begin(ROW, analysis(3))
    writing.begin(ROW, analysis(3))
    writing.over(ROW, analysis(3))
    assert writing.hides(1, 3)


def test_what_is_painted_hides_itself_alone() -> None:
    writing = Writing()
    writing.begin(ROW, PaintTask("/a.ome.zarr", 3, {}))
    assert [writing.hides(1, t) for t in (2, 3, 4)] == [False, True, False]
    assert (writing.paints(1), writing.paints(2), writing.into(1)) == (True, False, True)
    writing.over(ROW, PaintTask("/a.ome.zarr", 3, {}))
    assert (writing.paints(1), writing.into(1)) == (False, False)


def test_corrections_hide_all_of_their_acquisition() -> None:
    writing, task = Writing(), CorrectTask(ROW, "sqlite://")
    writing.begin(ROW, task)
    assert writing.hides(1, 0)
    assert writing.is_at(1, 5)
    assert writing.into(1)
    assert not writing.hides(2, 0)
    writing.over(ROW, task)
    assert not writing.into(1)


def test_of_several_time_points_under_way_each_is_hidden_until_it_is_over() -> None:
    writing = Writing()
    for t in (3, 5, 5):
        writing.begin(ROW, analysis(t))
    writing.over(ROW, analysis(3))
    assert [writing.hides(1, t) for t in (3, 4, 5, 6)] == [False, False, True, True]
    writing.over(ROW, analysis(5))
    assert (writing.is_at(1, 5), writing.into(1)) == (True, True)
    writing.over(ROW, analysis(5))
    assert (writing.is_at(1, 5), writing.into(1)) == (False, False)


def at(number: int, place: str) -> Any:
    return SimpleNamespace(id=number, zarr_path=place)


SECOND, APART = at(2, "/out/x.ome.zarr"), at(3, "/out/y.ome.zarr")


def test_a_store_is_made_by_one_worker_at_a_time() -> None:
    making = Making()
    assert making.may_begin(SECOND)
    making.begin(SECOND, 7)
    assert (making.may_begin(SECOND), making.may_begin(APART)) == (False, True)
    assert [making.lasts(number) for number in (2, 3)] == [True, False]
    making.over(SECOND, 8)
    assert making.lasts(2), "it was made for another time point"
    making.over(APART)
    assert making.lasts(2), "it is another store"
    making.over(SECOND, 7)
    assert not making.lasts(2)
    assert making.may_begin(SECOND), "whoever made it has not ended it"


def test_a_store_that_is_there_is_not_made_again_before_it_is_lost() -> None:
    making = Making()
    making.begin(SECOND, 7)
    making.made(SECOND)
    making.begin(SECOND, 8)
    assert (making.may_begin(SECOND), making.lasts(2)) == (True, False)
    making.forget(2)
    making.begin(SECOND, 9)
    assert (making.may_begin(SECOND), making.lasts(2)) == (False, True)
    making.over(SECOND)
    assert not making.lasts(2)


def test_positions_of_a_bundle_are_made_one_after_the_other() -> None:
    making = Making()
    one, other = at(1, "/out/plate.ome.zarr/0"), at(2, "/out/plate.ome.zarr/1")
    making.begin(one, 7)
    assert not making.may_begin(other)
    making.over(other, 7)
    assert making.lasts(1), "the other one has not made it"
    making.made(one)
    assert (making.may_begin(one), making.may_begin(other)) == (True, True)
