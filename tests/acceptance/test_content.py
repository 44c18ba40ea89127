"""Whole processes and what becomes of sources: touched, moved, copied, changed in part; and one that is hostile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from lab import ENGINE, Lab, nusetd, stack, write_stack

Maker = Callable[..., Lab]
TIMES, CHANGED = 4, 2

# Whoever opens the hostile file dies of it, as of a codec that runs into damaged bytes.
CRASHES = """
import os, pathlib


original = pathlib.Path.open

def opened(self, *arguments, **options):
    if self.name == "hostile.tif":
        os.abort()
    return original(self, *arguments, **options)

pathlib.Path.open = opened
"""


def write(path: Path, array: np.ndarray) -> None:
    """Write a time series of planes under another name first, as a careful program does."""
    unfinished = path.with_name(f".{path.name}.part")
    tifffile.imwrite(unfinished, array, ome=True, metadata={"axes": "TYX"})
    os.replace(unfinished, path)


def when_done(lab: Lab, name: str) -> dict[int, str]:
    """When the result of each time point of an acquisition was made."""
    query = (
        f"select t, t.completed_at from timepoints t join acquisitions a on a.id = acquisition_id where name = '{name}'"
    )
    return dict(lab.rows(query))


def test_content_decides_what_is_done_again(new_lab: Maker) -> None:
    lab = new_lab()
    array = np.stack([stack(t, shape=(6, 40, 40))[3] for t in range(TIMES)])
    path = lab.incoming / "movie.ome.tif"
    write(path, array)
    lab.start()
    lab.wait(lambda: lab.done() == TIMES and lab.settled())
    first = when_done(lab, "movie")

    os.utime(path, (1_000_000_000, 1_000_000_000))
    lab.wait(lambda: lab.rows("select mtime_ns from sources") == [(10**18,)])
    assert when_done(lab, "movie") == first, "touched"

    (lab.incoming / "kept").mkdir()
    moved = lab.incoming / "kept" / "renamed.ome.tif"
    path.rename(moved)
    lab.wait(lambda: lab.rows("select source_path from acquisitions") == [(str(moved),)])
    assert when_done(lab, "movie") == first, "moved"

    shutil.copy2(moved, lab.incoming / "copy.ome.tif")
    lab.wait(lambda: lab.done() == 2 * TIMES and lab.settled())
    assert len(lab.rows("select 1 from acquisitions")) == 2
    assert when_done(lab, "movie") == first, "copied"

    array[CHANGED] = np.roll(array[CHANGED], 3, axis=0)
    write(moved, array)
    lab.wait(lambda: when_done(lab, "movie") != first and lab.settled())
    assert lab.stop() == 0
    last = when_done(lab, "movie")
    assert [t for t in last if last[t] != first[t]] == [CHANGED], "changed"
    assert lab.states() == ["complete", "complete"]


@pytest.mark.long  # processes crash; `.ci/run` runs it once
def test_a_hostile_file_costs_process_one_file(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("before", "hostile", "later"):
        write_stack(images / f"{name}.tif", stack(0)[3])
    (tmp_path / "traps").mkdir()
    (tmp_path / "traps" / "sitecustomize.py").write_text(CRASHES)
    path = os.pathsep.join([str(tmp_path / "traps"), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = nusetd("process", images, "--output", tmp_path / "out", "--engine", ENGINE, PYTHONPATH=path)
    assert done.returncode == 1, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["before", "later"]
    said = [line for line in done.stderr.splitlines() if "hostile.tif" in line and "crashed" in line]
    assert said
    assert "SIGABRT" in said[-1]
