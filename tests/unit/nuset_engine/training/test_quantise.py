"""The int8 twin of a user's own weights, made by the command, and refused where it would not answer as they do."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cases.signal_stack import signal_stack

from daemon.cli import main
from nuset_engine.errors import EngineError
from nuset_engine.models.registry import predictor_of
from nuset_engine.network import Architecture, build_network, keras
from nuset_engine.runtime.choice import read_by, without_int8
from nuset_engine.runtime.folding import load_folded
from nuset_engine.runtime.names import OPENVINO
from nuset_engine.runtime.openvino_graph import openvino_model
from nuset_engine.runtime.openvino_runtime import Int8Network
from nuset_engine.training import quantise as module
from nuset_engine.training.config import TrainingConfig
from nuset_engine.training.quantise import Deviation, quantise
from nuset_engine.weights import WeightsInfo, find_weights, int8_path, save_weights, write_manifest

SMALL = Architecture((4, 8, 8, 8, 8), 8)

pytestmark = pytest.mark.skipif(
    find_spec("nncf") is None, reason="nncf is not installed (pip install nncf); it is among the packages for tests"
)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Small and untrained."""
    keras.utils.set_random_seed(0)
    network = build_network(SMALL)
    kernel, _ = network.get_layer("maps").get_weights()
    network.get_layer("maps").set_weights([kernel, np.array([-2.0, 0.0])])  # untrained, every pixel is undecided
    return network


@pytest.fixture
def mine(network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsInfo:
    """A user's weights, and ranges measured on few crops."""
    monkeypatch.setattr(module, "CROPS", 4)
    monkeypatch.setattr(module, "COMPARED", 2)
    return save_weights(network, tmp_path / "mine.npz", {"architecture": SMALL.as_dict()})


@pytest.mark.long  # a calibration; `.ci/run` runs it once
def test_the_command_makes_the_twin_of_a_users_weights(mine: WeightsInfo, capsys: pytest.CaptureFixture[str]) -> None:
    Int8Network(openvino_model(load_folded(mine)))  # the one core of this process has its stack
    before = signal_stack()
    assert main(["train", "--quantise", str(mine.path)]) == 0
    assert signal_stack() == before, "the cores of nncf are gone, and their stacks with them"
    assert "mine in int8" in capsys.readouterr().out
    found = find_weights(mine.path)
    assert found.int8 is not None
    found.int8.check()
    made = found.manifest["int8"]
    assert (made["crops"], made["images"], made["mode"]) == (4, None, "nuclei")
    assert found.sha256 == mine.sha256, "float32 stays what it was"
    assert not list(mine.path.parent.glob("*.partial"))
    if without_int8(found) is None:
        inputs = np.random.default_rng(0).normal(size=(1, 32, 32, found.channels)).astype(np.float32)
        exact, quick = (predictor_of(each).predict(inputs)[0] for each in (found, read_by(found, OPENVINO)))
        assert 0 < np.abs(exact.foreground - quick.foreground).mean() < 0.01


def leave_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A twin that computes in float32 after all, which takes no time to make; it is off by rounding alone."""
    monkeypatch.setattr(module, "_quantised", lambda nncf, model, crops: model)


def test_a_twin_that_answers_otherwise_is_refused_and_nothing_is_written(
    mine: WeightsInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALLOWED", Deviation(1.0, 1.0, 1e-12, 1.0))
    leave_as_it_is(monkeypatch)
    before = mine.path.with_suffix(".json").read_bytes()
    with pytest.raises(EngineError, match=r"too differently from float32 \(distance .*, at most 1e-12\): it stays"):
        quantise(mine, TrainingConfig(None, None, mine.path))
    assert mine.path.with_suffix(".json").read_bytes() == before
    assert not int8_path(mine.path).exists()


def test_training_anew_to_the_same_file_leaves_no_twin_of_the_weights_before(
    mine: WeightsInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_as_it_is(monkeypatch)
    quantise(mine, TrainingConfig(None, None, mine.path))
    assert "int8" in json.loads(mine.path.with_suffix(".json").read_text())
    again = save_weights(build_network(SMALL), mine.path, {"architecture": SMALL.as_dict()})
    assert find_weights(again.path).int8 is None
    assert not int8_path(mine.path).exists()


def test_the_command_leaves_shipped_weights_alone_and_refuses_what_would_say_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--quantise", "fluorescence"]) == 2
    assert "fluorescence has its int8 twin, and stays as it ships: copy" in capsys.readouterr().err
    assert main(["train", "--quantise", "mine.npz", "--steps", "5", "--from-corrections", "embryo"]) == 2
    assert "so --steps and --from-corrections would say nothing" in capsys.readouterr().err


def test_ranges_are_measured_on_what_the_weights_learned(mine: WeightsInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops of events are normalised otherwise."""
    modes = []
    monkeypatch.setattr(module, "quantise", lambda weights, config, _: modes.append(config.mode) or asked)
    asked = SimpleNamespace(name="mine", int8=SimpleNamespace(sha256="0", path=mine.path))
    assert main(["train", "--quantise", str(mine.path)]) == 0
    learned = {"architecture": SMALL.as_dict(), "recipe": {"mode": "events"}}
    write_manifest(mine.path, {**mine.manifest, **learned})
    assert main(["train", "--quantise", str(mine.path)]) == 0
    assert main(["train", "--quantise", str(mine.path), "--mode", "nuclei"]) == 0
    assert modes == ["nuclei", "events", "nuclei"]
