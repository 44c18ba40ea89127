"""Results that make no sense are said to make none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases.stored import acquisition, pixels, row_of

from daemon.processing.steps.plausible import doubts, in_a_sentence
from nuset_engine.nuclei import Nuclei

ROW = row_of(acquisition(pixels(1, 2)))


def nuclei(count: int, width_um: float = 9.0, score: float = 0.85) -> Nuclei:
    places = np.arange(3 * count, dtype=float).reshape(count, 3)
    found = Nuclei.from_positions(0, places, equivalent_diameter_um=np.full(count, width_um))
    found.table["score"] = score
    return found


@pytest.mark.parametrize(
    ("found", "before", "said"),
    [
        (nuclei(20), (), None),
        (nuclei(20), (18, 21, 19), None),
        (nuclei(3, 90.0, 0.66), (), None),  # too few to say
        (nuclei(20, width_um=1.2), (), "median width is 1.2 um"),
        (nuclei(20, width_um=75), (), "median width is 75 um"),
        (nuclei(20, score=0.68), (), "median score is 0.68"),
        (nuclei(849), (20, 21, 19), "there are 849, after 20"),
        (nuclei(2), (20, 21, 19), "there are 2, after 20"),
        (nuclei(9), (2, 2, 2), None),  # few, and so a few more or less
    ],
)
def test_what_is_far_out_is_said(found: Nuclei, before: tuple[int, ...], said: str | None) -> None:
    reasons = doubts(found, ROW, before)
    assert len(reasons) == (said is not None)
    if said is not None:
        assert said in reasons[0]
        row = replace(ROW, nuclear_channel=1, channel_source="measured")
        sentence = in_a_sentence(reasons, row, 7)
        assert said in sentence
        assert "embryo, time point 7: the nuclei in channel 1 (measured)" in sentence


def test_widths_in_pixels_say_nothing() -> None:
    row = row_of(acquisition(pixels(1, 2), voxel=False))
    assert doubts(nuclei(20, width_um=1.0), row, ()) == []
