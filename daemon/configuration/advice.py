"""What a person sees in the results, and which setting to change: a test tries each line on a rendered example."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    """A line of the table.

    Attributes
    ----------
    seen : str
        What is wrong in the picture or in the tracks.
    settings : tuple of str
        Full names, the one to try first in front.
    change : str
        How to change them.
    """

    seen: str
    settings: tuple[str, ...]
    change: str


ADVICE = (
    Advice(
        "Single nuclei are cut into pieces",
        ("segmentation.nucleus_diameter_px", "segmentation.nms_iou", "segmentation.seed_score"),
        "Give the nuclei's true diameter in pixels; else lower nms_iou, or raise seed_score.",
    ),
    Advice(
        "Touching nuclei stay together",
        ("segmentation.nucleus_diameter_px", "segmentation.seed_score", "segmentation.nms_iou"),
        "Give the nuclei's true diameter in pixels; else lower seed_score, or raise nms_iou.",
    ),
    Advice(
        "Dim nuclei are missed",
        ("segmentation.min_score", "segmentation.foreground_threshold", "segmentation.stack_foreground_threshold"),
        "Lower min_score; then the foreground threshold (stack_foreground_threshold for stacks).",
    ),
    Advice(
        "Debris is taken for nuclei",
        ("segmentation.min_score", "volume.min_diameter_um", "segmentation.min_area_fraction"),
        "Raise min_score; give the smallest diameter that a nucleus can have; raise min_area_fraction.",
    ),
    Advice(
        "Outlines lie too far out or too far in",
        (
            "segmentation.foreground_threshold",
            "segmentation.soft_foreground_threshold",
            "segmentation.stack_foreground_threshold",
            "segmentation.outline",
        ),
        "Raise the thresholds to draw outlines further in, lower them to draw them further out; outline says where in "
        "a soft edge they lie.",
    ),
    Advice(
        "Nuclei have the wrong size altogether: groups are one, or one is many",
        ("segmentation.nucleus_diameter_px",),
        "Give the nuclei's true diameter in pixels.",
    ),
    Advice(
        "Micronuclei are missing",
        ("segmentation.min_area_fraction", "segmentation.min_score"),
        "Set min_area_fraction to 0; lower min_score.",
    ),
    Advice(
        "Nuclei stacked along z are one",
        ("volume.min_overlap", "volume.min_iou"),
        "Raise both, so that sections must agree better to be linked.",
    ),
    Advice(
        "One nucleus falls apart along z",
        ("volume.max_missed_slices", "volume.min_overlap"),
        "Allow more missed slices; lower min_overlap and min_iou.",
    ),
    Advice(
        "Tracks break where a nucleus is missed for a while",
        ("tracking.memory_frames", "tracking.lag_frames"),
        "Raise memory_frames, and lag_frames above it.",
    ),
    Advice(
        "Tracks jump from one nucleus to another",
        ("tracking.search_range",),
        "Give the farthest way that a nucleus can go from one time point to the next.",
    ),
    Advice(
        "Divisions are missed",
        ("tracking.min_division_score",),
        "Lower min_division_score.",
    ),
    Advice(
        "Divisions are invented",
        ("tracking.min_division_score", "tracking.find_divisions"),
        "Raise min_division_score; where nothing divides, set find_divisions to false.",
    ),
)
