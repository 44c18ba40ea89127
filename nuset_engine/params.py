"""Parameters of the segmentation, one frozen object that is stored beside every result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from nuset_engine.errors import EngineParametersError
from nuset_engine.settings import plain_values, range_faults, setting

LEARNED, HALF, FOOT = "learned", "half", "foot"  # where outlines lie
CRISP, SOFT = 0.4, 0.5  # width of outlines in the coarse pass, in network pixels; between them thresholds are mixed


SMALLEST_TILE_PX = 256
"""Edge of tiles below which nuclei no longer fit: with these, a plane takes the least memory."""


@dataclass(frozen=True)
class SegmentationParams:
    """How planes become instance labels; each parameter says what it means in its `Setting`."""

    seed_score: float = setting(
        0.3,
        "Proposals of the network with a lower score seed no nucleus.",
        "Raise it when single nuclei are cut into several; lower it when touching nuclei stay together.",
        low=0,
        high=1,
    )
    min_score: float = setting(
        0.65,
        "Nuclei with a lower score are dropped; the score is the geometric mean of the proposal's score, the mean "
        "foreground probability and the highest point of the distance map.",
        "Raise it when debris, fibres or blobs out of focus are taken for nuclei; lower it when dim nuclei are missed.",
        low=0,
        high=1,
    )
    nms_iou: float = setting(
        0.35,
        "Of two proposals that overlap by more than this intersection over union, only the better one seeds a nucleus.",
        "Lower it when single nuclei are cut into several; raise it when overlapping nuclei stay together.",
        low=0,
        high=1,
    )
    foreground_threshold: float = setting(
        0.4,
        "Foreground probability from which a pixel of a single plane belongs to a nucleus, where outlines are crisp.",
        "Lower it when outlines lie inside the nuclei or dim nuclei are missed; raise it when outlines lie outside.",
        low=0,
        high=1,
    )
    soft_foreground_threshold: float = setting(
        0.6,
        "The same for a single plane whose outlines are soft, so that nuclei look wider than they are.",
        "As foreground_threshold, for images out of focus.",
        low=0,
        high=1,
    )
    stack_foreground_threshold: float = setting(
        0.5,
        "The same for the slices of a stack, which show out of focus what lies above and below them.",
        "As foreground_threshold, for stacks.",
        low=0,
        high=1,
    )
    outline: str = setting(
        LEARNED,
        "Where the outline of each nucleus lies. learned: where people drew it in the images that the weights learned "
        "from; in single planes, nuclei whose own edge is wider than a sixth of a nucleus are brought towards half. "
        "half: half-way between the nucleus just inside its rim and what surrounds it. foot: further out, where a "
        "fifth of that contrast is left. Each is measured on every nucleus, whatever others are like.",
        "Choose half where areas are to be compared between sharp and blurred images, foot where nuclei are to be "
        "outlined as far as they can be seen; learned agrees best with what people draw.",
        choices=(LEARNED, HALF, FOOT),
        later=True,
    )
    nucleus_diameter_px: float | None = setting(
        None,
        "Median diameter of the nuclei in pixels of the image. It decides how much the image is enlarged or reduced "
        "for the network, which knows nuclei of 24 px: the resize ratio is 24 over it.",
        "Give it when the measured one is wrong: when nuclei are cut into many pieces (measured too small), or groups "
        "are taken for one nucleus (measured too large).",
        unit="px",
        low=2,
        high=2000,
        unset="measured on each stack",
    )
    min_area_fraction: float = setting(
        0.1,
        "Objects smaller than this fraction of the median nucleus' area are removed from each slice as specks.",
        "Raise it when specks are taken for nuclei; 0 keeps all, micronuclei too.",
        low=0,
        high=1,
    )
    watershed: bool = setting(
        True,
        "Touching nuclei are divided by a watershed from the proposals' seeds; without it, what touches is one object.",
        "Switch it off for objects that are never to be divided, such as single cells of odd shape.",
        later=True,
    )
    second_look: bool = setting(
        False,
        "In single planes, outlines of dark gaps in haze are cut down to the nucleus in them, or dropped, and dim "
        "nuclei beside bright ones are looked for once more, with those that are found painted over.",
        "Switch it on when dim nuclei beside bright ones are missed; it costs up to the time of one more pass.",
        later=True,
    )
    tile_px: int = setting(
        768,
        "Edge of the square tiles that larger planes are cut into, in pixels of the network; tiles that reach over a "
        "whole side may be up to 1.75 times as long. Results do not depend on it.",
        "Lower it when memory is short.",
        unit="px",
        low=SMALLEST_TILE_PX,
        multiple=32,
    )

    def __post_init__(self) -> None:
        """Refuse values outside their range, all of them named at once."""
        faults = range_faults(self)
        if faults:
            raise EngineParametersError("Segmentation", faults)

    def of_stack(self) -> SegmentationParams:
        """What holds for the slices of a stack."""
        return replace(self, foreground_threshold=self.stack_foreground_threshold)

    def of_plane(self, softness: float) -> SegmentationParams:
        """What holds for a single plane whose outlines are so soft (`maps.edge_softness`)."""
        soft = min(max((softness - CRISP) / (SOFT - CRISP), 0.0), 1.0)
        mixed = (1 - soft) * self.foreground_threshold + soft * self.soft_foreground_threshold
        return replace(self, foreground_threshold=mixed)

    def as_dict(self) -> dict[str, Any]:
        """The parameters as plain values for JSON."""
        return plain_values(self)
