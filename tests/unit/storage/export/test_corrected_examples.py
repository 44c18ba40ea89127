"""What people corrected, to learn from and to be judged by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.corrected import CorrectedMovie, labels_at

import storage
from storage.errors import WrongRequestError
from storage.export.corrected_examples import corrected_examples
from storage.export.exporters import export


def names(folder: Path) -> set[str]:
    """Time points of the files of a folder."""
    return {path.name.split("_")[0] for path in folder.glob("*.tif")}


def test_whole_time_points_are_held_out_and_only_what_was_seen_counts(tmp_path: Path) -> None:
    movie = CorrectedMovie(tmp_path / "out", frames=3)
    movie.process()
    with pytest.raises(WrongRequestError, match="Nobody corrected"):
        corrected_examples(movie.output, ["embryo"], tmp_path / "examples")
    say = storage.open(movie.output)["embryo"].correct
    say.confirm(0, 3)
    say.link(1, 1, 2)
    alone = corrected_examples(movie.output, ["embryo"], tmp_path / "examples")
    assert (alone.learned, alone.held_out) == (1, 0), "who speaks of a link did not look at outlines"
    say.delete(2, 3)
    found = corrected_examples(movie.output, [1], tmp_path / "examples")
    assert (found.learned, found.held_out) == (1, 1)
    images, labels, seen = found.to_learn
    assert names(images) == names(labels) == names(seen) == {"t0000"}
    assert [names(folder) for folder in found.to_judge] == [{"t0002"}] * 3
    looked = tifffile.imread(seen / "t0000_z001.tif") > 0
    there = labels_at(0)[1]
    assert looked[there == 3].all()
    assert not looked[(there > 0) & (there != 3)].any()
    np.testing.assert_array_equal(tifffile.imread(labels / "t0000_z001.tif"), there)
    before = (images / "t0000_z001.tif").stat().st_mtime_ns
    corrected_examples(movie.output, [1], tmp_path / "examples", begun=True)
    assert (images / "t0000_z001.tif").stat().st_mtime_ns == before, "what was learned from stays"
    say.undo()
    with pytest.raises(WrongRequestError, match="another --output"):
        corrected_examples(movie.output, [1], tmp_path / "examples", begun=True)
    with pytest.raises(WrongRequestError, match="cannot be held out"):
        corrected_examples(movie.output, [1], tmp_path / "examples", held_out=1)
    export(movie.output, "embryo", "training", tmp_path / "folder")
    assert {path.name for path in (tmp_path / "folder").iterdir()} == {"images", "labels", "seen"}
