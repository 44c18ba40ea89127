"""Kills of the worker at one time point are no evidence against it; many are, and say something of memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from lab import Lab, stack, write_stack


def _kill_at_work(lab: Lab, times: int) -> None:
    for kill in range(times):
        lab.wait(lambda: bool(lab.rows("select 1 from timepoints where state = 'running'")))
        os.kill(lab.worker_pid(), signal.SIGKILL)
        lab.wait(lambda kill=kill: lab.said().count("worker died") == kill + 1)


@pytest.mark.long  # `.ci/run` runs it
def test_two_kills_at_one_time_point_set_nothing_aside(new_lab: Callable[..., Lab]) -> None:
    lab = new_lab()
    write_stack(lab.incoming / "first.tif", stack(0))
    lab.start(NUSETD_TEST_PAUSE="1")
    _kill_at_work(lab, 2)
    lab.wait(lab.settled)
    assert lab.states() == ["complete"]
    assert lab.stop() == 0, lab.said()


@pytest.mark.long
def test_a_time_point_over_which_the_worker_is_killed_every_time_is_set_aside_with_a_word_about_memory(
    new_lab: Callable[..., Lab],
) -> None:
    lab = new_lab()
    write_stack(lab.incoming / "first.tif", stack(0))
    lab.start(NUSETD_TEST_PAUSE="1")
    _kill_at_work(lab, 4)
    lab.wait(lambda: lab.states() == ["set_aside"])
    [(error,)] = lab.rows("select error from timepoints")
    assert "killed 4 times" in error
    assert "memory does not suffice" in error
    assert lab.stop() == 0, lab.said()
