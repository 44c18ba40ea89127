"""The same code on Keras's JAX backend: the shipped weights answer as on TensorFlow, and training learns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nuset_engine.models.registry import predictor_of
from nuset_engine.planes.normalize import CHANNELS, normalize, whole_image_statistics
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.weights import find_weights

pytest.importorskip("jax", reason="JAX is not installed (pip install jax); it is among the packages for tests")
pytest.importorskip("tensorflow")

PREDICT = """
import sys
import numpy as np
from nuset_engine.network import keras
from nuset_engine.models.registry import predictor_of
from nuset_engine.weights import find_weights
assert keras.backend.backend() == "jax"
(found,) = predictor_of(find_weights("fluorescence")).predict(np.load(sys.argv[1])[None])
np.savez(sys.argv[2], found.foreground, found.ridge, *found.heads)
"""
TRAIN = """
import sys
from pathlib import Path
from nuset_engine.network import keras
from nuset_engine.training.trainer import TrainingConfig, train
assert keras.backend.backend() == "jax"
run = TrainingConfig(None, None, Path(sys.argv[1]), width=4, steps=30, batch_size=2, crop_px=64)
print(train(run, every=10).manifest["backend"])
"""


QUICK = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"  # compiling takes most of the time
)


def on_jax(program: str, *arguments: Path) -> str:
    """Run a program in a process of its own, since a backend is chosen once per process; its standard output."""
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": QUICK}
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.long  # JAX compiles for a while; `.ci/run` runs it once
def test_shipped_weights_answer_as_on_tensorflow(tmp_path: Path) -> None:
    drawn, _ = synthetic_image(np.random.default_rng(0), SyntheticParams(size_px=96))
    image = normalize(drawn[:64, :80], whole_image_statistics(drawn))
    np.save(tmp_path / "image.npy", image)
    on_jax(PREDICT, tmp_path / "image.npy", tmp_path / "jax.npz")
    (here,) = predictor_of(find_weights("fluorescence")).predict(image[None])
    with np.load(tmp_path / "jax.npz") as there:
        assert np.ptp(here.foreground) > 0.5, "an answer that is the same everywhere would compare nothing"
        for ours, name in zip([here.foreground, here.ridge, *here.heads], there.files, strict=True):
            assert np.allclose(ours, there[name], atol=2e-3 * max(1.0, float(np.abs(ours).max())))


@pytest.mark.long  # JAX compiles a step of training for most of a minute
def test_training_learns_and_says_its_backend(tmp_path: Path) -> None:
    assert on_jax(TRAIN, tmp_path / "jax.npz") == "jax"
    rows = (tmp_path / "jax.history.csv").read_text().splitlines()
    column = rows[0].split(",").index("validation_loss")
    losses = [float(row.split(",")[column]) for row in rows[1:]]
    assert losses[0] > losses[1] > losses[2]
    (found,) = predictor_of(find_weights(tmp_path / "jax.npz")).predict(np.zeros((1, 64, 64, CHANNELS), np.float32))
    assert np.isfinite(found.foreground).all()
