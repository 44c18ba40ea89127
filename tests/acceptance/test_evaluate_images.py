"""`nusetd evaluate` on folders of images and labels: tables, report, ablation, and what cannot be compared."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from daemon.cli import main
from nuset_engine.network import Architecture, build_network
from nuset_engine.weights import save_weights

ENGINE = "tests.acceptance.classical_engine:ClassicalEngine"


def disks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A 16 bit image (96, 96) of four separate nuclei, and its labels."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:96, :96]
    labels = np.zeros((96, 96), np.uint16)
    for number, (y, x) in enumerate([(24, 24), (24, 70), (70, 24), (70, 70)], start=1):
        labels[np.hypot(rows - y, columns - x) < rng.uniform(9, 13)] = number
    return (rng.normal(100, 3, labels.shape) + 800 * (labels > 0)).astype(np.uint16), labels


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three images and their labels."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    for folder in (images, labels):
        folder.mkdir()
    for seed, name in enumerate(("a & b", "second", "third")):
        image, truth = disks(seed)
        tifffile.imwrite(images / f"{name}.tif", image)
        tifffile.imwrite(labels / f"{name}.tif", truth)
    return images, labels


def test_tables_report_and_sheet(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["evaluate", *map(str, folders), "--engine", ENGINE, "--output", str(out), "--format", "json"]
    assert main(words) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["ap_50"] == row["ap_95"] / row["ap_95"] == 1.0
    assert row["images"] == 3
    images = pd.read_csv(out / "images.csv", index_col="name")
    assert images.index.tolist() == ["a & b", "second", "third"]
    assert {"touching", "correct", "split", "merge", "catastrophe", "fn_rate", "rmse", "pq"} <= set(images.columns)
    assert pd.read_csv(out / "overall.csv")["true_nuclei"].tolist() == [12]
    page = (out / "report.html").read_text(encoding="utf-8")
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 3
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert not re.search(r"(src|href)=\"(?!data:)", page)  # it needs no other file
    assert "a &amp; b" in page
    assert (out / "worst.png").read_bytes().startswith(b"\x89PNG")


def refused(capsys: pytest.CaptureFixture[str], *words: object, code: int = 1) -> str:
    """The one sentence of an evaluation that cannot be."""
    assert main(["evaluate", *map(str, words)]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
    return said.err


def test_folders_that_cannot_be_compared(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = folders
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no image" in refused(capsys, empty, labels)
    (labels / "third.tif").unlink()
    assert "no label image of the same name" in refused(capsys, images, labels)
    assert "does not exist" in refused(capsys, images, tmp_path / "nowhere", code=2)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (np.zeros((96, 90), np.uint16), r"\(96, 90\).*\(96, 96\).*must agree"),
        (np.where(disks(2)[1] > 0, 255, 0).astype(np.uint8), r"all of its 4 objects have the number 255.*mask"),
        (disks(2)[1] > 0, r"all of its 4 objects"),
        (disks(2)[1].astype(np.float32), "float32 are no whole numbers"),
        (disks(2)[1].astype(np.int16) - 1, "no whole numbers from 0"),
    ],
    ids=["shape", "mask", "bool", "float", "negative"],
)
def test_labels_that_are_none(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], wrong: np.ndarray, sentence: str
) -> None:
    tifffile.imwrite(folders[1] / "third.tif", wrong)
    said = refused(capsys, *folders, "--engine", ENGINE)
    assert "third" in said
    assert re.search(sentence, said)


def test_a_single_nucleus_with_a_stray_pixel_is_no_mask(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    labels = (disks(2)[1] == 1).astype(np.uint8)
    labels[90, 90] = 1
    tifffile.imwrite(folders[1] / "third.tif", labels)
    assert main(["evaluate", *map(str, folders), "--engine", ENGINE]) == 0


def test_damaged_weights(folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = Architecture((4, 4, 4, 4, 4), 4)
    info = save_weights(build_network(small), tmp_path / "mine.npz", {"architecture": small.as_dict()})
    info.path.write_bytes(info.path.read_bytes()[:-10])
    assert "not the file that its manifest describes" in refused(
        capsys, *folders, "--weights", info.path, "--workers", 1
    )


def test_what_an_ablation_cannot_be(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert "takes NuSeT apart" in refused(capsys, *folders, "--ablation", "--engine", ENGINE, code=2)
    assert "give both or none" in refused(capsys, *folders, "--ablation-real-only", "x", code=2)


def test_an_ablation_has_a_row_per_method(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in folders:  # one image is enough
        for name in ("second", "third"):
            (folder / f"{name}.tif").unlink()
    words = ["evaluate", *map(str, folders), "--ablation", "--format", "json"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    rows = {row["method"]: row for row in json.loads(said.out)}
    assert list(rows) == [
        "Otsu with watershed", "U-Net mask alone", "+ foreground normalisation", "+ RPN seeds", "full engine",
    ]  # fmt: skip
    assert "'+ synthetic data' is left out" in said.err
    assert rows["full engine"]["ap_50"] == rows["Otsu with watershed"]["ap_50"] == 1.0
    assert (tmp_path / "out" / "ablation.csv").read_text().count("\n") == 6
    assert "full engine" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert main([*words, "--ablation-real-only", "fluorescence"]) == 0
    assert "+ synthetic data" in [row["method"] for row in json.loads(capsys.readouterr().out)]


def test_other_systems_stand_in_the_same_table(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, poor = tmp_path / "good", tmp_path / "poor"
    for seed, name in enumerate(("a & b", "second", "third")):
        _, truth = disks(seed)
        for folder, labels in ((good, truth), (poor, np.where(truth > 2, 0, truth))):
            folder.mkdir(exist_ok=True)
            tifffile.imwrite(folder / f"{name}{'.labels' * (folder == good)}.tif", labels)
    others = ["--also", f"good={good}", "--also", f"half of all={poor}"]
    words = ["evaluate", *map(str, folders), "--engine", ENGINE, *others, "--format", "json"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    rows = {row["system"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == ["nusetd", "good", "half of all"]
    assert [row["ap_50"] for row in rows.values()] == [1.0, 1.0, 0.5]
    assert pd.read_csv(tmp_path / "out" / "systems.csv", index_col="system").loc["half of all", "predicted_nuclei"] == 6
    assert pd.read_csv(tmp_path / "out" / "brightness.csv")["nuclei"].tolist() == [0, 0, 12, 0]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "half of all" in page
    assert "Found by brightness" in page


def test_other_systems_that_cannot_be_compared(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    also = [*folders, "--engine", ENGINE, "--also", f"x={other}"]
    assert "not a folder" in refused(capsys, *also)
    other.mkdir()
    assert "no labels of a & b" in refused(capsys, *also)
    for name in ("a & b", "second", "third"):
        tifffile.imwrite(other / f"{name}.tif", np.ones((96, 90), np.uint8))
    assert re.search(r"\(96, 90\), their image \(96, 96\)", refused(capsys, *also))
    for name in ("a & b", "second", "third"):
        tifffile.imwrite(other / f"{name}.tif", (disks(0)[1] > 0).astype(np.uint8))
    assert "holds no instance labels" in refused(capsys, *also)
    for path in folders[0].iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    assert "x holds no instance labels" in refused(capsys, *also).replace(str(other), "x")
    assert "has 3 images and not 4 to hold out" in refused(capsys, *also, "--held-out", "4")
    assert "twice" in refused(capsys, *also, "--also", f"x={other}", code=2)
    assert "leave one of them out" in refused(capsys, *also, "--ablation", code=2)
