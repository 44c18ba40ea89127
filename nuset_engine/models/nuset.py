"""NuSeT as it ships: proposals from a feature pyramid, and a watershed of a learned distance map that they seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nuset_engine.inference import instances
from nuset_engine.inference.maps import PlaneMaps, Separated
from nuset_engine.models.base import Losses, Model
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.normalize import CHANNELS
from nuset_engine.weights import NUSET

if TYPE_CHECKING:
    from nuset_engine.network import Architecture, keras


class Nuset(Model):
    """The network of the service."""

    name = NUSET
    parts = ("bce", "dice", "distance", "rpn_class", "rpn_box")

    def build(
        self,
        architecture: Architecture | None = None,
        channels: int = CHANNELS,
        folded: bool = False,
        kernels: str = "glorot_uniform",
    ) -> keras.Model:
        """The untrained network."""
        from nuset_engine.network import build_network

        return build_network(architecture, channels, folded, kernels)

    def losses(self, targets: Sequence[Any], outputs: Sequence[Any]) -> Losses:
        """Of foreground, distance map and proposals."""
        from nuset_engine.models.losses import pixel_losses, proposal_losses

        return pixel_losses(targets[0], outputs[0]) | proposal_losses(*self.of_anchors(targets), outputs[1:])

    def separated(self, maps: PlaneMaps, params: SegmentationParams) -> Separated:
        """By the seeds of proposals and of the distance map's cores."""
        return instances.separated(maps, params)
