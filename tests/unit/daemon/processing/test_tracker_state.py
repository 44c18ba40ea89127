"""An acquisition that is under way while the software is exchanged keeps its tracks, whoever stored the state."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.actor import MODEL, Actor, cast
from cases.stored import nuclei

from daemon import pipeline
from daemon.configuration.config import Processing
from daemon.processing.messages import Analysed, AnalyseTask, Painted, PaintTask
from daemon.processing.queue_loop import QueueLoop
from daemon.processing.recipe import Recipe
from daemon.processing.tracker_cache import TrackerCache
from storage import readers
from storage.database.catalog import Catalog
from storage.schema.states import AcquisitionState, TimepointState

FRAMES = 8


def exchange_the_software(root: Path) -> None:
    """Leave a state that this version cannot read."""
    with sqlite3.connect(root / "nusetd.sqlite") as connection:
        connection.execute("UPDATE tracker_states SET state = ?", (b"of another version",))
    connection.close()


def outcome(root: Path, exchanged_after: set[int], monkeypatch: pytest.MonkeyPatch) -> tuple[list[tuple], list[tuple]]:
    """Tracks of nuclei, and tracks, of an acquisition that was processed to its end."""
    root.mkdir()
    monkeypatch.setattr(pipeline, "publish", lambda catalog, row, t: catalog.mark_published(row.id, t))
    monkeypatch.setattr(pipeline, "show_tracks", lambda catalog, row, t: catalog.mark_painted(row.id, t))
    monkeypatch.setattr(pipeline, "sweep", lambda row, owner, *left: None)
    files = [root / f"a_t{t}.tif" for t in range(FRAMES)]
    for file in files:
        scale = {"axes": "ZYX", "unit": "um", "spacing": 2.0}
        tifffile.imwrite(file, np.zeros((2, 16, 16), np.uint16), imagej=True, resolution=(2.0, 2.0), metadata=scale)
    (acquisition,) = readers.open_acquisitions(files, pattern=r"(?P<name>.+)_t(?P<t>\d+)")
    with Catalog.open(root / "nusetd.sqlite") as catalog:
        row = pipeline.admit(catalog, acquisition, Recipe(MODEL, Processing()), root / "out")
        actor = Actor()
        loop = QueueLoop(catalog, cast(actor))
        left = set(exchanged_after)
        for _ in range(2000):
            loop.step(0.01)
            done = [point.state is TimepointState.DONE for point in catalog.timepoints(row.id)]
            for t in [t for t in left if done[t]]:
                exchange_the_software(root)
                actor.engine.trackers = TrackerCache()  # a worker of the other version was started
                left.discard(t)
            if isinstance(actor.task, AnalyseTask):
                t = actor.task.t
                actor.lines.append(Analysed(nuclei(t, 4 + (t > 3), shift=0.5 * t), {}))
            elif isinstance(actor.task, PaintTask):
                actor.lines.append(Painted())
            if all(done):
                loop.end(row.id)
            if catalog.acquisition(row.id).state is AcquisitionState.COMPLETE:
                break
        assert catalog.acquisition(row.id).state is AcquisitionState.COMPLETE
        with sqlite3.connect(root / "nusetd.sqlite") as connection:
            members = connection.execute("SELECT t, label, track_id FROM nuclei ORDER BY t, label").fetchall()
            tracks = connection.execute("SELECT track_id, first_t, last_t, is_final FROM tracks ORDER BY 1").fetchall()
        connection.close()
    return members, tracks


@pytest.mark.timeout(60)
@pytest.mark.parametrize("after", [{0}, {4}, {FRAMES - 1}, {2, FRAMES - 1}], ids=["first", "middle", "last", "twice"])
def test_tracks_are_those_of_one_version(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, after: set[int]
) -> None:
    undisturbed = outcome(tmp_path / "undisturbed", set(), monkeypatch)
    assert len(undisturbed[1]) == 5
    assert all(is_final for *_, is_final in undisturbed[1])
    with caplog.at_level(logging.WARNING, "nusetd"):
        assert outcome(tmp_path / "exchanged", after, monkeypatch) == undisturbed
    assert [record.getMessage() for record in caplog.records] == ["tracks made anew"] * len(after)
