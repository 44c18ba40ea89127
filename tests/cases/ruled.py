"""Rules of every kind, and a movie over which they speak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cases.stored import acquisition, register
from daemon.configuration.rules import RuleConfig
from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog
from storage.schema.rows import AcquisitionRow
from tracking.tracker import Tracker

MIDDLE = (2.0, 4.75, 5.75)  # of `acquisition`, in micrometres
FOLLOW = RuleConfig("follow", "tracks", "track_id = 1", next=Path("unused"))


class DriftingMovie:
    """Three nuclei that drift together; the first divides where that is wanted."""

    def __init__(self, catalog: Catalog, divides_at: int | None = None, name: str = "embryo") -> None:
        self.catalog, self.tracker, self.divides_at = catalog, Tracker(), divides_at
        self.row: AcquisitionRow = register(catalog, acquisition(name=name))

    def commit(self, t: int, stage: tuple[float, float] | None = None, **quality: Any) -> None:
        """The next time point."""
        self.catalog.add_timepoints(self.row.id, {t: "a"}, {t: Path(f"/data/{self.row.name}_t{t:03d}.tif")})
        if stage is not None:
            self.catalog.sources.note_stages(self.row.id, {t: stage})
        places = [[2.0, 5.0 + 30 * n + 0.5 * t, 6.0 + 0.25 * t] for n in range(3)]
        if self.divides_at is not None and t >= self.divides_at:
            apart = 2.0 + 0.5 * (t - self.divides_at)
            places[0:1] = [[2.0, places[0][1], places[0][2] + side * apart] for side in (-1, 1)]
        volumes = [220.0 if len(places) == 4 and n < 2 else 500.0 for n in range(len(places))]
        table = Nuclei.from_positions(t, np.array(places), volume_um3=np.array(volumes), score=np.float32(0.9))
        job = self.catalog.claim_next()
        assert job is not None
        update = self.tracker.advance(table)
        assert self.catalog.commit_timepoint(job, table, update, self.tracker.state(), {}, quality)


RULES = (
    FOLLOW,
    RuleConfig("daughters", "tracks", "track_id = 1 or parent_track_id = 1", next=Path("b"), pause_s=90.0),
    RuleConfig("enough", "counts", "divisions_total >= 1", once=True, say="stop", next=Path("c")),
    RuleConfig("division", "divisions", "parent_volume_um3 > 400", command=("true",)),
    RuleConfig("drift", "drift", "total_um > 2", aim="drift", next=Path("d"), at_most_per_hour=3),
    RuleConfig("large", "nuclei", "volume_um3 > 400 and score > 0.5", holds_for=3, webhook="http://127.0.0.1:1/"),
)
