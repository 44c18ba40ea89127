"""`nusetd evaluate` on folders of the Cell Tracking Challenge, in two and three dimensions."""

from __future__ import annotations

import importlib
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.cli import main
from tests.cases.challenge import PLACES, TRACKS, late_division, write_images, write_results, write_truth

pytest.importorskip("ctc_metrics")
ENGINE = "tests.acceptance.classical_engine:ClassicalEngine"


def scores(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, float]:
    assert main(["evaluate", *map(str, words), "--format", "json"]) == 0
    return dict(json.loads(capsys.readouterr().out)[0])


def with_errors() -> tuple[dict[int, dict[int, tuple[int, int]]], list[tuple[int, int, int, int]]]:
    """A nucleus lost for the last two frames, a false one, daughters that are no daughters, and a shifted outline."""
    places = {**PLACES, 4: dict.fromkeys(range(4), (14, 14)), 5: {1: (8, 14)}, 3: {**PLACES[3], 5: (9, 7)}}
    return places, [(1, 0, 2, 0), (2, 3, 5, 0), (3, 3, 5, 0), (4, 0, 3, 0), (5, 1, 1, 0)]


@pytest.mark.parametrize("deep", [False, True])
def test_the_truth_is_perfect(tmp_path: Path, capsys: pytest.CaptureFixture[str], deep: bool) -> None:
    truth, found = write_truth(tmp_path / "01_GT", deep), write_results(tmp_path / "01_RES", deep)
    row = scores(capsys, found, truth, "--output", tmp_path / "out")
    for name in ("SEG", "DET", "TRA", "LNK", "BC", "CT", "TF", "division_precision", "division_recall"):
        assert row[name] == pytest.approx(1.0), name
    assert row["CCA"] is None  # no nucleus is born and divides
    assert (row["true_nuclei"], row["true_tracks"]) == (15, 4)
    assert (tmp_path / "out" / "tracking.csv").is_file()


@pytest.mark.parametrize("deep", [False, True])
def test_a_division_may_be_a_frame_late(tmp_path: Path, capsys: pytest.CaptureFixture[str], deep: bool) -> None:
    places, tracks = late_division()
    truth = write_truth(tmp_path / "01_GT", deep)
    row = scores(capsys, write_results(tmp_path / "01_RES", deep, places, tracks), truth)
    assert row["division_recall"] == row["division_precision"] == row["BC"] == 1.0
    assert row["TRA"] < 1.0
    assert row["DET"] == pytest.approx(1 - 10 / 150)  # one of 15 nuclei is missed


@pytest.mark.parametrize("deep", [False, True])
def test_other_packages_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str], deep: bool) -> None:
    places, tracks = with_errors()
    truth = write_truth(tmp_path / "01_GT", deep)
    found = write_results(tmp_path / "01_RES", deep, places, tracks)
    row = scores(capsys, found, truth)
    assert row["DET"] < 1.0
    assert row["SEG"] < 1.0
    assert row["division_recall"] == 0.0
    from ctc_metrics import evaluate_sequence

    own = evaluate_sequence(str(found), str(truth), ["DET", "TRA", "LNK", "CT", "TF", "BC"], threads=1)
    capsys.readouterr()
    for name in ("DET", "TRA", "LNK", "CT", "TF"):
        assert row[name] == pytest.approx(own[name]), name
    assert row["BC"] == pytest.approx(own["BC(1)"])
    traccuracy = pytest.importorskip("traccuracy")
    loaders, matchers = importlib.import_module("traccuracy.loaders"), importlib.import_module("traccuracy.matchers")
    metrics = importlib.import_module("traccuracy.metrics")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graphs = [loaders.load_ctc_data(str(folder)) for folder in (truth / "TRA", found)]
        other, _ = traccuracy.run_metrics(*graphs, matchers.CTCMatcher(), [metrics.CTCMetrics()])
    for name in ("DET", "TRA", "LNK"):
        assert row[name] == pytest.approx(other[0]["results"][name]), name


@pytest.mark.parametrize("deep", [False, True])
def test_images_are_segmented_and_tracked_first(tmp_path: Path, capsys: pytest.CaptureFixture[str], deep: bool) -> None:
    images, truth = write_images(tmp_path / "01", deep), write_truth(tmp_path / "01_GT", deep)
    size = ("--voxel-size", "1,1,1") if deep else ()
    row = scores(capsys, images, truth, "--engine", ENGINE, "--output", tmp_path / "out", *size)
    assert row["DET"] == pytest.approx(1.0)
    assert row["LNK"] > 0.8
    again = scores(capsys, tmp_path / "out" / "RES", truth)
    assert again == row


def test_without_outlines_seg_uses_the_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = write_truth(tmp_path / "01_GT", False, outlines=False)
    assert main(["evaluate", str(write_results(tmp_path / "01_RES", False)), str(truth)]) == 0
    told = capsys.readouterr()
    assert "has no outlines" in told.err
    assert re.search(r"SEG +1", told.out)


def test_nothing_found_scores_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, found = write_truth(tmp_path / "01_GT", False), write_results(tmp_path / "01_RES", False, {5: {}}, [])
    (found / "res_track.txt").write_text("")
    for path in found.glob("*.tif"):
        tifffile.imwrite(path, np.zeros((20, 20), np.uint16))
    row = scores(capsys, found, truth)
    assert row["DET"] == row["TRA"] == row["LNK"] == row["SEG"] == row["CT"] == row["TF"] == 0.0
    assert row["division_recall"] == 0.0
    assert row["division_precision"] is None


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (lambda gt, res: (res / "res_track.txt").unlink(), "neither results .* nor images"),
        (lambda gt, res: (res / "res_track.txt").write_text("1 0 x 0\n"), "Line 1 of .*res_track.txt is '1 0 x 0'"),
        (lambda gt, res: (res / "res_track.txt").write_text("1 0 2 7\n"), "parent 7 of track 1 .* is not in the table"),
        (lambda gt, res: (res / "res_track.txt").write_text("1 0 2 0\n"), "Label 4 has no row for frame 0"),
        (lambda gt, res: (res / "mask005.tif").unlink(), "no mask of frame 5"),
        (lambda gt, res: (res / "mask002.tif").write_bytes(b"II*"), "mask002.tif cannot be read"),
        (lambda gt, res: tifffile.imwrite(res / "mask001.tif", np.ones((20, 20), np.float32)), "whole numbers"),
        (lambda gt, res: tifffile.imwrite(res / "mask001.tif", _other_size()), "Frame 1 .* does not fit"),
        (lambda gt, res: [path.unlink() for path in gt.glob("TRA/*.tif")], "has no masks"),
    ],
)
def test_a_fault_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], fault, sentence: str) -> None:  # type: ignore[no-untyped-def]
    truth, found = write_truth(tmp_path / "01_GT", False), write_results(tmp_path / "01_RES", False, PLACES, TRACKS)
    fault(truth, found)
    assert main(["evaluate", str(found), str(truth), "--engine", ENGINE]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert re.search(sentence, message), message


def _other_size() -> np.ndarray:
    """The labels of frame 1 in a smaller image."""
    labels = np.zeros((6, 6), np.uint16)
    labels[0, 0], labels[5, 5] = 1, 4
    return labels
