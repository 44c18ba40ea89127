"""Editing an acquisition as a layer: what is not saved changes nothing, and nobody is corrected over in silence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.corrected import CorrectedMovie, assert_same_seen

from daemon.errors import UsageError
from daemon.plots.napari_editing import EditSession
from storage.corrections.asking import Corrector
from storage.database.corrections.events import APPLIED
from storage.schema.rows import AcquisitionRow

FRAMES = 3


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[CorrectedMovie, AcquisitionRow]:
    """A movie that is complete; what changes it takes a copy."""
    movie = CorrectedMovie(tmp_path_factory.mktemp("stored") / "out", FRAMES)
    return movie, movie.process()


def session(movie: CorrectedMovie, row: AcquisitionRow) -> EditSession:
    """Somebody who edits it."""
    corrector = Corrector(str(movie.output), row.id, author="anna")
    return EditSession(str(movie.output), row, lambda edited: corrector.import_movie(lambda *_: edited).text())


def everything(movie: CorrectedMovie, row: AcquisitionRow) -> tuple[dict[str, Any], int]:
    """What people see, and how much was said."""
    return movie.seen(row), len(Corrector(str(movie.output), row.id).list())


def test_what_is_edited_and_not_saved_changes_nothing(stored: tuple[CorrectedMovie, AcquisitionRow]) -> None:
    movie, row = stored
    before, said = everything(movie, row)
    files = {path: path.stat().st_mtime_ns for path in movie.output.rglob("*.ome.zarr/**/*") if path.is_file()}
    edits = session(movie, row)
    edits.labels[1][edits.labels[1] == 3] = 0
    edits.labels[2][:] = 0
    edits.divide("1: 2, 4")
    assert edits.changed
    del edits
    after, still_said = everything(movie, row)
    assert_same_seen(after, before)
    assert said == still_said == 0
    assert files == {path: path.stat().st_mtime_ns for path in files}


def test_what_others_corrected_meanwhile_is_not_taken_back_in_silence(
    stored: tuple[CorrectedMovie, AcquisitionRow], tmp_path: Path
) -> None:
    shutil.copytree(stored[0].output, tmp_path / "out")
    movie, row = CorrectedMovie(tmp_path / "out", FRAMES), stored[1]
    edits, other = session(movie, row), Corrector(str(movie.output), row.id, author="bert")
    assert other.delete(0, 5).state == APPLIED
    edits.labels[1][edits.labels[1] == 3] = 0
    with pytest.raises(UsageError, match=r"Others corrected embryo since it was read here \(time points 0\): save"):
        edits.save()
    seen, said = everything(movie, row)
    assert (len(seen["nuclei"]), said) == (8 * FRAMES - 1, 1)
    assert "1 add, 1 delete" in edits.save(), "whoever saves once more means it"
    edits.labels[1][edits.labels[1] == 4] = 0
    assert "1 delete" in edits.save(), "what was said here is known here"
    assert other.undo().state == APPLIED
    with pytest.raises(UsageError, match="Others corrected"):
        edits.save()
    nuclei = movie.seen(row)["nuclei"]
    assert np.count_nonzero(nuclei["t"] == 1) == 7
