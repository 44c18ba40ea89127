"""`kill -9` of the service at random moments while files arrive: nothing is lost, nothing is there twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from lab import Lab, assert_same, result, stack, write_stack

TIME_POINTS = 14
KILLS = 10


def write_all(lab: Lab, pause_s: float) -> None:
    """The microscope: one file per time point, whatever happens to the service."""
    for t in range(TIME_POINTS):
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", stack(t))
        time.sleep(pause_s)


@pytest.fixture
def undisturbed(new_lab: Callable[..., Lab]) -> Iterator[Lab]:
    lab = new_lab("undisturbed")
    write_all(lab, 0.0)
    lab.start()
    yield lab
    assert lab.process is None or lab.process.poll() is not None


def test_ten_kills_lose_nothing_and_double_nothing(new_lab: Callable[..., Lab], undisturbed: Lab) -> None:
    undisturbed.wait(undisturbed.settled)
    assert undisturbed.stop() == 0
    lab, chance = new_lab("killed", acquisition_quiet_s=60.0), random.Random(20261123)
    microscope = threading.Thread(target=write_all, args=(lab, 1.5))
    microscope.start()
    done_at_kill = []
    for kill in range(1, KILLS + 1):
        lab.start(NUSETD_TEST_PAUSE="0.25")
        if kill % 3 == 0:  # while it starts
            time.sleep(chance.uniform(0.2, 3.0))
        else:
            ready = lab.said().count("engine is ready") + 1
            lab.wait(lambda ready=ready: lab.said().count("engine is ready") == ready)
            time.sleep(chance.uniform(0.0, 1.2))
        lab.kill()
        done_at_kill.append(lab.done())
    microscope.join()
    assert 0 < done_at_kill[KILLS // 2] < TIME_POINTS, f"the kills hit the work under way: {done_at_kill}"
    lab.config.write_text(lab.config.read_text().replace("acquisition_quiet_s = 60.0", "acquisition_quiet_s = 1.0"))
    lab.start()
    lab.wait(lab.settled)
    assert lab.stop() == 0
    assert_same(result(lab), result(undisturbed))
    assert not list(lab.output.rglob("*.part*")), "leftovers were swept"
