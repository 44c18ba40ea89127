"""`kill -9` of service and worker at random moments while files arrive: nothing is lost, nothing is there twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cruelty import ENDLESS, Cruelty, finish, write_time_point
from lab import Lab, assert_same, result


@pytest.mark.long  # `.ci/run` runs the few once
@pytest.mark.parametrize(("kills", "seed"), [(6, 20261121), (50, 20261123)], ids=["few", "many"])
def test_kills_lose_nothing_and_double_nothing(new_lab: Callable[..., Lab], kills: int, seed: int) -> None:
    """One service runs undisturbed and another is killed again and again, on equal files."""
    time_points = kills
    undisturbed, lab = new_lab("undisturbed", **ENDLESS), new_lab("killed", **ENDLESS)
    for t in range(time_points):
        write_time_point(undisturbed, t)
    finish(undisturbed)
    cruelty = Cruelty(lab, time_points, kills, seed)
    done_at_kill = list(cruelty.run())
    assert len(done_at_kill) == kills
    assert kills // 5 < cruelty.of_workers < 4 * kills // 5, "both were killed often"
    assert 0 < done_at_kill[kills // 2] < time_points, f"the kills hit the work under way: {done_at_kill}"
    finish(lab)
    found = result(lab)
    assert [(t, state) for _, t, state, _ in found["timepoints"]] == [(t, "done") for t in range(time_points)]
    assert len(found["nuclei"]) >= 4 * time_points
    assert_same(found, result(undisturbed))
    assert not list(lab.output.rglob("*.part*")), "leftovers were swept"
