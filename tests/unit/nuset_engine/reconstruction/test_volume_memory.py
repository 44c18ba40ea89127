"""Reconstruction holds the labels and a few slices, not the stack a second time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "bench_volume_memory.py"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_a_stack_is_reconstructed_with_a_few_slices_beside_its_labels() -> None:
    command = [sys.executable, str(BENCHMARK), "--shape", "48,768,768"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert int(found.stdout.split()[0]) > 200
