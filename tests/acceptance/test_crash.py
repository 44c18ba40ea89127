"""A time point that kills the service itself, each time that its result is committed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import HERE, PATIENCE_S, Lab, stack, write_stack

# Python imports it in every process; the service alone has something to commit.
FATAL = """
import os, resource, signal, sys
if "run" in sys.orig_argv:
    from daemon import pipeline
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    good = pipeline.commit
    def commit(catalog, found, tracked):
        if found.job.t == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        return good(catalog, found, tracked)
    pipeline.commit = commit
"""


@pytest.mark.long  # `.ci/run` runs it
def test_it_is_set_aside_after_the_second_crash_and_the_others_go_on(
    new_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FATAL)
    path = os.pathsep.join([str(tmp_path), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    lab = new_lab()
    for t in range(3):
        write_stack(lab.incoming / f"exp_t{t:03d}.tif", stack(t))
    for _ in range(2):
        lab.start(PYTHONPATH=path)
        assert lab.process is not None
        assert lab.process.wait(PATIENCE_S) == -signal.SIGSEGV
    lab.start(PYTHONPATH=path)
    lab.wait(lab.settled)
    assert lab.states() == ["partial"]
    points = lab.rows("select state, error from timepoints order by t")
    assert [state for state, _ in points] == ["done", "failed", "done"]
    assert "The service itself crashed" in points[1][1]
    assert lab.said().count("the service crashed when it last ran") == 2
    assert lab.stop() == 0
    assert not list(lab.output.glob("*.crash"))
