"""`kill -9` of service and worker at random moments while files arrive: nothing is lost, nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable

from cruelty import ENDLESS, Cruelty, finish, write_time_point
from lab import Lab, assert_same, result

TIME_POINTS = KILLS = 50


def test_fifty_kills_lose_nothing_and_double_nothing(new_lab: Callable[..., Lab]) -> None:
    """One service runs undisturbed and another is killed again and again, on equal files."""
    undisturbed, lab = new_lab("undisturbed", **ENDLESS), new_lab("killed", **ENDLESS)
    for t in range(TIME_POINTS):
        write_time_point(undisturbed, t)
    finish(undisturbed)
    cruelty = Cruelty(lab, TIME_POINTS, KILLS, seed=20261123)
    done_at_kill = list(cruelty.run())
    assert len(done_at_kill) == KILLS
    assert KILLS // 5 < cruelty.of_workers < 4 * KILLS // 5, "both were killed often"
    assert 0 < done_at_kill[KILLS // 2] < TIME_POINTS, f"the kills hit the work under way: {done_at_kill}"
    finish(lab)
    found = result(lab)
    assert [(t, state) for _, t, state, _ in found["timepoints"]] == [(t, "done") for t in range(TIME_POINTS)]
    assert len(found["nuclei"]) >= 4 * TIME_POINTS
    assert_same(found, result(undisturbed))
    assert not list(lab.output.rglob("*.part*")), "leftovers were swept"
