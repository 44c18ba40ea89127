"""What `segment` and `train` tell programs, and leave for people, where `--report` asks for it."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tifffile
from cases.threshold import ThresholdSegmenter
from PIL import Image

from daemon import cli
from daemon.files import segment_files, training_report
from daemon.files.progress_lines import ProgressLines
from nuset_engine.training import trainer
from nuset_engine.training.config import TrainingConfig
from nuset_engine.training.telling import TrainingStoppedError


def lines(folder: Path) -> list[dict]:
    """What was told."""
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]


def balls(shape: tuple[int, ...]) -> np.ndarray:
    """Two bright balls or discs on noise."""
    grid = np.indices(shape).astype(float)
    image = np.random.default_rng(1).normal(100.0, 3.0, shape)
    for y, x in ((20, 20), (40, 44)):
        centre = [shape[0] / 2] * (len(shape) - 2) + [y, x]
        image += 900.0 * (sum((grid[i] - c) ** 2 for i, c in enumerate(centre)) < 49)
    return image.clip(0).astype(np.uint16)


def test_a_report_has_progress_tables_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_files, "segmenter_of", lambda *_: ThresholdSegmenter())
    tifffile.imwrite(tmp_path / "flat.tif", balls((64, 64)))
    tifffile.imwrite(tmp_path / "deep.tif", balls((5, 64, 64)), metadata={"axes": "ZYX"}, imagej=True)
    (tmp_path / "bad.tif").write_text("no image")
    images, report = [str(tmp_path / f"{name}.tif") for name in ("flat", "deep", "bad")], tmp_path / "report"
    order = ["segment", *images, "--output", str(tmp_path / "labels"), "--report", str(report)]
    assert cli.main([*order, "--voxel-size", "1,0.5,0.5", "--workers", "1"]) == 1
    told = lines(report)
    assert [one["what"] for one in told if one["what"] != "slices"] == [
        "begins", "image", "done", "image", "done", "image", "failed", "ends",
    ]  # fmt: skip
    done = {one["image"]: one for one in told if one["what"] == "done"}
    assert done["flat.tif"]["nuclei"] == len(np.unique(tifffile.imread(tmp_path / "labels" / "flat.labels.tif"))) - 1
    assert done["flat.tif"]["diameter"] == pytest.approx(7.0, rel=0.2)
    assert done["flat.tif"]["unit"] == "µm"
    [failed] = [one for one in told if one["what"] == "failed"]
    assert "bad.tif" in failed["why"]
    table = pd.read_csv(report / "deep.nuclei.csv")
    assert table["volume_um3"].notna().all()
    assert len(table) == done["deep.tif"]["nuclei"]
    with Image.open(report / "flat.outlines.png") as picture:
        seen = np.asarray(picture)
    assert seen.shape == (448, 448, 3)
    assert np.all(seen == (0, 224, 255), axis=-1).any()

    assert cli.main([*order[:2], *order[4:], "--only-missing"]) == 0
    assert [one["what"] for one in lines(report)[len(told) :]] == ["begins", "ends"], "its labels are there"


def test_without_a_report_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_files, "segmenter_of", lambda *_: ThresholdSegmenter())
    tifffile.imwrite(tmp_path / "flat.tif", balls((64, 64)))
    assert cli.main(["segment", str(tmp_path / "flat.tif"), "--output", str(tmp_path / "labels")]) == 0
    assert os.listdir(tmp_path / "labels") == ["flat.labels.tif"]


def test_labels_are_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So `--only-missing` does again what has no table or picture."""
    monkeypatch.setattr(segment_files, "segmenter_of", lambda *_: ThresholdSegmenter())
    tifffile.imwrite(tmp_path / "flat.tif", balls((64, 64)))
    (tmp_path / "report" / "flat.outlines.png").mkdir(parents=True)
    order = ["segment", str(tmp_path / "flat.tif"), "--output", str(tmp_path / "labels")]
    assert cli.main([*order, "--report", str(tmp_path / "report")]) == 1
    assert os.listdir(tmp_path / "labels") == []
    assert not list((tmp_path / "report").glob(".*"))


def test_labels_beside_their_images_are_no_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command again, into the folder of the images."""
    monkeypatch.setattr(segment_files, "segmenter_of", lambda *_: ThresholdSegmenter())
    for name in ("flat.tif", "alone.labels.tif"):
        tifffile.imwrite(tmp_path / name, balls((64, 64)))
    for _ in range(2):
        assert cli.main(["segment", str(tmp_path), "--output", str(tmp_path)]) == 0
    assert sorted(os.listdir(tmp_path)) == [
        "alone.labels.labels.tif",
        "alone.labels.tif",
        "flat.labels.tif",
        "flat.tif",
    ]


@pytest.mark.parametrize("fault", ["--output /proc", "--output {0}/labels --report {0}/report"])
def test_where_nothing_can_be_written_is_said_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    def computed(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(segment_files, "segmenter_of", computed)
    tifffile.imwrite(tmp_path / "flat.tif", balls((64, 64)))
    (tmp_path / "report" / "progress.jsonl").mkdir(parents=True)
    assert cli.main(["segment", str(tmp_path / "flat.tif"), *fault.format(tmp_path).split()]) == 1
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert "choose another --" in said


def test_what_happens_all_the_time_is_told_now_and_then(tmp_path: Path) -> None:
    now = 0.0
    told = ProgressLines(tmp_path, ("step",), lambda: now)
    for step in range(100):
        now += 0.1
        told.tell("step", step=step)
    told.tell("done")
    steps = [one["step"] for one in lines(tmp_path) if one["what"] == "step"]
    assert 15 <= len(steps) <= 20
    assert lines(tmp_path)[-1]["what"] == "done"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Three images with labels."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    image = balls((64, 64))
    [labels] = [one.labels for one in ThresholdSegmenter().segment_stack([image])]
    for number in range(3):
        tifffile.imwrite(tmp_path / "images" / f"{number}.tif", image)
        tifffile.imwrite(tmp_path / "labels" / f"{number}.tif", labels.astype(np.uint16))
    return tmp_path


def test_a_training_shows_what_its_best_weights_find(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        def __init__(self, weights: Path) -> None:
            assert weights == labelled / "mine.npz"
            self.weights_info = SimpleNamespace(runtime="tensorflow-bfloat16")

        def segment_plane(self, plane: np.ndarray) -> object:
            return next(ThresholdSegmenter().segment_stack([plane]))

    monkeypatch.setattr(training_report, "Segmenter", Found)
    config = TrainingConfig(labelled / "images", labelled / "labels", labelled / "mine.npz")
    report = training_report.TrainingReport(labelled / "report", config)
    report.tell("begins", step=0, steps=20, images=2, validated_on=["0", "2"])
    report.tell("validated", step=10, loss=1.0, validation_loss=1.1, best=1.1, kept=True, seconds=1.0)
    report.tell("validated", step=20, loss=0.9, validation_loss=1.2, best=1.1, kept=False, seconds=2.0)
    told = lines(labelled / "report")
    assert [one["what"] for one in told] == ["begins", "validated", "scored", "validated"]
    assert (told[2]["score"], told[2]["runtime"]) == (1.0, "tensorflow-bfloat16")
    assert {one["name"] for one in told[2]["examples"]} == {"0", "2"}
    for example in told[2]["examples"]:
        assert (labelled / "report" / example["picture"]).read_bytes().startswith(b"\x89PNG")


def test_sigterm_has_a_training_end_with_what_it_learned(
    labelled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command hands the signal on as a question, and is itself again afterwards."""

    def trains(config: TrainingConfig, *given: object) -> None:
        *_, stop = given
        assert not stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        raise TrainingStoppedError(7, config.steps)

    monkeypatch.setattr(trainer, "train", trains)
    before = signal.getsignal(signal.SIGTERM)
    images, labels = (str(labelled / name) for name in ("images", "labels"))
    assert cli.main(["train", "--images", images, "--labels", labels, "--output", str(labelled / "mine.npz")]) == 1
    assert "step 7 of 8000; what was learned is kept" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_of_two_who_keep_weights_under_one_name_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its files are all of the same weights."""
    from daemon.errors import DaemonError
    from daemon.installation import kept_weights
    from nuset_engine import weights

    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    names = [str(number) for number in range(4)]
    for name in names:
        model = SimpleNamespace(layers=[], inputs=[SimpleNamespace(shape=(None, None, None, int(name)))])
        weights.save_weights(model, tmp_path / f"{name}.npz", {"architecture": {}, "of": name})  # type: ignore[arg-type]

    def keep(name: str) -> str:
        try:
            kept_weights.keep(tmp_path / f"{name}.npz", "ours")
        except DaemonError as error:
            assert "There are weights 'ours' already" in str(error)  # noqa: PT017
            return ""
        return name

    with ThreadPoolExecutor(len(names)) as threads:
        kept = "".join(threads.map(keep, names))
    assert kept in names
    found = weights.find_weights(kept_weights.located("ours"))
    assert found.manifest["of"] == kept
    assert found.path.read_bytes() == (tmp_path / f"{kept}.npz").read_bytes()


def test_kept_weights_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from daemon.errors import DaemonError
    from daemon.installation import kept_weights
    from nuset_engine import weights

    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    model = SimpleNamespace(layers=[], inputs=[SimpleNamespace(shape=(None, None, None, 4))])
    weights.save_weights(model, tmp_path / "run.npz", {"architecture": {}})  # type: ignore[arg-type]
    assert kept_weights.located("ours") == "ours"
    kept = kept_weights.keep(tmp_path / "run.npz", "ours")
    assert kept_weights.kept_weights() == ["ours"]
    assert kept_weights.located("ours") == str(kept)
    assert weights.find_weights(kept_weights.located("ours")).name == "ours"
    assert kept_weights.located("histology") == "histology"
    assert kept_weights.located(str(tmp_path / "run.npz")) == str(tmp_path / "run.npz")
    for wrong in ("ours", "histology", "../ours", "a b", "", "x.npz"):
        with pytest.raises(DaemonError, match=r"already|no name"):
            kept_weights.keep(tmp_path / "run.npz", wrong)
    for marked in ("mine.int8", "mine.bfloat16"):
        with pytest.raises(DaemonError, match=rf"'{marked}' ends in \.\w+, which tells what computed a result"):
            kept_weights.keep(tmp_path / "run.npz", marked)
