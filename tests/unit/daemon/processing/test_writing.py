"""What nobody shows while it is being written."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from daemon.processing.messages import AnalyseTask, CorrectTask, PaintTask
from daemon.processing.writing import Writing

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
