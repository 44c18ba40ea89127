"""`nusetd correct`: what it understands, refuses and prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from cases.corrected import CorrectedMovie, disc
from PIL import Image

from daemon.cli import build_parser, main
from daemon.commands.correct import labels, place
from storage.errors import UnreadableInputError
from storage.export.exporters import export
from storage.files.mask_file import read_mask


def test_labels_and_places_are_read() -> None:
    assert labels("3,4") == (3, 4)
    assert place("4.0,31.5,20") == (4.0, 31.5, 20.0)


@pytest.mark.parametrize(
    "words",
    [
        "merge --t 1 --labels 3;4",
        "split --t 1 --label 3 --at 4,5",
        "delete --label 3",
        "delete --t 1",
        "redraw --t 1 --label 3",
        "divide --t 1 --label 3 --daughters",
        "undo last",
        "forget --t 1",
    ],
)
def test_wrong_usage_is_said(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        build_parser(["correct"]).parse_args(["correct", "embryo", *words.split()])
    assert left.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "several"), [("split", True), ("add", False)])
def test_only_a_split_asks_for_several_places(kind: str, several: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser(["correct"]).parse_args(["correct", "embryo", kind, "--help"])
    assert ("two or more" in " ".join(capsys.readouterr().out.split())) == several


def test_masks_are_arrays_or_tiffs_and_nothing_else(tmp_path: Path) -> None:
    mask = disc(7, 34).astype(np.uint8)
    np.save(tmp_path / "mask.npy", mask)
    tifffile.imwrite(tmp_path / "mask.tif", mask, photometric="minisblack")
    (tmp_path / "mask.txt").write_text("no image")
    for name in ("mask.npy", "mask.tif"):
        np.testing.assert_array_equal(read_mask(tmp_path / name), mask)
    wrong = {"complex": np.ones(3, complex), "words": np.array(["a"]), "unknown": np.array([0.0, np.nan])}
    for name, array in wrong.items():
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(UnreadableInputError, match="other things than numbers"):
            read_mask(tmp_path / f"{name}.npy")
    np.savez(tmp_path / "many.npz", mask)
    (tmp_path / "many.npz").rename(tmp_path / "many.npy")
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    for name in ("mask.txt", "many.npy", "object.npy"):
        with pytest.raises(UnreadableInputError, match="cannot be read as a mask"):
            read_mask(tmp_path / name)
    for name in ("absent.npy", "."):
        with pytest.raises(UnreadableInputError, match=r"name a \.npy or TIFF file"):
            read_mask(tmp_path / name)


def test_what_is_said_is_answered_and_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    movie = CorrectedMovie(tmp_path / "out", frames=2)
    movie.process()
    np.save(tmp_path / "mask.npy", disc(8, 34, 3.0))
    database = ["--database", str(movie.output)]

    def asked(*words: str) -> tuple[int, str]:
        code = main(["correct", "embryo", *words, *database])
        said = capsys.readouterr()
        return code, said.out + said.err

    code, text = asked("redraw", "--t", "1", "--label", "3", "--mask", str(tmp_path / "mask.npy"), "--author", "Ada")
    assert (code, "changed 3" in text) == (0, True)
    code, text = asked("add", "--t", "1", "--at", "2,4,3.5")
    refused, remedy = text.strip().splitlines()
    assert (code, refused) == (1, "correction 2 (add at time point 1) does not fit: there is a nucleus already (1).")
    assert f"`nusetd correct embryo undo 2 --database {movie.output}` takes it back" in remedy
    vast = "99999999999999999999"
    for words, why in (
        (f"delete --t 1 --label {vast}", "There is no nucleus"),
        ("delete --t 1 --label 9", "There is no nucleus 9 at time point 1 of embryo: the labels there are 1-"),
        (f"delete --t {vast} --label 1", "has no time point"),
        ("delete --t 7 --label 1", "embryo has no time point 7: 0-1 are there."),
        (f"link --t 0 --label 1 --to 1 --to-t {vast}", "has no time point"),
        (f"undo {vast}", "There is no correction"),
        ("add --t 1 --at nan,4,3.5", "lies outside the stack"),
        ("add --t 1 --at 2,400,350", "give z,y,x in micrometres, not in voxels, within 0-"),
        ("split --t 1 --label 1 --at 2,inf,3.5 --at 2,4,3.5", "lies outside the stack"),
    ):
        code, text = asked(*words.split())
        assert (code, why in text) == (2, True), words
    code, text = asked("list", "--open", "--format", "csv")
    assert (code, "found now: `undo 2`" in text) == (0, True)
    picture = movie.output / "open-corrections" / "acquisition-1-correction-2.png"
    assert str(picture) in text
    assert np.asarray(Image.open(picture)).shape[2] == 3
    folder = export(movie.output, "embryo", "ctc", tmp_path / "ctc")
    assert asked("import", str(folder)) == (0, "embryo: there is no difference.\n")
    mask = tifffile.imread(folder / "mask000.tif")
    tifffile.imwrite(folder / "mask000.tif", np.where(mask == 4, 0, mask), photometric="minisblack")
    code, text = asked("import", str(folder), "--dry-run", "--format", "csv")
    assert (code, "nothing was said yet" in text) == (0, True)
    assert '0,"delete","4",""' in text
    code, text = asked("import", str(folder), "--author", "Bea")
    assert (code, "1 are in force" in text) == (0, True)
    assert asked("undo")[0] == 0
    code, text = asked("list")
    assert [word in text for word in ("redraw", "Ada", "does not fit", "there is a nucleus")] == [True] * 4
    code, text = asked("list", "--format", "csv")
    assert code == 0
    assert text.count("\n") == 5
