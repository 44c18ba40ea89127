"""Images in several files without one of them: the service and `nusetd process` take what is whole, say the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from cases.ome_set_file import SPLITS, ome_set
from lab import Lab, asked, stack

ARRAY = np.stack([stack(t) for t in range(4)])[:, None]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "whole"
    folder.mkdir()
    return ome_set(folder, ARRAY, SPLITS["t"])


@pytest.mark.long  # `.ci/run` runs it
def test_the_service_goes_on_with_a_part_that_comes_late(tmp_path: Path, files: list[Path]) -> None:
    lab = Lab(tmp_path, {"acquisition_quiet_s": 3.0})
    for file in (files[1], files[3], files[2]):
        shutil.copy(file, lab.incoming)
    lab.start()
    try:
        lab.wait(lambda: lab.states() == ["partial"])
        assert lab.rows("select t, state from timepoints order by t") == [(1, "done"), (2, "done"), (3, "done")]
        ((doubts,),) = lab.rows("select doubts from acquisitions")
        assert "embryo_0.ome.tif is not there (t 0, c 0, z 0-5)" in doubts
        shutil.copy(files[0], lab.incoming)
        lab.wait(lambda: lab.states() == ["complete"] and lab.settled())
        assert lab.rows("select name, doubts, error from acquisitions") == [("embryo_0", None, None)]
        assert lab.rows("select t, nuclei_count from timepoints order by t") == [(t, 5) for t in range(4)]
    finally:
        assert lab.stop() == 0


def test_process_takes_what_is_whole_and_names_what_lacks(tmp_path: Path, files: list[Path]) -> None:
    files[2].unlink()
    engine = ("--engine", "classical_engine:ClassicalEngine")
    first = asked("process", files[0].parent, "--output", tmp_path / "out", *engine)
    assert first.returncode == 1
    assert first.stderr.count("embryo_2.ome.tif is not there (t 2, c 0, z 0-5): it is processed as far as it goes") == 1
    assert "embryo_0: partial, 15 nuclei in 3 time points of 4 named" in first.stdout
    ome_set(files[0].parent, ARRAY, SPLITS["t"])
    second = asked("process", files[0].parent, "--output", tmp_path / "out", *engine)
    assert (second.returncode, "embryo_0: complete, 20 nuclei" in second.stdout) == (0, True), second.stderr
