"""What readers of a store see of time: the scale that the row says by now, whatever it was when the store was made."""

from __future__ import annotations

from pathlib import Path

import zarr
from cases import processed

from daemon import pipeline
from storage.database.catalog import Catalog


def test_what_is_shown_has_the_scale_of_time_that_is_known_by_now(tmp_path: Path) -> None:
    output, place = processed.process(tmp_path)
    with Catalog.open(output) as catalog:
        (row,) = catalog.acquisitions()
        with catalog._transaction() as connection:
            connection.exec_driver_sql("UPDATE acquisitions SET frame_interval_s = 30, step = 3")
        pipeline.publish(catalog, row, 1)
    for part in ("", "labels/nuclei", "labels/tracks"):
        (entry,) = dict(zarr.open_group(place, path=part, mode="r").attrs)["multiscales"]
        assert {one["coordinateTransformations"][0]["scale"][0] for one in entry["datasets"]} == {10.0}
        assert entry["axes"][0]["unit"] == "second"
