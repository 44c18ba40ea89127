"""Learning mitoses from divisions: what is said of new weights, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imsave

from daemon.cli import main
from daemon.files import learning_mitoses
from daemon.files.learning_mitoses import EventComparison, compare_events
from nuset_engine.evaluation.event_scores import EventScores
from nuset_engine.evaluation.paired import PairedDifference
from nuset_engine.inference.proposals import Proposals
from nuset_engine.training.config import TrainingConfig
from nuset_engine.weights import WeightsInfo, find_weights
from storage.export.corrected_examples import CorrectedExamples

CLEAR = PairedDifference(0.1, 0.05, 0.15, 9)
FEW = PairedDifference(0.1, 0.05, 0.15, 3)


@pytest.mark.parametrize(
    ("matched", "difference", "words"),
    [(8, CLEAR, "is better on 10"), (8, FEW, "scores higher on 10"), (5, CLEAR, "is NOT better on 10")],
)
def test_a_verdict_says_whether_it_may_be_chance(
    matched: int, difference: PairedDifference, words: str, tmp_path: Path
) -> None:
    found = EventComparison(EventScores(matched, 10, 10), EventScores(6, 10, 10), difference)
    assert f"mine {words} held-out sections of mitoses" in found.verdict("mine", "theirs")
    assert found.table("mine", "theirs")["measure"].tolist() == [
        "mitoses",
        "found",
        "right",
        "precision",
        "recall",
        "f1",
    ]
    found.keep(tmp_path / "new.json", tmp_path / "present.json")
    assert json.loads((tmp_path / "present.json").read_text())[0]["recall"] == 0.6


def test_boxes_where_nothing_is_known_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels, seen = np.zeros((40, 60), np.uint8), np.ones((40, 60), np.uint8)
    labels[4:14, 4:14] = 5
    seen[:, 40:] = 0
    for name, plane in (("images", labels), ("labels", labels), ("seen", seen)):
        (tmp_path / "held-out" / name).mkdir(parents=True)
        imsave(tmp_path / "held-out" / name / "a.tif", plane, check_contrast=False)
    boxes = np.array([[4, 4, 14, 14], [20, 44, 30, 54], [20, 4, 30, 14]], np.float32)

    class Seer:
        """Finds all three, or with other weights the first alone."""

        def __init__(self, weights: str) -> None:
            self.found = Proposals(boxes, np.full(3, 0.9, np.float32)).where(np.arange(1 if weights == "one" else 3))

        def detect(self, planes: list[np.ndarray]) -> list[Proposals]:
            return [self.found for _ in planes]

    monkeypatch.setattr(learning_mitoses, "EventDetector", Seer)
    found = compare_events(CorrectedExamples(tmp_path, 1, 1), "one", "all")
    assert (found.new, found.present) == (EventScores(1, 1, 1), EventScores(1, 1, 2))


def test_the_command_fine_tunes_on_divisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: list[TrainingConfig] = []
    asked: list[tuple[object, ...]] = []

    def learned(config: TrainingConfig, *_: object) -> WeightsInfo:
        settings.append(config)
        return find_weights("mitosis")

    def taken(*given: object) -> CorrectedExamples:
        asked.append(given[3:])
        return CorrectedExamples(tmp_path, 3, 0)

    monkeypatch.setattr("daemon.files.learning_mitoses.take_divisions", taken)
    monkeypatch.setattr("nuset_engine.training.trainer.train", learned)
    order = ["train", "--from-corrections", "embryo", "--mode", "events", "--output", str(tmp_path / "mine.npz")]
    assert main(order) == 0
    assert main([*order, "--divisions", "undoubted", "--mitosis-frames", "2", "--held-out", "4"]) == 0
    assert asked == [(None, 1, "confirmed"), (4, 2, "undoubted")]
    assert [(one.mode, one.seen, one.start_from, one.held_out) for one in settings] == [
        ("events", tmp_path / "seen", "mitosis", 0)
    ] * 2


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("--from-corrections a --mode events --images .", "brings images and labels"),
        ("--from-corrections a --divisions confirmed", "belong to --mode events --from-corrections"),
        ("--mode events --mitosis-frames 2", "belong to --mode events --from-corrections"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    words: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *words.split(), "--output", str(tmp_path / "mine.npz")]) == 2
    assert fault in capsys.readouterr().err
