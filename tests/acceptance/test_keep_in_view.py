"""The example with a simulated stage: a rule keeps a drifting nucleus in the middle of the image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from lab import ENGINE, environment

SCRIPT = Path(__file__).parents[1] / "examples" / "keep_in_view.py"


@pytest.mark.long  # `.ci/run` runs the short one once
@pytest.mark.parametrize("frames", [8, 50], ids=["short", "whole"])
def test_the_stage_follows_a_drifting_nucleus(frames: int, tmp_path: Path) -> None:
    """The script itself fails where the nucleus was more than 5 um from the middle once."""
    command = [sys.executable, str(SCRIPT), str(tmp_path / "film"), "--frames", str(frames), "--engine", ENGINE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Answers: {frames - 1} sent" in done.stdout
