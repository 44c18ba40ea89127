"""What is asked of every kind of network: how it is built, what it learns, how its answers become nuclei."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nuset_engine.anchors import LEVELS, AnchorLevel
from nuset_engine.arrays import InputsNYXC, LabelsYX, TensorF32
from nuset_engine.inference.maps import PlaneMaps, Separated
from nuset_engine.inference.predictor import ReadBatch, load_network, predictions
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.normalize import CHANNELS
from nuset_engine.weights import WeightsInfo

if TYPE_CHECKING:
    from nuset_engine.network import Architecture, keras

Losses = dict[str, Any]
"""Tensors of one number by the names of `Model.parts`."""


class Model(ABC):
    """A kind of network; it is a `predictor.Method` too.

    Attributes
    ----------
    name : str
        What manifests and `nusetd train --model` call it.
    levels : tuple of AnchorLevel
        Where it proposes boxes; empty where it proposes none.
    parts : tuple of str
        Names of its losses, keys of `losses.LOSS_WEIGHTS`.
    seeded : bool
        Whether a foreground is divided from the seeds of proposals, which `evaluation.ablation` takes apart.
    """

    name: ClassVar[str]
    levels: ClassVar[tuple[AnchorLevel, ...]] = LEVELS
    parts: ClassVar[tuple[str, ...]] = ("bce", "dice", "rpn_class", "rpn_box")
    seeded: ClassVar[bool] = True

    @abstractmethod
    def build(
        self,
        architecture: Architecture | None = None,
        channels: int = CHANNELS,
        folded: bool = False,
        kernels: str = "glorot_uniform",
    ) -> keras.Model:
        """The untrained network, see `network.build_network`."""

    @abstractmethod
    def losses(self, targets: Sequence[Any], outputs: Sequence[Any]) -> Losses:
        """Losses of a batch; targets come as `dataset.collate` orders them, for the levels of this model."""

    @abstractmethod
    def separated(self, maps: PlaneMaps, params: SegmentationParams) -> Separated:
        """Nuclei from maps."""

    def read(self, weights: WeightsInfo, threads: int | None) -> ReadBatch:
        """The network with its weights, ready to run."""
        network = load_network(weights, threads, self.build)
        return lambda inputs: predictions(network(inputs), self.levels)

    def regions(self, labels: LabelsYX, rng: np.random.Generator) -> tuple[TensorF32, ...]:
        """What it learns of a crop's labels (Y, X) besides pixels and anchors."""
        del labels, rng
        return ()

    def inputs(self, images: InputsNYXC, targets: Sequence[TensorF32]) -> InputsNYXC | list[TensorF32]:
        """What the network is given of a batch while it learns."""
        del targets
        return images

    def of_anchors(self, targets: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Classes and boxes among the targets of a batch, one of each per level."""
        end = 1 + 2 * len(self.levels)
        return targets[1:end:2], targets[2:end:2]
