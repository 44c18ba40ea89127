"""The int8 twin of weights, made from crops as the network meets them in training; it must answer as they do.

Ranges of every layer's values are measured on crops normalised as in the coarse and in the fine pass (Jacob et al.
2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference"), by `nncf`, which
is needed for nothing else.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from types import ModuleType
from typing import Any

import numpy as np

from nuset_engine.anchors import LEVELS
from nuset_engine.arrays import HeadYXK, InputsNYXC, InputYXC, ScoresN, TensorF32
from nuset_engine.errors import EngineError
from nuset_engine.inference.predictor import Network
from nuset_engine.runtime.folding import load_folded
from nuset_engine.runtime.int8_file import save_int8
from nuset_engine.runtime.keras_runtime import KerasNetwork
from nuset_engine.runtime.openvino_graph import openvino_model
from nuset_engine.runtime.openvino_runtime import Int8Network
from nuset_engine.runtime.silent_openvino import import_silently
from nuset_engine.training.config import TrainingConfig
from nuset_engine.training.examples import load_examples, samplers
from nuset_engine.weights import NUSET, WeightsInfo

CROPS = 96  # that ranges are measured on
COMPARED = 16  # other crops, on which both are compared


@dataclass(frozen=True)
class Deviation:
    """How int8 differs from float32, on crops that its ranges were not measured on.

    Attributes
    ----------
    foreground : float
        Mean difference of the foreground probability.
    decided_otherwise : float
        Share of the pixels that lie on the other side of a probability of 0.5.
    distance : float
        Mean difference of the distance map.
    score : float
        Mean difference of the scores of proposals.
    """

    foreground: float
    decided_otherwise: float
    distance: float
    score: float


ALLOWED = Deviation(foreground=0.005, decided_otherwise=0.005, distance=0.01, score=0.005)


def quantise(weights: WeightsInfo, config: TrainingConfig, note: Callable[[str], None] = lambda _: None) -> WeightsInfo:
    """Make the int8 twin of weights and write it beside them.

    Parameters
    ----------
    weights : WeightsInfo
        From `find_weights`.
    config : TrainingConfig
        Says which images the crops are from, and of which kind; synthetic ones alone where it names none.
    note : callable
        Gets a sentence now and then.

    Raises
    ------
    EngineError
        If the weights are of another model than NuSeT, `nncf` is missing, or int8 would answer too differently.
    """
    if weights.model != NUSET:
        raise EngineError(
            f"{weights.name} is of the model {weights.model}: int8 twins are made of the model {NUSET} alone, and "
            "TensorFlow computes the others."
        )
    nncf = import_silently("nncf")
    examples, _ = load_examples(config, note)
    sampler, _ = samplers(config, 0, examples, [])
    crops = [sampler.batch(1)[0][..., : weights.channels] for _ in range(CROPS + COMPARED)]
    note(f"measuring the ranges of all layers on {CROPS} crops")
    model = _quantised(nncf, openvino_model(load_folded(weights)), crops[:CROPS])
    found = deviation(KerasNetwork(weights), Int8Network(model), crops[CROPS:])
    faults = [
        f"{name} {value:.3g}, at most {allowed:g}"
        for (name, value), allowed in zip(asdict(found).items(), astuple(ALLOWED), strict=True)
        if not value <= allowed
    ]
    if faults:
        raise EngineError(
            f"{weights.name} in int8 would answer too differently from float32 ({'; '.join(faults)}): it stays in "
            "float32. Give images like yours with --images and --labels, so that ranges are measured on them."
        )
    made = {"nncf": nncf.__version__, "crops": CROPS, "images": config.recipe()["images"], "mode": config.mode}
    return save_int8(model, weights, {**made, "deviation": {k: round(v, 6) for k, v in asdict(found).items()}})


def _quantised(nncf: ModuleType, model: Any, crops: Sequence[InputYXC]) -> Any:
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        return nncf.quantize(
            model,
            nncf.Dataset(crops),
            subset_size=len(crops),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            fast_bias_correction=False,  # the fast one leaves more than twice the deviation, on stained tissue
        )


def deviation(exact: Network, quick: Network, inputs: Sequence[InputsNYXC]) -> Deviation:
    """How the answers of `quick` differ from those of `exact`, on inputs (N, Y, X, C) of equal size."""
    rows = [_differences(exact(part), quick(part)) for part in inputs]
    return Deviation(*(float(value) for value in np.mean(rows, axis=0)))


def _differences(one: Sequence[TensorF32], two: Sequence[TensorF32]) -> tuple[float, float, float, float]:
    (maps, *heads), (others, *other_heads) = one, two
    apart = np.abs(maps - others).mean(axis=(0, 1, 2))
    decided = ((maps[..., 0] > 0.5) != (others[..., 0] > 0.5)).mean()
    scores = [_scores(heads), _scores(other_heads)]
    return apart[0], decided, apart[1], np.abs(scores[0] - scores[1]).mean()


def _scores(heads: Sequence[HeadYXK]) -> ScoresN:
    """Scores (N,) of all anchors."""
    logits = [head[..., : level.count].ravel() for level, head in zip(LEVELS, heads, strict=True)]
    scores: ScoresN = np.divide(1, 1 + np.exp(-np.concatenate(logits)))
    return scores
