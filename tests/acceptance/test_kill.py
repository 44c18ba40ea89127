"""`kill -9` of service and worker at random moments while files arrive: nothing is lost, nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cruelty import ENDLESS, Cruelty, finish, write_time_point
from lab import Lab, assert_same, result


def kill_and_compare(new_lab: Callable[..., Lab], time_points: int, kills: int) -> None:
    """Let one service run undisturbed and another be killed again and again, on equal files."""
    undisturbed, lab = new_lab("undisturbed", **ENDLESS), new_lab("killed", **ENDLESS)
    for t in range(time_points):
        write_time_point(undisturbed, t)
    finish(undisturbed)
    cruelty = Cruelty(lab, time_points, kills, seed=20261123)
    done_at_kill = list(cruelty.run())
    assert len(done_at_kill) == kills
    assert 0 < cruelty.of_workers < kills
    assert 0 < done_at_kill[kills // 2] < time_points, f"the kills hit the work under way: {done_at_kill}"
    finish(lab)
    found = result(lab)
    assert [(t, state) for _, t, state, _ in found["timepoints"]] == [(t, "done") for t in range(time_points)]
    assert len(found["nuclei"]) >= 4 * time_points
    assert_same(found, result(undisturbed))
    assert not list(lab.output.rglob("*.part*")), "leftovers were swept"


def test_ten_kills_lose_nothing_and_double_nothing(new_lab: Callable[..., Lab]) -> None:
    kill_and_compare(new_lab, time_points=14, kills=10)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_fifty_kills_lose_nothing_and_double_nothing(new_lab: Callable[..., Lab]) -> None:
    kill_and_compare(new_lab, time_points=60, kills=50)
