"""Services that a failed test left running are ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import Lab


@pytest.fixture
def new_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Make labs, each in a folder of its own."""
    labs: list[Lab] = []

    def make(name: str = "lab", shared: Path | None = None, **options: Any) -> Lab:
        labs.append(Lab(tmp_path / name, options, shared))
        return labs[-1]

    yield make
    for lab in labs:
        if lab.process is not None and lab.process.poll() is None:
            lab.kill()
