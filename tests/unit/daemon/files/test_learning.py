"""Learning from corrections: what is said of new weights, and the command from corrections to that sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases.corrected import CorrectedMovie

import storage
from daemon.cli import main
from daemon.files.learning import Comparison
from nuset_engine.evaluation.paired import PairedDifference
from nuset_engine.evaluation.scores import seen_nuclei
from nuset_engine.training.config import TrainingConfig
from nuset_engine.weights import WeightsInfo, find_weights
from storage.export.corrected_examples import CorrectedExamples

CLEAR = PairedDifference(0.1, 0.05, 0.15, 9)


def scored(ap_50: float, ap: float) -> pd.DataFrame:
    """A row of overall scores."""
    return pd.DataFrame({"images": [4], "ap_50": [ap_50], "ap": [ap]})


@pytest.mark.parametrize(
    ("new", "present", "better"),
    [((0.8, 0.5), (0.7, 0.6), True), ((0.7, 0.6), (0.8, 0.5), False), ((0.8, 0.6), (0.8, 0.5), True)],
)
def test_better_is_what_finds_more(new: tuple[float, float], present: tuple[float, float], better: bool) -> None:
    found = Comparison(scored(*new), scored(*present), CLEAR, 2)
    assert found.is_better is better
    assert ("is better" in found.verdict("mine", "theirs")) is better
    assert found.table("mine", "theirs")["measure"].tolist() == ["images", "ap_50", "ap"]


def test_the_same_is_not_better(tmp_path: Path) -> None:
    found = Comparison(scored(0.8, 0.5), scored(0.8, 0.5), CLEAR, 2)
    assert not found.is_better
    found.keep(tmp_path / "score-new.json", tmp_path / "score-present.json")
    assert json.loads((tmp_path / "score-new.json").read_text()) == [{"images": 4, "ap_50": 0.8, "ap": 0.5}]


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (CLEAR, "is better on 2 time points"),
        (PairedDifference(0.1, -0.02, 0.2, 9), "scores higher on 2 time points that were held out"),
        (PairedDifference(0.1, 0.05, 0.15, 4), "4 images cannot tell whether the difference of +0.100"),
    ],
)
def test_what_may_be_chance_is_called_better_by_nobody(difference: PairedDifference, words: str) -> None:
    verdict = Comparison(scored(0.8, 0.5), scored(0.7, 0.5), difference, 2).verdict("mine", "theirs")
    assert words in verdict
    assert ("is better" in verdict) is difference.is_significant


def test_nuclei_where_nobody_looked_do_not_count() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[4:10, 2:8], labels[4:10, 12:18], labels[4:10, 20:26] = 1, 2, 3
    seen = np.zeros(labels.shape, bool)
    seen[:, :16] = True
    np.testing.assert_array_equal(seen_nuclei(labels, seen), np.where(labels == 3, 0, labels))


@pytest.mark.parametrize(("asked", "scores"), [([], "fitted"), (["--scores", "learned"], "learned")])
def test_scores_are_fitted_to_what_was_corrected_unless_one_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str], scores: str
) -> None:
    settings: list[TrainingConfig] = []

    def learned(config: TrainingConfig, *_: object) -> WeightsInfo:
        settings.append(config)
        return find_weights("fluorescence")

    monkeypatch.setattr("daemon.files.learning.take_corrected", lambda *_: CorrectedExamples(tmp_path, 3, 0))
    monkeypatch.setattr("nuset_engine.training.trainer.train", learned)
    assert main(["train", "--from-corrections", "embryo", "--output", str(tmp_path / "mine.npz"), *asked]) == 0
    assert [(one.scores, one.seen) for one in settings] == [(scores, tmp_path / "seen")]


@pytest.mark.parametrize("more", [[], ["--mode", "events"]], ids=["nuclei", "events"])
@pytest.mark.parametrize("points", [0, 2])
def test_a_training_is_told_what_was_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str], points: int
) -> None:
    class TrainedError(Exception):
        """It would begin."""

    settings: list[TrainingConfig] = []

    def learned(config: TrainingConfig, *_: object) -> WeightsInfo:
        settings.append(config)
        raise TrainedError

    for taken in ("learning.take_corrected", "learning_mitoses.take_divisions"):
        monkeypatch.setattr(f"daemon.files.{taken}", lambda *_: CorrectedExamples(tmp_path, 3, points))
    monkeypatch.setattr("nuset_engine.training.trainer.train", learned)
    with pytest.raises(TrainedError):
        main(["train", "--from-corrections", "embryo", "--output", str(tmp_path / "mine.npz"), *more])
    assert settings[0].held_out_images == (tmp_path / "held-out" / "images" if points else None)


@pytest.mark.parametrize(("count", "asked", "steps"), [(4, [], 120), (100, [], 600), (4, ["--steps", "7"], 7)])
def test_the_fewer_divisions_the_fewer_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, asked: list[str], steps: int
) -> None:
    settings: list[TrainingConfig] = []

    def learned(config: TrainingConfig, *_: object) -> WeightsInfo:
        settings.append(config)
        return find_weights("mitosis")

    taken = CorrectedExamples(tmp_path, count, 0)
    monkeypatch.setattr("daemon.files.learning_mitoses.take_divisions", lambda *_: taken)
    monkeypatch.setattr("nuset_engine.training.trainer.train", learned)
    words = ["train", "--mode", "events", "--from-corrections", "embryo", *asked]
    assert main([*words, "--output", str(tmp_path / "mine.npz")]) == 0
    assert [one.steps for one in settings] == [steps]


@pytest.mark.long
def test_weights_are_learned_from_corrections_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    movie = CorrectedMovie(tmp_path / "out", frames=3)
    movie.process()
    say = storage.open(movie.output)["embryo"].correct
    for t in range(3):
        say.confirm(t, 3)
    words = "train --from-corrections embryo --steps 2 --batch-size 1 --crop-px 64 --synthetic-share 0 --validation 1"
    places = ["--output", str(tmp_path / "mine.npz"), "--database", str(movie.output), "--report", str(tmp_path / "r")]
    assert main([*words.split(), *places]) == 0
    said = capsys.readouterr()
    assert "2 corrected time points to learn from, 1 held out" in said.err
    assert "on 1 time point that was held out (3 images)" in said.out
    assert json.loads((tmp_path / "r" / "score-present.json").read_text())[0]["true_nuclei"] == 3
    recipe = find_weights(str(tmp_path / "mine.npz")).manifest["recipe"]
    assert (recipe["held_out"], recipe["held_out_images"]) == (3, "mine.corrected/held-out/images")
    assert main(["train", "--from-corrections", "embryo", "--images", str(tmp_path), *places]) == 2
