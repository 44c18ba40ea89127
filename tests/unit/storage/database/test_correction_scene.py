"""What is read around a correction: few nuclei of many, and the same tracks as with all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases.stored import acquisition, one_to_one, pixels, register

from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.database.corrections import scene
from storage.database.corrections.events import APPLIED, Correction
from storage.database.track_measures import scale_of
from storage.query.snapshots import snapshot
from tracking.corrections.solve import solve

FRAMES, SIDE = 5, 13


def fill(catalog: Catalog) -> int:
    """Nuclei on a grid that wander a little; label and track are one number."""
    row = register(catalog, acquisition(pixels(t=FRAMES)))
    catalog.add_timepoints(row.id, dict.fromkeys(range(FRAMES), "a"))
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid([0.0], np.arange(SIDE) * 10.0, np.arange(SIDE) * 10.0, indexing="ij"), -1)
    for t in range(FRAMES):
        job = catalog.claim_next()
        assert job is not None
        places = grid.reshape(-1, 3) + rng.normal(0.0, 0.5, (SIDE * SIDE, 3)) * (0, 1, 1) + (0.0, 0.8 * t, 0.0)
        table = Nuclei.from_positions(t, places, volume_px=100)
        catalog.commit_timepoint(job, table, one_to_one(t, SIDE * SIDE, offset=0), b"")
    return row.id


def crossing(number: int, t: int, one: int, two: int) -> Correction:
    """Nucleus `one` goes on as `two` of the next time point."""
    nodes = [[t, one], [t + 1, two]]
    return Correction(number, 1, t, t, "link", (one, two), {}, (), None, APPLIED, None, True, None, {"nodes": nodes})


def test_far_nuclei_are_left_out_and_nothing_else_comes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        number = fill(catalog)
    fitting = [crossing(1, 1, 20, 21), crossing(2, 3, 160, 161)]
    found = []
    with snapshot(tmp_path / "nusetd.sqlite") as connection:
        for neighbours in (scene.NEIGHBOURS, 1e6):
            monkeypatch.setattr(scene, "NEIGHBOURS", neighbours)
            around = scene.around(connection, number, fitting, scale_of(connection, number), 2)
            assert around is not None
            links = solve(around.nodes, around.tracks, around.rules)
            keys = list(zip(around.nodes.t.tolist(), around.nodes.label.tolist(), strict=True))
            after = {keys[row]: keys[links.after[row]] for row in links.changed_rows() if links.after[row] >= 0}
            found.append((len(keys), after))
    (few, near), (many, everything) = found
    assert near == everything
    assert near[1, 20] == (2, 21)
    assert many == FRAMES * SIDE * SIDE
    assert few < 0.8 * many
