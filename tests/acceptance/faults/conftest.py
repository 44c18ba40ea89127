"""Faults that nobody plans: how soon the service tells of each, as a table at the end, and disks to have them on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from witness import TABLE


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount a small disk in memory on a folder; only root may."""
    if os.geteuid() != 0:
        pytest.skip("mounting a disk takes root")
    points: list[Path] = []

    def mount(name: str, options: str = "size=4m") -> Path:
        point = tmp_path / name
        point.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point)], capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            pytest.skip(f"this machine mounts nothing: {made.stderr.strip()}")
        points.append(point)
        return point

    yield mount
    for point in reversed(points):
        subprocess.run(["umount", "-l", str(point)], capture_output=True, check=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    if TABLE:
        terminalreporter.section("seconds until a fault is told of")
        terminalreporter.write_line(f"{'fault':<42}{'/readyz':>9}{'status':>9}{'alert':>9}")
        for fault, seconds in TABLE.items():
            cells = "".join(
                f"{seconds[by]:>9.1f}" if by in seconds else f"{'-':>9}" for by in ("readyz", "status", "alert")
            )
            terminalreporter.write_line(f"{fault:<42}{cells}")
