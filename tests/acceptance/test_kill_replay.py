"""`kill -9` of service and worker while tracks are made anew: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from cruelty import ENDLESS, finish, write_time_point
from lab import HERE, Lab, assert_same, result, stack, write_stack

TIME_POINTS = 6
CHANGED = (0, 1, 3)

# Python imports it in every process: pieces are small and staged slowly, and the transaction after them waits a little.
SLOWLY = """
import sys, time
if "run" in sys.orig_argv:
    from storage.database.renewal import staged_tracks
    staged_tracks.ROWS = 2
    write, current = staged_tracks.write, staged_tracks.make_current
    def slow(function, seconds):
        def slowly(*arguments):
            time.sleep(seconds)
            return function(*arguments)
        return slowly
    staged_tracks.write, staged_tracks.make_current = slow(write, 0.1), slow(current, 0.5)
"""


def change(lab: Lab) -> None:
    """Other images take the place of some."""
    for t in CHANGED:
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", stack(t) + 7)


def waits(lab: Lab, states: tuple[str, ...]) -> int:
    """How many time points are in one of these states."""
    return len(lab.rows(f"select 1 from timepoints where state in ({', '.join(map(repr, states))})"))


def start(lab: Lab, root: Path) -> None:
    """The service, staging slowly."""
    lab.start(PYTHONPATH=os.pathsep.join([str(root), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]))


@pytest.mark.long
def test_kills_during_a_replay_and_while_its_tracks_are_staged(new_lab: Callable[..., Lab], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOWLY)
    undisturbed, lab = new_lab("undisturbed", **ENDLESS), new_lab("killed", **ENDLESS)
    for t in range(TIME_POINTS):
        for one in (undisturbed, lab):
            write_time_point(one, t)
    change(undisturbed)
    finish(undisturbed)

    start(lab, tmp_path)
    lab.wait(lambda: lab.done() == TIME_POINTS)
    before = lab.rows("select t, label, track_id from nuclei order by t, label")
    change(lab)
    lab.wait(lambda: waits(lab, ("analysed",)) > 0)
    lab.kill()  # some are analysed, and wait
    start(lab, tmp_path)
    lab.wait(lambda: waits(lab, ("analysed",)) == len(CHANGED) and "tracks are made anew" in lab.said())
    os.kill(lab.worker_pid(), signal.SIGKILL)  # the replay may be under way
    lab.wait(lambda: lab.rows("select count(*) from staged_tracks")[0][0] > 0)
    lab.kill()  # some rows lie aside
    assert lab.rows("select t, label, track_id from nuclei order by t, label") == before
    start(lab, tmp_path)
    lab.wait(lambda: lab.done() == TIME_POINTS)
    lab.kill()  # new tracks are current, and may not be shown
    finish(lab)
    found = result(lab)
    assert_same(found, result(undisturbed))
    assert lab.rows("select count(*) from staged_tracks") == lab.rows("select count(*) from analysed_nuclei") == [(0,)]
