"""A catalog with a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cases.stored import Clock

from storage.database.catalog import Catalog


@pytest.fixture
def clock() -> Clock:
    """A clock that only the test moves."""
    return Clock()


@pytest.fixture
def catalog(tmp_path: Path, clock: Clock) -> Iterator[Catalog]:
    """An empty database."""
    (tmp_path / "database").mkdir()
    with Catalog.open(tmp_path / "database" / "nusetd.sqlite", clock=clock) as opened:
        yield opened
