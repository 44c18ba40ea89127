"""Small weights and their int8 twin, made once for the tests of this folder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from nuset_engine.network import Architecture, build_network, keras
from nuset_engine.weights import WeightsInfo, save_weights

ARCHITECTURE = Architecture((6, 8, 8, 12, 16), 8)
CHANNELS = 3


def random_network(channels: int = CHANNELS) -> keras.Model:
    """A network with random weights, its normalisations included."""
    keras.utils.set_random_seed(0)
    network = build_network(ARCHITECTURE, channels)
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if "_norm" in layer.name:
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return network


@pytest.fixture(scope="session")
def openvino() -> None:
    """OpenVINO, or the reason why not."""
    if find_spec("openvino") is None:
        pytest.skip("openvino is not installed (pip install openvino); it is among the dependencies on x86_64")


@pytest.fixture
def small(tmp_path: Path) -> WeightsInfo:
    """Random weights in a file."""
    return save_weights(
        random_network(), tmp_path / "small.npz", {"architecture": ARCHITECTURE.as_dict(), "channels": CHANNELS}
    )
