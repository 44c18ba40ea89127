"""The U-Net alone: a foreground, and what its own shape says of the nuclei in it.

There are no proposals. Where a plane is surveyed for the size of its nuclei, the divided regions of the mask stand for
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import TRAINED_DIAMETER_PX
from nuset_engine.arrays import PlaneF32
from nuset_engine.inference.instances import filled_mask
from nuset_engine.inference.maps import PlaneMaps, Separated
from nuset_engine.inference.predictor import Prediction, ReadBatch, load_network, predictions
from nuset_engine.inference.proposals import EMPTY, Proposals, joined
from nuset_engine.models.base import Losses, Model
from nuset_engine.models.division import (
    divided_by_distance,
    mean_inside,
    regions_of,
    separated_as,
    without_specks,
)
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.normalize import CHANNELS
from nuset_engine.weights import WeightsInfo

if TYPE_CHECKING:
    from nuset_engine.network import Architecture, keras

SMALLEST_PX = TRAINED_DIAMETER_PX / 4  # smaller regions say nothing of the size of nuclei


class UNet(Model):
    """Foreground alone."""

    name = "unet"
    levels = ()
    parts = ("bce", "dice")
    seeded = False

    def build(
        self,
        architecture: Architecture | None = None,
        channels: int = CHANNELS,
        folded: bool = False,
        kernels: str = "glorot_uniform",
    ) -> keras.Model:
        """The untrained network: from images to a list of one map of logits."""
        from nuset_engine.network import Architecture, foreground_map, keras, pyramid

        image = keras.Input((None, None, channels), name="image")
        features = pyramid(image, (architecture or Architecture()).filters, folded, kernels)
        return keras.Model(image, [foreground_map(features[1], kernels)], name=self.name)

    def losses(self, targets: Sequence[Any], outputs: Sequence[Any]) -> Losses:
        """Of the foreground."""
        from nuset_engine.models.losses import foreground_losses

        return foreground_losses(targets[0], outputs[0])

    def read(self, weights: WeightsInfo, threads: int | None) -> ReadBatch:
        """The network with its weights, whose regions stand for proposals."""
        network = load_network(weights, threads, self.build)
        return lambda inputs: [
            RegionPrediction(one.foreground, one.ridge, (), ()) for one in predictions(network(inputs), ())
        ]

    def separated(self, maps: PlaneMaps, params: SegmentationParams) -> Separated:
        """The mask, divided where it is waisted, or its connected regions."""
        inside = filled_mask(maps, params)
        divide = divided_by_distance if params.watershed else regions_of
        return separated_as(divide(inside), inside, maps, params)


class RegionPrediction(Prediction):
    """A foreground of which the regions stand for proposals."""

    def proposals(self, min_score: float) -> Proposals:
        """Boxes of the divided regions whose mean probability is at least this."""
        return boxes_of(self.foreground, min_score)


def boxes_of(foreground: PlaneF32, min_score: float) -> Proposals:
    """Boxes of the regions of a foreground (Y, X), best first."""
    labels = without_specks(divided_by_distance(foreground > 0.5))
    windows = [window for window in ndi.find_objects(labels) if window is not None]
    if not windows:
        return EMPTY
    boxes = np.array([(y.start, x.start, y.stop, x.stop) for y, x in windows], np.float32)
    found = Proposals(boxes, mean_inside(labels, foreground))
    return joined([found.where((found.scores >= min_score) & (found.diameters >= SMALLEST_PX))])
