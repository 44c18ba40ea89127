"""Two services with one output folder and files of the same generic name: both results are whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab import Lab, asked, stack, write_stack


@pytest.mark.long
def test_two_services_with_one_output_leave_each_other_alone(new_lab: Callable[..., Lab], tmp_path: Path) -> None:
    labs = [new_lab(name, tmp_path / "shared") for name in ("one", "two")]
    for seed, lab in enumerate(labs):
        for t in range(2):
            write_stack(lab.incoming / f"img_t{t:03d}.tif", stack(t, seed))
    for lab in labs:
        lab.start()
    for lab in labs:
        lab.wait(lab.settled)
        assert lab.stop() == 0, lab.said()
    assert [lab.states() for lab in labs] == [["complete"]] * 2
    assert len({path for lab in labs for (path,) in lab.rows("select zarr_path from acquisitions")}) == 2
    assert {path.name for path in (tmp_path / "shared").iterdir()} == {"img.ome.zarr", "img-2.ome.zarr"}
    for lab in labs:
        found = asked("verify", "img", "--database", lab.database)
        assert found.returncode == 0, found.stdout + found.stderr
