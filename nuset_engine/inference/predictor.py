"""The trained network, ready to predict, by whichever runtime its weights were chosen to be read with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nuset_engine.anchors import LEVELS, AnchorLevel
from nuset_engine.arrays import HeadYXK, InputsNYXC, PlaneF32, TensorF32
from nuset_engine.inference.maps import PlaneMaps, Separated
from nuset_engine.inference.proposals import Proposals, decode_heads
from nuset_engine.params import SegmentationParams
from nuset_engine.runtime.names import OPENVINO
from nuset_engine.weights import WeightsInfo

if TYPE_CHECKING:
    from nuset_engine.network import Build


@dataclass(frozen=True)
class Prediction:
    """What the network says of one input.

    Attributes
    ----------
    foreground : (Y, X) float32
        Probability that a pixel belongs to a nucleus.
    ridge : (Y, X) float32
        Predicted distance to the nucleus' own border, 0 at the border and 1 in its middle.
    heads : tuple of (h, w, A * 5) float32, one per anchor level
        Score logits and box offsets.
    levels : tuple of AnchorLevel
        Whose anchors these are.
    """

    foreground: PlaneF32
    ridge: PlaneF32
    heads: tuple[HeadYXK, ...]
    levels: tuple[AnchorLevel, ...] = LEVELS

    def proposals(self, min_score: float) -> Proposals:
        """Boxes with at least this score, best first, none suppressed."""
        return decode_heads(self.heads, min_score, self.levels)


ReadBatch = Callable[[InputsNYXC], list[Prediction]]
"""What a network says of each input of a batch, whose sides are multiples of its largest stride."""


class Method(Protocol):
    """How weights of one kind are read, and how what they say becomes nuclei."""

    def read(self, weights: WeightsInfo, threads: int | None) -> ReadBatch:
        """The network, ready to run."""
        ...

    def separated(self, maps: PlaneMaps, params: SegmentationParams) -> Separated:
        """Nuclei from maps."""
        ...


class Network(Protocol):
    """A runtime with the weights in it."""

    def __call__(self, inputs: InputsNYXC) -> list[TensorF32]:
        """Answers to a batch.

        Parameters
        ----------
        inputs : (N, Y, X, C) float32
            Sides are multiples of the network's largest stride.

        Returns
        -------
        list of arrays
            (N, Y, X, 1 or 2) float32 foreground probability and, where there is one, distance map; then the heads of
            each anchor level.
        """
        ...


def load_network(weights: WeightsInfo, threads: int | None, build: Build) -> Network:
    """The network in the runtime that the weights name; what that needs is imported here."""
    if weights.runtime == OPENVINO:
        from nuset_engine.runtime.openvino_runtime import load_int8

        return load_int8(weights, threads)
    from nuset_engine.runtime.keras_runtime import KerasNetwork

    return KerasNetwork(weights, threads, build)


def predictions(outputs: Sequence[TensorF32], levels: tuple[AnchorLevel, ...]) -> list[Prediction]:
    """What a `Network` answered, input by input; where it has no distance map, the probability stands for it."""
    maps, *heads = outputs
    return [
        Prediction(maps[i, ..., 0], maps[i, ..., -1], tuple(head[i] for head in heads), levels)
        for i in range(len(maps))
    ]


class Predictor:
    """A network with its weights, ready to predict.

    Parameters
    ----------
    weights : WeightsInfo
        Read in float32, or as `runtime.choice.read_by` says.
    method : Method
        That of the weights, see `models.registry.predictor_of`.
    threads : int, optional
        Cores to use; all of them where not given.
    """

    def __init__(self, weights: WeightsInfo, method: Method, threads: int | None = None) -> None:
        self.weights, self.separated = weights, method.separated
        self._stride = 2 ** (len(weights.architecture["filters"]) - 1)
        self._read = method.read(weights, threads)

    @property
    def channels(self) -> int:
        """Channels of the input, see `normalize.normalize`."""
        return self.weights.channels

    def padded(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width of a plane of this shape as it is shown: multiples of the largest stride."""
        return _padded(shape[0], self._stride), _padded(shape[1], self._stride)

    def predict(self, inputs: InputsNYXC) -> list[Prediction]:
        """Predict a batch.

        Parameters
        ----------
        inputs : (N, Y, X, C) float32
            Any size; edges are mirrored up to the next multiple of the largest stride and cut again.

        Returns
        -------
        list of Prediction, one per input; maps of the input's shape, heads covering the padded one
        """
        height, width = inputs.shape[1:3]
        return [
            replace(one, foreground=one.foreground[:height, :width], ridge=one.ridge[:height, :width])
            for one in self._read(_pad(inputs, self._stride))
        ]


def _pad(inputs: InputsNYXC, stride: int) -> InputsNYXC:
    """Mirror the lower and right edges up to multiples of a stride."""
    edges = [_padded(n, stride) - n for n in inputs.shape[1:3]]
    if not any(edges):
        return inputs
    return np.pad(inputs, ((0, 0), (0, edges[0]), (0, edges[1]), (0, 0)), mode="symmetric")


def _padded(edge: int, step: int) -> int:
    """The next multiple of a step."""
    return edge + (-edge) % step
