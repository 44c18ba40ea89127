"""Scores of weights that learned from few images are moved so that the usual least scores suit them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.io import imsave

from nuset_engine.anchors import LEVELS
from nuset_engine.network import Architecture, build_network
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.training import score_fit, trainer
from nuset_engine.training.dataset import CropSampler
from nuset_engine.training.examples import judged_images
from nuset_engine.training.score_fit import SHIFTS, Judged, Moved, fitted_shift, shift_scores
from nuset_engine.training.trainer import TrainingConfig, train


@pytest.mark.parametrize(("sureness", "least", "most"), [(0.0, 0.0, 0.0), (-3.0, 0.5, 1.5)])
def test_who_is_less_sure_is_moved_back(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, sureness: float, least: float, most: float
) -> None:
    """The same network with its scores moved: what serves best moves with them, against it."""
    image, labels = synthetic_image(np.random.default_rng(4), SyntheticParams(size_px=128))
    less_sure = Moved(segmenter.predictor(stacked=False), sureness)
    monkeypatch.setattr(segmenter, "predictor", lambda stacked: less_sure)
    assert least <= fitted_shift(segmenter, [Judged(image, labels)]) <= most


def test_boxes_and_maps_stay_what_they_are(segmenter: Segmenter) -> None:
    predictor = segmenter.predictor(stacked=False)
    inputs = np.random.default_rng(0).normal(size=(1, 64, 64, predictor.channels)).astype(np.float32)
    (plain,), (moved,) = predictor.predict(inputs), Moved(predictor, 0.5).predict(inputs)
    np.testing.assert_array_equal(moved.foreground, plain.foreground)
    for level, one, other in zip(LEVELS, plain.heads, moved.heads, strict=True):
        np.testing.assert_allclose(other[..., : level.count] - one[..., : level.count], 0.5, atol=1e-5)
        np.testing.assert_array_equal(other[..., level.count :], one[..., level.count :])


def test_where_nobody_looked_nothing_decides(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.zeros((32, 64), np.int32)
    labels[4:28, 4:28], labels[4:28, 36:60] = 1, 2
    seen = np.zeros(labels.shape, bool)
    seen[:, :32] = True
    by_shift = [np.where(labels == 1, 1, 0) if shift < 1 else labels for shift in SHIFTS]
    monkeypatch.setattr(score_fit, "_found", lambda *_: by_shift)
    assert fitted_shift(segmenter, [Judged(labels, labels)]) == 1
    assert fitted_shift(segmenter, [Judged(labels, labels, seen)]) == 0, "both serve as well: the smallest one"
    assert score_fit._counts(segmenter, Judged(labels, labels, seen)) == [(1, 1, 1)] * len(SHIFTS)
    assert fitted_shift(segmenter, [Judged(labels, labels, np.zeros_like(seen))]) == 0


@pytest.mark.parametrize(
    ("hits", "shift"), [((800, 805, 809, 815), 0.0), ((790, 800, 805, 815), 0.5), ((0, 0, 0, 0), 0.0)]
)
def test_scores_are_moved_no_further_than_it_serves(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, hits: tuple[int, ...], shift: float
) -> None:
    monkeypatch.setattr(score_fit, "_counts", lambda *_: [(one, one, 1000) for one in hits])
    plane = np.zeros((8, 8), np.int32)
    assert fitted_shift(segmenter, [Judged(plane, plane)]) == shift


def test_all_scores_are_moved_and_nothing_else() -> None:
    network = build_network(Architecture((4, 8, 8, 8, 8), 8))
    before = {variable.path: np.asarray(variable) for variable in network.variables}
    shift_scores(network, 0.5)
    moved = {path: np.asarray(v) - before[path] for v in network.variables if (path := v.path)}
    biases = {path for path in moved if "_score/bias" in path}
    assert len(biases) == 3
    for path, difference in moved.items():
        np.testing.assert_allclose(difference, 0.5 if path in biases else 0.0, atol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_trained_weights_are_fitted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for name in ("images", "labels", "seen"):
        (tmp_path / name).mkdir()
    for index in range(6):
        image, labels = synthetic_image(rng, SyntheticParams(size_px=64))
        for name, plane in (("images", image), ("labels", labels.astype(np.uint16)), ("seen", np.uint8(labels > 1))):
            imsave(tmp_path / name / f"{index}.tif", plane, check_contrast=False)
    folders = (tmp_path / "images", tmp_path / "labels", tmp_path / "mine.npz", tmp_path / "seen")
    changes = {"width": 4, "steps": 1, "batch_size": 1, "crop_px": 64, "validation": 1}
    settings = TrainingConfig(*folders, **changes, scores="fitted")
    learned: list[np.ndarray] = []

    def half(segmenter: Segmenter, images: list[Judged]) -> float:
        assert (segmenter.weights_info.path, len(images)) == (settings.output, 6)
        learned.append(biases())
        return 0.5

    def biases() -> np.ndarray:
        with np.load(settings.output) as stored:
            return np.asarray(stored["rpn4_score/bias"], np.float32)

    monkeypatch.setattr(trainer, "fitted_shift", half)
    monkeypatch.setattr(trainer, "plot_history", lambda _: None)
    info = train(settings)
    monkeypatch.setattr(CropSampler, "batch", None)
    assert train(settings).sha256 == info.sha256, "nothing is left to learn, and fitted they are"
    np.testing.assert_allclose(biases(), learned[0] + 0.5, atol=1e-2)
    assert len(learned) == 1
    assert info.manifest["scores"]["score_shift"] == 0.5
    assert (info.manifest["scores"]["step"], info.manifest["recipe"]["scores"]) == (1, "fitted")
    assert [one.seen is not None for one in judged_images(settings, 3)] == [True] * 3
