"""An acquisition that is under way while the software is exchanged keeps its tracks, whoever stored the state."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.stored import nuclei

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.processing.messages import Analysed, Ready
from daemon.processing.recipe import Recipe
from storage import readers
from storage.database.catalog import Catalog

FRAMES = 8


def exchange_the_software(root: Path) -> None:
    """Leave a state that this version cannot read."""
    with sqlite3.connect(root / "nusetd.sqlite") as connection:
        connection.execute("UPDATE tracker_states SET state = ?", (b"of another version",))
    connection.close()


def outcome(root: Path, exchanged_after: set[int]) -> tuple[list[tuple], list[tuple]]:
    """Tracks of nuclei, and tracks, of an acquisition that was processed to its end."""
    root.mkdir()
    files = [root / f"a_t{t}.tif" for t in range(FRAMES)]
    for file in files:
        scale = {"axes": "ZYX", "unit": "um", "spacing": 1.0}
        tifffile.imwrite(file, np.zeros((2, 16, 16), np.uint16), imagej=True, resolution=(1.0, 1.0), metadata=scale)
    (acquisition,) = readers.open_acquisitions(files)
    with Catalog.open(root / "nusetd.sqlite") as catalog:
        row = pipeline.admit(catalog, acquisition, Recipe(Ready("test", "0" * 64), Processing()), root / "out")
        for t in range(FRAMES):
            job = catalog.claim_next()
            assert job is not None
            assert job.t == t
            assert pipeline.commit(catalog, job, Analysed(nuclei(t, 4 + (t > 3), shift=0.5 * t), {}))
            catalog.mark_published(row.id, t)
            if t in exchanged_after:
                exchange_the_software(root)
        pipeline.finish(catalog, catalog.acquisition(row.id))
        assert [t for t, _ in catalog.unpainted_final(row.id)] == list(range(FRAMES))
        with sqlite3.connect(root / "nusetd.sqlite") as connection:
            members = connection.execute("SELECT t, label, track_id FROM nuclei ORDER BY t, label").fetchall()
            tracks = connection.execute("SELECT track_id, first_t, last_t, is_final FROM tracks ORDER BY 1").fetchall()
        connection.close()
    return members, tracks


@pytest.mark.parametrize("after", [{0}, {4}, {FRAMES - 1}, {2, FRAMES - 1}], ids=["first", "middle", "last", "twice"])
def test_tracks_are_those_of_one_version(tmp_path: Path, caplog: pytest.LogCaptureFixture, after: set[int]) -> None:
    undisturbed = outcome(tmp_path / "undisturbed", set())
    assert len(undisturbed[1]) == 5
    assert all(is_final for *_, is_final in undisturbed[1])
    with caplog.at_level(logging.WARNING, "nusetd"):
        assert outcome(tmp_path / "exchanged", after) == undisturbed
    assert [record.getMessage() for record in caplog.records] == ["tracks made anew"] * len(after)
