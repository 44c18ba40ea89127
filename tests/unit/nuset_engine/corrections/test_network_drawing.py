"""Nuclei that a person asks for as the network sees them, and what is done where it does not."""

from __future__ import annotations

import numpy as np

from nuset_engine.corrections.edited import EditedLabels
from nuset_engine.corrections.edits import EditOutcome, EditScene, NucleusEdit, apply_edits
from nuset_engine.corrections.region import NucleusRegion
from nuset_engine.errors import EngineError
from nuset_engine.inference.landscape import Landscape, LandscapeOf
from nuset_engine.segment import Segmenter
from nuset_engine.synthetic.blobs import SyntheticParams, synthetic_image
from nuset_engine.voxels import Box

SHAPE = (3, 24, 40)
SPACING = (2.0, 1.0, 1.0)
BORDER = 14
"""Where the network sees that the brick is two nuclei; from its outline, their border would be in its middle."""


def brick() -> np.ndarray:
    """One nucleus without a neck."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[:, 6:18, 4:34] = 1
    return labels


def seen_as(two: bool = True, added: tuple[slice, slice] | None = None) -> LandscapeOf:
    """What a network says: the brick, as two nuclei or one, and one more."""
    foreground = (brick() > 0).astype(np.float32)
    x = np.arange(SHAPE[2])
    ridge = np.where((x < BORDER), 1 - np.abs(x - 9) / 6, 1 - np.abs(x - 24) / 11) if two else np.ones(SHAPE[2])
    heights = np.broadcast_to(ridge, SHAPE) * foreground
    if added is not None:
        foreground[:, *added] = 0.9
        heights = np.where(foreground == np.float32(0.9), 0.8, heights)

    def landscape(box: Box) -> Landscape:
        return Landscape(foreground[box], heights[box].astype(np.float32), 0.5)

    return landscape


def edited(edit: NucleusEdit, landscape: LandscapeOf) -> tuple[np.ndarray, EditOutcome]:
    """Labels after an edit on an image that shows nothing."""
    labels = brick()
    planes = [np.full(SHAPE[1:], 100, np.uint16)] * SHAPE[0]
    scene = EditScene(EditedLabels(labels), planes, SPACING, 10.0, landscape=landscape)
    [outcome] = apply_edits(scene, [edit])
    return labels, outcome


def split(kept: tuple[NucleusRegion, ...] = ()) -> NucleusEdit:
    """The brick in two."""
    region = NucleusRegion.of_mask(brick())
    assert region is not None
    return NucleusEdit(1, "split", (region,), ((1, 12, 8), (1, 12, 25)), kept=kept)


def test_a_nucleus_is_divided_where_the_network_sees_the_border() -> None:
    labels, outcome = edited(split(), seen_as())
    assert outcome.how == "divided along the network's distance map"
    edge = np.flatnonzero(np.diff(labels[1, 12, 4:34].astype(int)))[0] + 4
    assert abs(edge - BORDER) <= 1
    without, other = edited(split(), lambda box: "it is away")
    assert other.how == "divided by its outline alone: it is away"
    assert abs(np.flatnonzero(np.diff(without[1, 12, 4:34].astype(int)))[0] + 4 - BORDER) > 1


def test_what_was_drawn_once_is_not_asked_for_again() -> None:
    labels, outcome = edited(split(), seen_as())
    again, same = edited(split(outcome.drawn), lambda box: "it is away")
    np.testing.assert_array_equal(again, labels)
    assert (same.how, same.reason) == (None, None)
    other = NucleusRegion.of_mask(brick()[:, :, :20])
    assert other is not None
    _, anew = edited(split((other,)), seen_as())
    assert anew.how == outcome.how, "what was drawn is of another nucleus"


def test_a_network_that_fails_is_done_without() -> None:
    def fails(box: Box) -> Landscape:
        raise EngineError("the graphics card is full")

    _, outcome = edited(split(), fails)
    assert outcome.how is not None
    assert "by its outline alone: the network cannot be asked (the graphics card is full)" in outcome.how


def test_a_nucleus_is_added_as_the_network_sees_it_and_no_more() -> None:
    where = (slice(2, 12), slice(30, 39))
    labels, outcome = edited(NucleusEdit(1, "add", points=((1, 4, 36),)), seen_as(added=where))
    assert outcome.how == "drawn by the network"
    expected = np.zeros(SHAPE, bool)
    expected[:, *where] = True
    assert ((labels == 2) == (expected & (brick() == 0))).mean() > 0.98
    np.testing.assert_array_equal(labels[brick() > 0], 1)
    _, nothing = edited(NucleusEdit(1, "add", points=((1, 21, 37),)), seen_as())
    assert nothing.reason is not None
    assert "nothing stands out there" in nothing.reason


def test_a_part_of_a_stack_is_seen_as_in_the_whole_of_it(segmenter: Segmenter) -> None:
    params = SyntheticParams(size_px=128, median_diameter_px=(24, 26), covered=(0.2, 0.22), artefact_chance=0)
    image, labels = synthetic_image(np.random.default_rng(4), params)
    planes = [(200 + 2000 * image).astype(np.uint16)] * 3
    statistics = segmenter.statistics(planes)
    whole = segmenter.landscape(planes, statistics, (slice(1, 2), slice(0, 128), slice(0, 128)))
    box = (slice(1, 2), slice(40, 90), slice(30, 80))
    part = segmenter.landscape(planes, statistics, box)
    assert part.foreground.shape == part.ridge.shape == (1, 50, 50)
    same = (part.foreground > part.threshold) == (whole.foreground[:, 40:90, 30:80] > whole.threshold)
    assert same.mean() > 0.97
    assert np.abs(part.ridge - whole.ridge[:, 40:90, 30:80]).mean() < 0.05
    nuclei = labels > 0
    agreement = (whole.foreground[0] > whole.threshold) & nuclei
    assert agreement.sum() > 0.8 * nuclei.sum()
