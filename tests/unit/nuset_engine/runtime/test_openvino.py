"""The network built of OpenVINO's operations is the one that Keras computes; int8 stays within stated bounds of it."""

from __future__ import annotations

import gc
import hashlib
import json
import os
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.signal_stack import signal_stack

from nuset_engine.errors import EngineError
from nuset_engine.models.registry import predictor_of
from nuset_engine.network import keras
from nuset_engine.planes.normalize import normalize, whole_image_statistics
from nuset_engine.runtime.folding import load_folded
from nuset_engine.runtime.keras_runtime import KerasNetwork
from nuset_engine.runtime.openvino_graph import OPERATIONS, openvino_model, phases_kernel
from nuset_engine.runtime.openvino_runtime import Int8Network, load_int8
from nuset_engine.runtime.silent_openvino import import_silently
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.training.config import TrainingConfig
from nuset_engine.training.examples import samplers
from nuset_engine.training.quantise import ALLOWED, deviation
from nuset_engine.weights import WeightsInfo, find_weights, shipped_weights

pytestmark = pytest.mark.usefixtures("openvino")
TWINS = [name for name in shipped_weights() if find_weights(name).int8 is not None]


def test_in_float32_it_is_the_same_function(small: WeightsInfo) -> None:
    model = openvino_model(load_folded(small))
    by_keras, by_openvino = KerasNetwork(small), Int8Network(model)
    assert model.input(0).partial_shape[3] == small.channels, "what is written to a file later stays as it is"
    for shape in ((1, 64, 64), (2, 16, 48)):
        x = np.random.default_rng(1).normal(size=(*shape, small.channels)).astype(np.float32)
        exact, rebuilt = by_keras(x), by_openvino(x)
        assert [part.shape for part in exact] == [part.shape for part in rebuilt]
        for one, other in zip(exact, rebuilt, strict=True):
            assert np.ptp(one) > 0.01, "an answer that is the same everywhere would compare nothing"
            assert np.allclose(one, other, atol=1e-5 * max(1.0, float(np.abs(one).max())))


def test_a_transposed_convolution_is_a_convolution_whose_channels_are_spread() -> None:
    rng = np.random.default_rng(0)
    kernel, coarse = rng.normal(size=(4, 4, 3, 5)), rng.normal(size=(1, 6, 7, 5))
    wanted = keras.ops.conv_transpose(coarse, kernel, strides=2, padding="same")
    wide = np.asarray(keras.ops.conv(coarse, phases_kernel(kernel), padding="same")).reshape(6, 7, 2, 2, 3)
    assert np.allclose(wide.transpose(0, 2, 1, 3, 4).reshape(1, 12, 14, 3), wanted, atol=1e-5)


def test_layers_that_it_does_not_know_are_refused() -> None:
    image = keras.Input((None, None, 2))
    pooled = keras.layers.AveragePooling2D(2, name="mean")(image)
    with pytest.raises(EngineError, match=r"layer mean \(AveragePooling2D\) has no counterpart"):
        openvino_model(keras.Model(image, [pooled]))
    strided = keras.layers.Conv2D(2, 3, strides=2, padding="same", name="stride")(image)
    with pytest.raises(EngineError, match="layer stride is no convolution"):
        openvino_model(keras.Model(image, [strided]))


@pytest.mark.parametrize(
    "name", [TWINS[0], *(pytest.param(name, marks=pytest.mark.long) for name in TWINS[1:])]
)  # `.ci/run` runs all
def test_shipped_twins_answer_as_their_weights(name: str) -> None:
    """On synthetic crops of every kind, those with confocal slices among them, in both normalisations."""
    weights = find_weights(name)
    config = TrainingConfig(None, None, Path("unused.npz"), mode=weights.manifest["int8"]["mode"], crop_px=128)
    sampler, _ = samplers(config, 7, [], [])
    found = deviation(
        KerasNetwork(weights), load_int8(weights), [sampler.batch(1)[0][..., : weights.channels] for _ in range(6)]
    )
    assert all(value <= allowed for value, allowed in zip(astuple(found), astuple(ALLOWED), strict=True)), found
    assert found.foreground > 0, "the same numbers would mean that int8 was not run"


def test_answers_do_not_depend_on_what_was_seen_before() -> None:
    twin = load_int8(find_weights(TWINS[0]))
    drawn, _ = synthetic_image(np.random.default_rng(0), SyntheticParams(size_px=128))
    image = normalize(drawn, whole_image_statistics(drawn))[None]
    image = np.concatenate([image] * -(-find_weights(TWINS[0]).channels // image.shape[-1]), axis=-1)
    first = twin(image[:, :64, :96])
    twin(image)
    twin(np.concatenate([image[:, :64, :96]] * 3))
    for one, other in zip(first, twin(image[:, :64, :96]), strict=True):
        assert np.array_equal(one, other)
    alone = load_int8(find_weights(TWINS[0]), threads=1)(image[:, :64, :96])
    for one, other in zip(first, alone, strict=True):
        assert np.array_equal(one, other), "as many threads as there are"


def test_a_file_that_openvino_does_not_understand_is_refused(small: WeightsInfo, tmp_path: Path) -> None:
    twin = tmp_path / "small.int8.npz"
    for arrays, message in (({"a": np.zeros(3)}, "no int8 twin"), (_nonsense(), "does not understand")):
        np.savez(twin, allow_pickle=False, **arrays)
        manifest = {**small.manifest, "int8": {"sha256": hashlib.sha256(twin.read_bytes()).hexdigest()}}
        small.path.with_suffix(".json").write_text(json.dumps(manifest))
        with pytest.raises(EngineError, match=message):
            load_int8(find_weights(small.path))


def _nonsense() -> dict[str, np.ndarray]:
    return {"graph": np.frombuffer(b"<net>", np.uint8), "constants": np.zeros(4, np.uint8)}


def test_prediction_has_the_shape_of_its_input() -> None:
    weights = replace(find_weights(TWINS[0]), runtime="openvino")
    predictor = predictor_of(weights)
    for shape in ((16, 16), (17, 33), (250, 100)):
        (found,) = predictor.predict(np.zeros((1, *shape, weights.channels), np.float32))
        assert found.foreground.shape == found.ridge.shape == shape
        assert 0 <= found.foreground.min() <= found.foreground.max() <= 1


def smallest_model() -> Any:
    """What keeps above 0."""
    ov, op = import_silently("openvino"), import_silently(OPERATIONS)
    image = op.parameter([1, 4, 4, 1], np.float32)
    return ov.Model([op.relu(image)], [image], "smallest")


def test_networks_that_come_and_go_leave_signals_a_stack_that_is_there() -> None:
    """Two with a core each would set a stack each, and where the first ends first, leave its own, which is freed."""
    first = Int8Network(smallest_model())
    before = signal_stack()
    second = Int8Network(smallest_model())
    assert signal_stack() == before
    del first
    gc.collect()
    del second
    gc.collect()
    assert signal_stack() == before


@pytest.mark.long  # `.ci/run` runs it once
def test_planes_of_ever_new_sizes_do_not_fill_the_memory() -> None:
    """What OpenVINO prepares for each size is forgotten again: 200 MiB would be kept of these, and are not."""
    weights = find_weights(TWINS[0])
    twin = load_int8(weights)
    sizes = [(16 * high, 16 * wide) for high in range(1, 7) for wide in range(1, 11)]
    for size in sizes[:25]:
        twin(np.zeros((1, *size, weights.channels), np.float32))
    before = _resident_mib()
    for size in sizes[25:]:
        twin(np.zeros((1, *size, weights.channels), np.float32))
    assert _resident_mib() - before < 120


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
