"""A network in the manner of Mask R-CNN (He et al. 2017): a small head draws a mask in the box of every proposal.

There is no foreground and no watershed. What the original has and this lacks: a second head that classifies boxes and
mends them, features of several levels for boxes of several sizes, an encoder of a hundred layers that saw ImageNet and
COCO before, and masks learned on its own proposals, in place of which this learns on true boxes that are moved and
stretched as proposals are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage as ndi

from nuset_engine.anchors import LEVELS
from nuset_engine.arrays import InputsNYXC, LabelsYX, ScoresN, TensorF32
from nuset_engine.inference.instances import least_area
from nuset_engine.inference.maps import PlaneMaps, Separated
from nuset_engine.inference.predictor import ReadBatch
from nuset_engine.inference.watershed import drop, drop_small
from nuset_engine.models.base import Losses, Model
from nuset_engine.models.division import mean_inside
from nuset_engine.models.masks import MaskedProposals, mask_targets, painted
from nuset_engine.params import SegmentationParams
from nuset_engine.planes.normalize import CHANNELS
from nuset_engine.weights import WeightsInfo

if TYPE_CHECKING:
    from nuset_engine.network import Architecture, keras


class MaskRCNN(Model):
    """Proposals, and a mask in each."""

    name = "mask-rcnn"
    parts = ("rpn_class", "rpn_box", "mask")
    seeded = False

    def build(
        self,
        architecture: Architecture | None = None,
        channels: int = CHANNELS,
        folded: bool = False,
        kernels: str = "glorot_uniform",
    ) -> keras.Model:
        """The untrained network: from images and boxes (N, R, 4) to the heads of all levels and logits of masks."""
        from nuset_engine.models.mask_head import masks_in
        from nuset_engine.network import Architecture, keras, proposal_head, pyramid

        arch = architecture or Architecture()
        image, boxes = keras.Input((None, None, channels), name="image"), keras.Input((None, 4), name="boxes")
        features = pyramid(image, arch.filters, folded, kernels)
        heads = [
            proposal_head(features[level.stride], level.stride, level.count, arch.head_filters, kernels)
            for level in LEVELS
        ]
        masks = masks_in(features, boxes, arch.head_filters, kernels)
        return keras.Model([image, boxes], [*heads, masks], name="mask_rcnn")

    def regions(self, labels: LabelsYX, rng: np.random.Generator) -> tuple[TensorF32, ...]:
        """Some boxes, and the mask in each."""
        return mask_targets(labels, rng)

    def inputs(self, images: InputsNYXC, targets: Sequence[TensorF32]) -> InputsNYXC | list[TensorF32]:
        """Images and boxes."""
        return [images, targets[-2]]

    def losses(self, targets: Sequence[Any], outputs: Sequence[Any]) -> Losses:
        """Of proposals and masks."""
        from nuset_engine.models.losses import mask_loss, proposal_losses

        *heads, masks = outputs
        return proposal_losses(*self.of_anchors(targets), heads) | mask_loss(targets[-1], masks)

    def read(self, weights: WeightsInfo, threads: int | None) -> ReadBatch:
        """The network with its weights: what it proposes, and a mask of each."""
        from nuset_engine.models.mask_head import MaskNetwork

        return MaskNetwork(weights, threads, self.build)

    def separated(self, maps: PlaneMaps, params: SegmentationParams) -> Separated:
        """The masks; a pixel of several belongs to the one that is surest of it.

        A nucleus' score is the geometric mean of its proposal's and its mean probability. Without the watershed, what
        touches is one.
        """
        found = maps.proposals
        if not isinstance(found, MaskedProposals):  # there were none
            empty = np.zeros(maps.foreground.shape, np.float32)
            return Separated(empty.astype(np.int32), np.zeros(0, np.float32), empty)
        probability, owner = painted(found, maps.foreground.shape)
        labels = np.where(probability > params.foreground_threshold, owner, 0).astype(np.int32)
        sure = np.zeros(len(found), np.float32)
        means = mean_inside(labels, probability)
        sure[: len(means)] = means
        scores = np.sqrt(found.scores * sure)
        kept, scores = drop_small(labels, scores, least_area(params))
        kept, scores = drop(kept, scores, scores >= params.min_score)
        if not params.watershed:
            kept, scores = touching_as_one(kept, scores)
        return Separated(kept, scores, probability)


def touching_as_one(labels: LabelsYX, scores: ScoresN) -> tuple[LabelsYX, ScoresN]:
    """Labels (Y, X) int32 of what is connected, and the best score in each."""
    pieces, count = ndi.label(labels > 0)
    best = np.zeros(count + 1, np.float32)
    inside = labels > 0
    np.maximum.at(best, pieces[inside], scores[labels[inside] - 1])
    return pieces.astype(np.int32), best[1:]
