"""A time point's row says which measurements its nuclei have beyond the columns."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from cases.stored import NO_UPDATE, nuclei, register

from nuset_engine.nuclei import Nuclei
from storage.database.catalog import Catalog


def test_measurements_of_the_first_nucleus_stand_for_the_time_point(catalog: Catalog, tmp_path: Path) -> None:
    row = register(catalog)
    catalog.add_timepoints(row.id, {0: "x", 1: "x", 2: "x"})
    table = nuclei(0, 2).table.assign(label=[2, 1], channel_1_mean=[0.5, 0.7])
    for t, found in ((0, Nuclei(0, table)), (1, Nuclei.empty(1))):
        job = catalog.claim_next()
        assert job is not None
        assert job.t == t
        assert catalog.commit_timepoint(job, found, NO_UPDATE, b"", {})
    with sqlite3.connect(tmp_path / "nusetd.sqlite") as connection:
        measured = connection.execute("SELECT t, measured FROM timepoints ORDER BY t").fetchall()
    connection.close()
    first = json.loads(measured[0][1])
    assert first["channel_1_mean"] == 0.7, "of label 1, whatever the order of the rows"
    assert [value in (None, "null") for _, value in measured[1:]] == [True, True]
