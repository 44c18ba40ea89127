"""The life of results with the service running: backed up as OPERATIONS says, forgotten, restored elsewhere."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from lab import Lab, asked, stack, write_stack

Maker = Callable[..., Lab]

OPERATIONS = (Path(__file__).parents[2] / "OPERATIONS.md").read_text(encoding="utf-8")


def back_up(database: Path, copy: Path) -> None:
    """Copy a database as the page says, while it is written to."""
    [statement] = re.findall(r"sqlite3 \S+ \"(VACUUM INTO) '/backup/nusetd.sqlite'\"", OPERATIONS)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"{statement} ?", (str(copy),))


def test_results_are_backed_up_forgotten_and_restored_while_the_service_runs(new_lab: Maker, tmp_path: Path) -> None:
    lab = new_lab()
    lab.start()
    for day in ("day1", "day2"):
        (lab.incoming / day).mkdir()
        write_stack(lab.incoming / day / "Series001.tif", stack(0))
    lab.wait(lambda: lab.states() == ["complete", "complete"])
    backup = tmp_path / "backup"
    backup.mkdir()
    back_up(lab.database, backup / "nusetd.sqlite")
    shutil.copytree(lab.output, backup, dirs_exist_ok=True, ignore=shutil.ignore_patterns("nusetd.sqlite*"))

    database = ["--database", str(lab.database)]
    assert asked("forget", "Series001", *database).returncode == 1, "two are called so"
    done = asked("forget", "day2/Series001", *database)
    assert (done.returncode, done.stdout) == (0, "day2/Series001 is forgotten.\n")
    assert lab.rows("select name from acquisitions") == [("day1/Series001",)]
    assert not (lab.output / "day2" / "Series001.ome.zarr").exists()
    write_stack(lab.incoming / "later.tif", stack(1))
    lab.wait(lambda: lab.states() == ["complete", "complete"])
    assert [name for (name,) in lab.rows("select name from acquisitions order by id")] == ["day1/Series001", "later"]
    assert lab.stop() == 0
    assert asked("check-store", *database).returncode == 0

    restored = ["--database", str(backup)]
    for name in ("day1/Series001", "day2/Series001"):
        assert asked("verify", name, *restored).stdout.endswith("rows, labels and source agree.\n")
    assert asked("check-store", *restored).returncode == 0
