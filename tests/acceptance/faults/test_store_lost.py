"""The output folder is emptied under a running acquisition: nothing blank is shown, and all of it is made anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zarr
from lab import Lab, asked, stack, write_stack
from witness import Said, Witness, free_port

TIME_POINTS = 3


def _tells(said: Said) -> bool:
    """What is made anew is named with its reason."""
    return any("made anew" in str(problem["reason"]) for problem in said.get("problems", []))


def test_a_store_that_is_removed_is_noticed_and_made_anew(new_lab: Callable[..., Lab], tmp_path: Path) -> None:
    port = free_port()
    lab = new_lab(shared=tmp_path / "out", acquisition_quiet_s=3600.0, listen=f"127.0.0.1:{port}")
    witness = Witness(lab, port)
    for t in range(TIME_POINTS):
        write_stack(lab.incoming / f"img_t{t:03d}.tif", stack(t))
    lab.start()
    lab.wait(lambda: len(lab.rows("select 1 from timepoints where published_at is not null")) == TIME_POINTS)
    for path in lab.output.iterdir():
        shutil.rmtree(path)
    write_stack(lab.incoming / f"img_t{TIME_POINTS:03d}.tif", stack(TIME_POINTS))
    witness.sees("store removed", alert="kind=store_lost", unready=None, told_by_status=_tells)
    assert "OME-Zarr is made anew" in lab.said()
    lab.wait(lambda: len(lab.rows("select 1 from timepoints where published_at is not null")) == TIME_POINTS + 1)
    store = zarr.open_group(lab.output / "img.ome.zarr", mode="r")
    counts = [len(np.unique(labels)) - 1 for labels in store["labels/nuclei/0"][:]]
    assert counts == [5] * (TIME_POINTS + 1), "none of them is blank"
    assert lab.stop() == 0, lab.said()
    found = asked("verify", "img", "--database", lab.database)
    assert found.returncode == 0, found.stdout + found.stderr
