"""`nusetd demo` as a person runs it: the shipped network must find what the project promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nuset_engine.weights import shipped_weights


@pytest.mark.long  # a benchmark of the shipped weights; `.ci/run` runs it once
@pytest.mark.skipif("fluorescence" not in shipped_weights(), reason="this checkout has no weights")
@pytest.mark.timeout(900)
def test_the_demo_is_good_with_the_shipped_weights(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "daemon.cli", "demo", "--output", str(tmp_path / "demo")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "verdict: good" in run.stdout
    rows = re.findall(r"^(\w+) +(\d+) +(\d+)", run.stdout, re.MULTILINE)
    counts = {name: (int(true), int(found)) for name, true, found in rows}
    assert counts["nuclei"][1] >= 0.95 * counts["nuclei"][0] >= 0.95 * 12 * 20
    assert counts["links"][1] >= 0.95 * counts["links"][0]
    assert counts["divisions"] == (2, 2)
