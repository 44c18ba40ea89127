"""The network in float32 and in bfloat16; and what TensorFlow is told of graphics cards, whose list is played."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nuset_engine.errors import EngineError
from nuset_engine.network import as_trained, build_network, computing_in, keras
from nuset_engine.runtime.folding import load_folded
from nuset_engine.runtime.keras_runtime import KerasNetwork
from nuset_engine.runtime.names import BFLOAT16
from nuset_engine.weights import WeightsInfo


def test_bfloat16_is_nearly_float32(small: WeightsInfo) -> None:
    """What comes out is float32 again, and so is what is built later."""
    x = np.random.default_rng(1).normal(size=(2, 32, 48, small.channels)).astype(np.float32)
    exact, quick = (KerasNetwork(weights)(x) for weights in (small, replace(small, runtime=BFLOAT16)))
    assert keras.config.dtype_policy().name == "float32"
    for one, other in zip(exact, quick, strict=True):
        assert other.dtype == np.float32
        difference = np.abs(one - other)
        assert 0 < difference.max() < 0.1 * np.ptp(one)
        assert difference.mean() < 0.01 * np.ptp(one)


def test_float32_stays_so_while_something_else_is_built_in_bfloat16(small: WeightsInfo) -> None:
    with computing_in("bfloat16"):
        network = load_folded(small)
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}


def test_a_fault_while_bfloat16_is_built_leaves_float32_behind(small: WeightsInfo) -> None:
    def build(*sizes: object, folded: bool = False, **more: object) -> keras.Model:
        if folded:
            assert keras.config.dtype_policy().name == "mixed_bfloat16"
            raise MemoryError
        return build_network(*sizes, **more)  # type: ignore[arg-type]

    with pytest.raises(MemoryError):
        KerasNetwork(replace(small, runtime=BFLOAT16), build=build)  # type: ignore[arg-type]
    assert keras.config.dtype_policy().name == "float32"


def test_what_other_programs_want_of_keras_does_not_hold_here() -> None:
    usual = keras.config.epsilon()
    try:
        with as_trained():
            keras.config.set_image_data_format("channels_first")
            keras.config.set_floatx("float16")
            keras.config.set_epsilon(0.5)
        found = keras.config.image_data_format(), keras.config.floatx(), keras.config.epsilon()
        assert found == ("channels_last", "float32", usual)
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(usual)


def test_a_backend_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with (
        pytest.raises(EngineError, match=r"KERAS_BACKEND is 'torch' .* \(No module named 'torch'\): take it out"),
        as_trained(),
    ):
        raise ImportError("No module named 'torch'")


@pytest.mark.parametrize(("gigabytes", "megabytes"), [(4.0, 4096), (0.5, 512)])
def test_a_limit_is_set_for_each_card_before_it_is_used(
    monkeypatch: pytest.MonkeyPatch, gigabytes: float, megabytes: int
) -> None:
    tf = pytest.importorskip("tensorflow")
    from nuset_engine.runtime.keras_runtime import limit_memory

    cards = [tf.config.PhysicalDevice(f"/physical_device:GPU:{number}", "GPU") for number in (0, 1)]
    told = dict[str, list[float]]()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: cards if kind == "GPU" else [])
    monkeypatch.setattr(
        tf.config,
        "set_logical_device_configuration",
        lambda card, parts: told.update({card.name: [part.memory_limit for part in parts]}),
    )
    limit_memory(gigabytes)
    assert told == {card.name: [megabytes] for card in cards}
