"""Absent is not empty: a share that is away is offline whatever lies in its mount point; a removed file is removed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import Lab, stack, write_stack
from witness import Said, Witness, free_port


def _tells(said: Said) -> bool:
    """The folder is named as offline."""
    report = said.get("service", {}).get("report") or {}
    return any(not root["online"] for root in report.get("roots", []))


@pytest.mark.long
def test_a_share_that_is_away_is_offline_and_a_removed_file_is_removed(
    new_lab: Callable[..., Lab], mounted: Callable[..., Path], tmp_path: Path
) -> None:
    port = free_port()
    lab = new_lab(listen=f"127.0.0.1:{port}")
    witness = Witness(lab, port)
    for name in ("lost+found", ".DS_Store", "this is the mount point.txt"):
        (lab.incoming / name).touch()
    incoming = mounted("lab/incoming")
    first = write_stack(incoming / "first.tif", stack(0))
    lab.start()
    lab.wait(lambda: lab.settled() and witness.is_well())
    kept = shutil.copy2(first, tmp_path / "kept.tif")
    first.unlink()  # its only file: the folder is empty, and the same
    lab.wait(lambda: witness.is_well())
    since = len(lab.said())
    subprocess.run(["umount", "-l", str(incoming)], check=True)
    witness.sees("share away", alert="kind=folder_offline", since=since, told_by_status=_tells)
    assert "is offline" not in lab.said()[:since], "an empty folder was not"
    assert lab.states() == ["complete"]
    mounted("lab/incoming")
    shutil.copy2(kept, incoming / "first.tif")
    write_stack(incoming / "second.tif", stack(1))
    lab.wait(lambda: lab.states() == ["complete", "complete"] and witness.is_well())
    assert lab.stop() == 0, lab.said()


@pytest.mark.long
def test_a_time_point_whose_source_comes_back_unchanged_goes_on_by_itself(
    new_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    """The file goes while a worker is at the one before it, and is away at both attempts."""
    lab = new_lab()
    write_stack(lab.incoming / "exp_t000.tif", stack(0))
    lab.start(NUSETD_TEST_PAUSE="2")
    second = write_stack(lab.incoming / "exp_t001.tif", stack(1))
    kept = shutil.copy2(second, tmp_path / "kept.tif")
    lab.wait(lambda: bool(lab.rows("select 1 from timepoints where t = 1")))
    second.unlink()
    lab.wait(lambda: bool(lab.rows("select 1 from timepoints where t = 1 and state = 'failed'")))
    shutil.copy2(kept, second)
    lab.wait(lambda: lab.done() == 2)
    lab.wait(lab.settled)
    assert lab.states() == ["complete"]
    assert lab.stop() == 0, lab.said()
