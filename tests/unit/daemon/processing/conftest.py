"""A stage for the queue loop, on which the test plays the worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cases.loop_stage import Stage
from cases.stored import Clock

from storage.database.catalog import Catalog


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    clock = Clock()
    with Catalog.open(tmp_path / "nusetd.sqlite", clock=clock) as catalog:
        made = Stage(tmp_path, catalog, monkeypatch)
        made.clock = clock
        yield made
