"""The paper's own design (Yang et al. 2020): proposals from the encoder at stride 16, no distance map.

The mask's own distance transform is flooded from the proposals. What is the same for every model here is not the
paper's: normalised convolutions of the sizes that `--width` says, focal loss instead of samples of anchors, and images
resampled to one size of nuclei instead of anchors scaled to theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nuset_engine.anchors import AnchorLevel
from nuset_engine.inference.instances import filled_mask
from nuset_engine.inference.maps import PlaneMaps, Separated
from nuset_engine.models.base import Losses, Model
from nuset_engine.models.division import divided_by_proposals, regions_of, separated_as
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.normalize import CHANNELS

if TYPE_CHECKING:
    from nuset_engine.network import Architecture, keras

STRIDE = 16
ANCHORS = AnchorLevel(STRIDE, (0.5, 1.0, 2.0), (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0))
"""Its 21 anchors at each cell, in multiples of the median nucleus."""


class PaperDesign(Model):
    """Foreground, and proposals at one stride."""

    name = "paper"
    levels = (ANCHORS,)

    def build(
        self,
        architecture: Architecture | None = None,
        channels: int = CHANNELS,
        folded: bool = False,
        kernels: str = "glorot_uniform",
    ) -> keras.Model:
        """The untrained network: from images to a list of a map of logits and the head of the encoder's last level."""
        from nuset_engine.network import Architecture, foreground_map, keras, proposal_head, pyramid

        arch = architecture or Architecture()
        image = keras.Input((None, None, channels), name="image")
        features = pyramid(image, arch.filters, folded, kernels)
        head = proposal_head(features[STRIDE], STRIDE, ANCHORS.count, arch.head_filters, kernels)
        return keras.Model(image, [foreground_map(features[1], kernels), head], name=self.name)

    def losses(self, targets: Sequence[Any], outputs: Sequence[Any]) -> Losses:
        """Of foreground and proposals."""
        from nuset_engine.models.losses import foreground_losses, proposal_losses

        anchors = self.of_anchors(targets)
        return foreground_losses(targets[0], outputs[0]) | proposal_losses(*anchors, outputs[1:], self.levels)

    def separated(self, maps: PlaneMaps, params: SegmentationParams) -> Separated:
        """The mask, divided from the middles of the proposals, or its connected regions."""
        inside = filled_mask(maps, params)
        labels = divided_by_proposals(inside, maps.proposals) if params.watershed else regions_of(inside)
        return separated_as(labels, inside, maps, params)
