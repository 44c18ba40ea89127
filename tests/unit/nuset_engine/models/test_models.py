"""Every kind of network: trained, stored, read again; what its answers become; and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imsave

from daemon.files.evaluate import EvaluationOptions, _ladder
from nuset_engine.anchors import LEVELS
from nuset_engine.errors import EngineError
from nuset_engine.evaluation.scores import evaluate
from nuset_engine.inference.maps import PlaneMaps
from nuset_engine.inference.proposals import EMPTY, Proposals, joined, suppress
from nuset_engine.models.base import Model
from nuset_engine.models.masks import DRAWN, LEARNED, MaskedPrediction, MaskedProposals, mask_targets, painted
from nuset_engine.models.paper import ANCHORS
from nuset_engine.models.registry import MODELS, model_named, model_of, predictor_of
from nuset_engine.network import Architecture, keras
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.normalize import CHANNELS
from nuset_engine.runtime.choice import without_int8
from nuset_engine.runtime.names import BFLOAT16, TENSORFLOW
from nuset_engine.segment import Segmenter
from nuset_engine.training import trainer, words
from nuset_engine.training.augment import AUGMENTATIONS
from nuset_engine.training.config import TrainingConfig
from nuset_engine.training.quantise import quantise
from nuset_engine.weights import WeightsInfo, find_weights, load_weights, save_weights

OTHERS = [model for model in MODELS.values() if model.name != "nuset"]
SMALL = Architecture((4, 8, 8, 8, 8), 8)
MIDDLES = ((20, 20), (20, 41), (60, 62))  # of discs of 22 px, of which the first two touch
PARAMS = SegmentationParams()


def discs(size: int = 96) -> np.ndarray:
    """Labels of three nuclei."""
    labels = np.zeros((size, size), np.int32)
    y, x = np.indices(labels.shape)
    for number, (row, column) in enumerate(MIDDLES, start=1):
        labels[(y - row) ** 2 + (x - column) ** 2 < 121] = number
    return labels


def boxes_around(half: float = 11.0) -> Proposals:
    """A box around each."""
    middles = np.array(MIDDLES, np.float32) + 0.5
    return Proposals(np.hstack([middles - half, middles + half]), np.array([0.9, 0.8, 0.7], np.float32))


def seen(labels: np.ndarray, proposals: Proposals) -> PlaneMaps:
    """Maps of a network that is sure of its foreground."""
    foreground = np.where(labels > 0, np.float32(0.95), np.float32(0.02))
    return PlaneMaps(foreground, foreground, proposals)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One image of three nuclei, and its labels."""
    root, labels = tmp_path_factory.mktemp("mine"), discs()
    image = 100 + 400 * (labels > 0) + np.random.default_rng(0).normal(0, 15, labels.shape)
    for name, values in (("images", image), ("labels", labels)):
        (root / name).mkdir()
        imsave(root / name / "a.tif", values.astype(np.uint16), check_contrast=False)
    return root


def config(folder: Path, output: Path, **changes: object) -> TrainingConfig:
    """A run of one step."""
    base = TrainingConfig(
        folder / "images",
        folder / "labels",
        output,
        width=4,
        steps=1,
        batch_size=1,
        crop_px=64,
        validation=0,
        synthetic_share=0.0,
    )
    return replace(base, **changes)


def answers(network: keras.Model, info: WeightsInfo, *inputs: np.ndarray) -> list[np.ndarray]:
    """What the network of weights answers as it was trained, nothing folded."""
    load_weights(network, info)
    return [np.asarray(one) for one in keras.tree.flatten(network(list(inputs) if inputs[1:] else inputs[0]))]


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities."""
    return 1 / (1 + np.exp(-logits))


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", ["unet", "paper"])
def test_what_is_trained_is_stored_and_answers_as_it_did(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "plot_history", lambda _: None)
    info = trainer.train(config(folder, tmp_path / "mine.npz", model=name))
    assert info.model == name
    header = (tmp_path / "mine.history.csv").read_text().splitlines()[0]
    assert header.split(",")[4:-1] == list(MODELS[name].parts)
    x = np.random.default_rng(1).normal(size=(2, 32, 48, CHANNELS)).astype(np.float32)
    network = MODELS[name].build(Architecture.of(info.architecture), kernels="zeros")
    maps, *heads = answers(network, info, x)
    assert len(heads) == len(MODELS[name].levels)
    for index, one in enumerate(predictor_of(info).predict(x)):
        assert np.allclose(one.foreground, sigmoid(maps[index, ..., 0]), atol=1e-4)
        assert all(np.allclose(a, b[index], atol=1e-3) for a, b in zip(one.heads, heads, strict=True))


@pytest.mark.usefixtures("eagerly")
def test_masks_are_learned_and_drawn_in_the_networks_own_boxes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "plot_history", lambda _: None)
    model = MODELS["mask-rcnn"]
    trained = trainer.train(config(folder, tmp_path / "mine.npz", model=model.name))
    header = (tmp_path / "mine.history.csv").read_text().splitlines()[0]
    assert header.split(",")[4:-1] == list(model.parts)
    network = model.build(Architecture.of(trained.architecture), kernels="zeros")
    load_weights(network, trained)
    for layer in network.layers:
        if layer.name.endswith("_score"):  # so sure of some that they get masks
            layer.bias.assign(np.full(layer.bias.shape, np.float32(-1)))
    info = save_weights(network, tmp_path / "sure.npz", trained.manifest | {"name": "sure"})
    x = np.random.default_rng(1).normal(size=(1, 64, 48, CHANNELS)).astype(np.float32)
    (one,) = predictor_of(info).predict(x)
    assert isinstance(one, MaskedPrediction)
    assert isinstance(one.found, MaskedProposals)
    assert len(one.found) > 3
    *_, masks = answers(network, info, x, one.found.boxes[None])
    assert np.allclose(one.found.masks, sigmoid(masks[..., 0]), atol=1e-4)
    least = float(np.median(one.found.scores))
    assert (one.proposals(least).scores >= least).all()


def test_masks_by_bfloat16_are_nearly_those_by_float32(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    network = MODELS["mask-rcnn"].build(SMALL)
    for layer in network.layers:
        if layer.name.endswith("_score"):
            layer.bias.assign(np.zeros(layer.bias.shape, np.float32))
    info = save_weights(network, tmp_path / "mine.npz", {"model": "mask-rcnn", "architecture": SMALL.as_dict()})
    x = np.random.default_rng(1).normal(size=(1, 32, 32, CHANNELS)).astype(np.float32)
    (exact,), (near,) = (predictor_of(replace(info, runtime=one)).predict(x) for one in (TENSORFLOW, BFLOAT16))
    assert near.foreground.dtype == np.float32
    assert exact.foreground.mean() > 0.2, "masks are painted"
    difference = np.abs(near.foreground - exact.foreground)
    assert 0 < difference.mean() < 0.01


def test_features_are_cut_where_the_box_lies() -> None:
    """Of features that hold their own place, those in a box are its places; beyond the edge the last one goes on."""
    from nuset_engine.models.mask_head import STRIDE, RoiAlign

    rows, columns = np.indices((16, 24), np.float32)
    features = (np.stack([rows, columns], axis=-1) + 0.5) * STRIDE  # where the middle of each cell lies
    boxes = np.array([[[8, 12, 36, 40], [50, 8, 90, 22]]], np.float32)
    one, beyond = np.asarray(RoiAlign()([np.stack([features, features + 1000]), np.repeat(boxes, 2, axis=0)]))[:2]
    assert np.allclose(one[:, 0, 0], 8 + 28 * (np.arange(14) + 0.5) / 14, atol=1e-3)
    assert np.allclose(one[0, :, 1], 12 + 28 * (np.arange(14) + 0.5) / 14, atol=1e-3)
    assert beyond[..., 0].max() == pytest.approx(62)


def test_masks_that_are_learned_are_what_is_painted() -> None:
    labels = discs()
    boxes, masks = mask_targets(labels, np.random.default_rng(0))
    real = masks[:, 0, 0] >= 0
    assert (real.sum(), len(masks)) == (3, LEARNED)
    found = MaskedProposals(boxes[real], np.full(3, 0.9, np.float32), masks[real])
    result = MODELS["mask-rcnn"].separated(seen(labels, found), PARAMS)
    scores = evaluate([("a", labels, result.labels)]).overall.iloc[0]
    assert (scores["ap_50"], scores["touching_separated_rate"]) == (1, 1)
    assert scores["seg"] > 0.85
    assert result.scores == pytest.approx([0.93] * 3, abs=0.05)
    together = MODELS["mask-rcnn"].separated(seen(labels, found), replace(PARAMS, watershed=False))
    assert together.labels.max() == 2
    nothing = MODELS["mask-rcnn"].separated(seen(labels, EMPTY), PARAMS)
    assert nothing.labels.max() == len(nothing.scores) == 0


def test_masks_stay_with_their_boxes() -> None:
    boxes = boxes_around()
    masks = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, DRAWN, DRAWN), np.float32)
    found = MaskedProposals(boxes.boxes, boxes.scores[::-1].copy(), masks)
    both = suppress(joined([found.shifted(1, 2), found]), 0.5)
    assert isinstance(both, MaskedProposals)
    assert both.masks[:, 0, 0].tolist() == [2, 1, 0], "best first, and each once"
    assert both.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_pixel_of_two_masks_is_of_the_surer_one(order: list[int]) -> None:
    boxes = np.array([[0, 0, 10, 20], [0, 10, 10, 30]], np.float32)[order]
    masks = np.stack([np.full((DRAWN, DRAWN), value, np.float32) for value in (0.6, 0.9)])[order]
    probability, owner = painted(MaskedProposals(boxes, np.array([0.9, 0.8], np.float32), masks), (10, 25))
    assert np.unique(owner[:, :10]).tolist() == [order.index(0) + 1]
    assert np.unique(owner[:, 10:]).tolist() == [order.index(1) + 1]
    assert probability[0, [0, 24]].tolist() == pytest.approx([0.6, 0.9])


def test_the_u_net_divides_its_mask_by_shape_and_measures_by_its_regions() -> None:
    labels = discs()
    divided = MODELS["unet"].separated(seen(labels, EMPTY), PARAMS)
    assert evaluate([("a", labels, divided.labels)]).overall.iloc[0]["ap_50"] == 1
    assert divided.scores == pytest.approx([0.95] * 3)
    assert MODELS["unet"].separated(seen(labels, EMPTY), replace(PARAMS, watershed=False)).labels.max() == 2
    from nuset_engine.models.unet import boxes_of

    assert boxes_of(seen(labels, EMPTY).foreground, 0.5).diameters == pytest.approx([21, 21, 21], abs=1)
    assert len(boxes_of(seen(labels, EMPTY).foreground, 0.96)) == len(boxes_of(np.zeros((32, 32), np.float32), 0)) == 0


def test_the_papers_design_divides_its_mask_from_the_middles_of_boxes() -> None:
    labels = discs()
    assert (ANCHORS.stride, ANCHORS.count) == (16, 21)
    paper = MODELS["paper"]
    assert (
        evaluate([("a", labels, paper.separated(seen(labels, boxes_around()), PARAMS).labels)]).overall.iloc[0]["ap_50"]
        == 1
    )
    assert paper.separated(seen(labels, EMPTY), PARAMS).labels.max() == 2
    assert paper.separated(seen(labels, boxes_around()), replace(PARAMS, watershed=False)).labels.max() == 2


def test_names_of_models_are_the_same_everywhere_and_others_are_refused(folder: Path, tmp_path: Path) -> None:
    assert tuple(MODELS) == words.MODELS
    assert tuple(AUGMENTATIONS) == words.AUGMENTATION
    assert tuple(trainer._OPTIMIZERS) == words.OPTIMIZERS
    assert all(model.levels == LEVELS for name, model in MODELS.items() if name in ("nuset", "mask-rcnn"))
    with pytest.raises(EngineError, match=r"There is no model 'yolo'; choose one of nuset, unet, paper, mask-rcnn\."):
        model_named("yolo")
    with pytest.raises(EngineError, match="model = 'yolo' is not one of nuset, unet, paper, mask-rcnn"):
        config(folder, tmp_path / "x.npz", model="yolo")
    with pytest.raises(EngineError, match="fluorescence is of the model nuset, so it cannot become a unet"):
        trainer.prepare(config(folder, tmp_path / "x.npz", model="unet", start_from="fluorescence"))
    for changes in ({"mode": "events"}, {"scores": "fitted"}):
        with pytest.raises(EngineError, match="are of the model nuset alone, and this run trains the model unet"):
            trainer.prepare(config(folder, tmp_path / "x.npz", model="unet", **changes))


def test_weights_of_other_models_have_no_int8_twin_and_no_ablation(folder: Path, tmp_path: Path) -> None:
    manifest = {"model": "unet", "architecture": SMALL.as_dict()}
    info = save_weights(MODELS["unet"].build(SMALL, kernels="zeros"), tmp_path / "some.npz", manifest)
    assert without_int8(info) == "the weights some are of the model unet, and only those of nuset have int8 twins"
    with pytest.raises(EngineError, match="int8 twins are made of the model nuset alone"):
        quantise(info, config(folder, tmp_path / "x.npz"))
    segmenter = object.__new__(Segmenter)  # nothing of it is used but its weights' name
    segmenter.weights_info = info
    options = EvaluationOptions(folder / "images", folder / "labels", None, ablation=True)
    with pytest.raises(Exception, match="the weights some are of the model unet: leave it out"):
        _ladder(options, segmenter)
    strange = replace(info, manifest={**info.manifest, "model": "yolo"})
    with pytest.raises(EngineError, match="are of the model 'yolo', which this nusetd does not know"):
        model_of(strange)
    assert model_of(find_weights("fluorescence")).name == "nuset", "of weights that do not say"


@pytest.mark.long
@pytest.mark.parametrize("model", OTHERS, ids=lambda model: model.name)
def test_every_model_learns_one_image(model: Model, folder: Path, tmp_path: Path) -> None:
    run = config(folder, tmp_path / "mine.npz", model=model.name, width=8, steps=250, batch_size=2, crop_px=96)
    info = trainer.train(replace(run, learning_rate=3e-3, augmentation="mild"))
    image = 100 + 400 * (discs() > 0) + np.random.default_rng(0).normal(0, 15, (96, 96))
    found = Segmenter(info.path, SegmentationParams(nucleus_diameter_px=22.0)).segment_plane(image.astype(np.uint16))
    assert evaluate([("a", discs(), found.labels)]).overall.iloc[0]["ap_50"] == 1
