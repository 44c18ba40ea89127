"""Files of one name in several folders: each acquisition says which folder it is from, and keeps the name it has."""

from __future__ import annotations

from pathlib import Path

from desk import Desk

from daemon.configuration.config import Processing
from daemon.configuration.service_config import EngineConfig
from daemon.process import ProcessOptions, naming_for
from storage.database.catalog import Catalog


def test_acquisitions_are_named_after_their_folders(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        desk = Desk(tmp_path, catalog)
        for day in ("day1", "day2"):
            (desk.incoming / day).mkdir()
            desk.put(f"{day}/Series001.tif")
            (desk.incoming / day / "broken.tif").write_bytes(b"II*\0")
        desk.put("Series001.tif")
        desk.put("day1/a_t0.tif")
        desk.put("day1/a_t1.tif")
        desk.run(0.0, 80.0)
        rows = {row.name: row for row in catalog.acquisitions()}
        assert set(rows) == {
            "Series001", "day1/Series001", "day2/Series001", "day1/a", "day1/broken", "day2/broken",
        }  # fmt: skip
        assert rows["day1/a"].zarr_path == f"{tmp_path}/out/day1/a.ome.zarr"
        assert rows["Series001"].zarr_path == f"{tmp_path}/out/Series001.ome.zarr"


def test_a_watch_has_a_template_of_its_own_and_names_that_are_there_stay(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        desk = Desk(tmp_path, catalog, name="{parent}_{name}")
        (desk.incoming / "day1").mkdir()
        desk.put("day1/a_t0.tif")
        desk.run(0.0, 10.0)
        assert desk.queued() == {"day1_a": [0]}
    with Catalog.open(tmp_path / "nusetd.sqlite") as catalog:
        desk = Desk(tmp_path, catalog)
        desk.put("day1/a_t1.tif")
        desk.run(20.0, 30.0)
        assert desk.queued() == {"day1_a": [0, 1]}


def called(given: list[str], path: str) -> str:
    options = ProcessOptions([Path(one) for one in given], Path("/out"), EngineConfig(), Processing())
    return naming_for(Path(path), options)(Path(path).stem)


def test_process_counts_folders_from_what_was_named() -> None:
    assert called(["/data/x/a.tif"], "/data/x/a.tif") == "a"
    assert called(["/data/x"], "/data/x/a.tif") == "a"
    assert called(["/data/x"], "/data/x/day1/a.tif") == "day1/a"
    assert called(["/data/day1", "/data/day2"], "/data/day2/a.tif") == "day2/a"
    assert called(["/data/b.tif", "/data/day2"], "/data/b.tif") == "b"
    assert called(["/data/s.ome.zarr", "/data/day2"], "/data/s.ome.zarr") == "s.ome"
