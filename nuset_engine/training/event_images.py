"""Training images of which only rare events are labelled: people's, and synthetic ones."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import LabelsYX, MaskYX, PlaneYX
from nuset_engine.synthetic.blobs import SyntheticParams
from nuset_engine.synthetic.mitosis import mitotic_slices
from nuset_engine.training.dataset import Example, centres_of, check_pair, check_seen, seen_as, stored_as
from nuset_engine.training.targets import attention_weights, median_diameter

SHOWN_AS_SLICE = 0.5
"""Chance of a synthetic slice to be shown as one of a stack."""


def make_event_example(
    name: str, image: PlaneYX, labels: LabelsYX, diameter_px: float, seen: MaskYX | None = None
) -> Example:
    """Check a pair whose labels are rare events, and bring it near the trained size.

    Parameters
    ----------
    name : str
    image : (Y, X)
    labels : (Y, X) int
        Events alone; ordinary nuclei are 0.
    diameter_px : float
        Median diameter of all nuclei, which the labels do not tell.
    seen : (Y, X) bool, optional
        Where it is known whether there is an event.
    """
    check_pair(name, image, labels)
    check_seen(name, labels, seen)
    small, truth, stored = stored_as(image, labels, diameter_px)
    part = None if seen is None or seen.all() else seen_as(truth, seen)
    return Example(name, small, truth, attention_weights(truth, stored), stored, centres_of(truth), seen=part)


def event_examples(rng: np.random.Generator, _: SyntheticParams) -> list[Example]:
    """New synthetic examples of rare events: the slices of a stack in which some nuclei are in mitosis.

    Nuclei are as large as their sections are, which is what the engine measures: a fifth less than they are in 3D.
    """
    parts = mitotic_slices(rng)
    measured = median_diameter(*[part.nuclei for part in parts])
    diameter = measured if np.isfinite(measured) else parts[0].diameter_px
    return [
        Example(
            "synthetic",
            part.image,
            part.events,
            attention_weights(part.events, diameter),
            diameter,
            centres_of(part.events),
            stacked=SHOWN_AS_SLICE,
        )
        for part in parts
    ]
