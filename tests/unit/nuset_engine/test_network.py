"""The network's shapes, its folded twin, its weights at rest, and its losses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nuset_engine.anchors import LEVELS
from nuset_engine.errors import EngineError
from nuset_engine.models.losses import pixel_losses, proposal_losses, total_loss
from nuset_engine.models.registry import predictor_of
from nuset_engine.network import Architecture, build_network, keras
from nuset_engine.planes.normalize import CHANNELS
from nuset_engine.runtime.folding import folded_network
from nuset_engine.training.dataset import CropSampler
from nuset_engine.weights import WeightsInfo, find_weights, load_weights, save_weights, shipped_weights

SMALL = Architecture((4, 8, 8, 8, 8), 8)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A small network whose normalisation layers have seen something."""
    keras.utils.set_random_seed(0)
    network = build_network(SMALL)
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if "_norm" in layer.name:
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return network


@pytest.fixture(scope="module")
def folded(network: keras.Model) -> keras.Model:
    """Its twin for inference."""
    return folded_network(network, SMALL)


@pytest.fixture
def stored(network: keras.Model, tmp_path: Path) -> WeightsInfo:
    """Its weights in a file."""
    return save_weights(network, tmp_path / "small.npz", {"architecture": SMALL.as_dict()})


def test_answers_have_the_promised_shapes(network: keras.Model) -> None:
    maps, *heads = network(np.zeros((2, 64, 48, CHANNELS), np.float32))
    assert maps.shape == (2, 64, 48, 2)
    assert [tuple(h.shape) for h in heads] == [(2, 64 // lv.stride, 48 // lv.stride, 5 * lv.count) for lv in LEVELS]


@pytest.mark.parametrize("shape", [(64, 64), (16, 48)])
def test_the_twin_for_inference_is_the_same_function(
    network: keras.Model, folded: keras.Model, shape: tuple[int, int]
) -> None:
    x = np.random.default_rng(1).normal(size=(1, *shape, CHANNELS)).astype(np.float32)
    assert not any("norm" in layer.name or "double" in layer.name for layer in folded.layers)
    for one, other in zip(network(x, training=False), folded(x), strict=True):
        assert np.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("quick", [False, True])
def test_a_network_that_is_to_be_filled_draws_nothing(quick: bool) -> None:
    empty = build_network(SMALL, folded=quick, kernels="zeros")
    kernels = [np.asarray(layer.kernel) for layer in empty.layers if hasattr(layer, "kernel")]
    assert len(kernels) > 20
    assert not any(kernel.any() for kernel in kernels)


def test_weights_survive_the_file_as_float16(network: keras.Model, stored: WeightsInfo) -> None:
    again = build_network(SMALL, kernels="zeros")
    load_weights(again, find_weights(stored.path))
    for one, other in zip(network.get_weights(), again.get_weights(), strict=True):
        assert np.allclose(one, other, rtol=1e-3, atol=1e-6)
    with np.load(stored.path) as arrays:
        assert arrays["encoder1_conv1/kernel"].dtype == np.float16


def test_damaged_weights_are_refused(stored: WeightsInfo) -> None:
    with stored.path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(EngineError, match="not the file that its manifest describes"):
        find_weights(stored.path)


def test_missing_weights_name_the_shipped_ones() -> None:
    with pytest.raises(EngineError, match=r"no weights 'fluoresence'.*fluorescence"):
        find_weights("fluoresence")


def test_a_manifest_that_is_none_is_refused(stored: WeightsInfo) -> None:
    stored.path.with_suffix(".json").write_text("[]")
    with pytest.raises(EngineError, match="no manifest"):
        find_weights(stored.path)


def test_weights_may_name_others_for_single_planes(network: keras.Model, stored: WeightsInfo, tmp_path: Path) -> None:
    """What identifies them changes with either file."""
    manifest = {"architecture": SMALL.as_dict(), "single_planes": "small"}
    save_weights(network, tmp_path / "both.npz", manifest)
    both = find_weights(tmp_path / "both.npz")
    assert both.single_planes == find_weights(stored.path)
    seen = {stored.sha256, json.loads((tmp_path / "both.json").read_text())["sha256"], both.sha256}
    save_weights(build_network(SMALL, kernels="zeros"), stored.path, {"architecture": SMALL.as_dict()})
    seen.add(find_weights(both.path).sha256)
    assert len(seen) == 3, "the two files hold the same arrays at first"
    stored.path.unlink()
    with pytest.raises(EngineError, match=r"There are no weights .*small"):
        find_weights(both.path)


def test_a_path_without_its_ending_is_answered_with_the_whole_of_it(
    stored: WeightsInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stored.path.parent)
    with pytest.raises(EngineError, match=r"There are no weights 'small': where small\.npz is meant, give that"):
        find_weights("small")


def test_weights_of_another_network_are_refused(stored: WeightsInfo) -> None:
    with pytest.raises(EngineError, match="does not fit"):
        load_weights(build_network(Architecture((4, 8, 8, 8, 16), 8), kernels="zeros"), stored)


@pytest.mark.parametrize("name", shipped_weights())
def test_shipped_weights_are_whole_and_say_what_made_them(name: str) -> None:
    info = find_weights(name)
    assert info.path.stat().st_size < 40e6
    assert {"architecture", "recipe", "scores", "licence", "data"} <= set(info.manifest)
    assert "/" not in json.dumps(info.manifest["recipe"])


def test_prediction_has_the_shape_of_its_input(stored: WeightsInfo) -> None:
    predictor = predictor_of(stored)
    for shape in ((16, 16), (17, 33), (250, 100)):
        (found,) = predictor.predict(np.zeros((1, *shape, CHANNELS), np.float32))
        assert found.foreground.shape == found.ridge.shape == shape
        assert 0 <= found.foreground.min() <= found.foreground.max() <= 1


def test_perfect_answers_have_almost_no_loss_and_wrong_ones_have_some() -> None:
    _, targets = CropSampler([], seed=3, crop_px=64).batch(2)
    pixels, classes, boxes = targets[0], targets[1::2], targets[2::2]
    sure = np.where(pixels[..., 0] > 0.5, 20.0, -20.0)
    ridge = np.log(np.clip(pixels[..., 1], 1e-6, 1 - 1e-6) / (1 - np.clip(pixels[..., 1], 1e-6, 1 - 1e-6)))
    maps = np.stack([sure, ridge], axis=-1).astype(np.float32)
    heads = [
        np.concatenate([np.where(c > 0.5, 20.0, -20.0), b], axis=-1).astype(np.float32)
        for c, b in zip(classes, boxes, strict=True)
    ]
    right = {n: float(v) for n, v in (pixel_losses(pixels, maps) | proposal_losses(classes, boxes, heads)).items()}
    assert all(abs(value) < 0.02 for value in right.values()), right
    wrong = pixel_losses(pixels, -maps) | proposal_losses(classes, boxes, [-h for h in heads])
    assert all(float(wrong[name]) > right[name] + 0.1 for name in ("bce", "dice", "distance", "rpn_class"))
    assert float(total_loss(wrong)) > float(total_loss(right))
