"""Results that make no sense are said to make none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from cases.stored import acquisition, pixels, row_of

from daemon import pipeline
from daemon.processing.messages import Tracked
from daemon.processing.steps.plausible import doubts, in_a_sentence, jump_in_a_sentence
from daemon.processing.steps.time_points import Committing
from nuset_engine.nuclei import Nuclei
from tracking.tracker import TrackUpdate

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


def test_a_jump_of_the_field_is_said_with_how_far_and_which_way() -> None:
    assert jump_in_a_sentence((0.04, -30.0, 40.0), "um", ROW, 7) == (
        "embryo, time point 7: the whole sample lies 50 um from where it was (z 0.0, y -30.0, x 40.0), and tracks are "
        "continued with that taken off: look whether the stage moved."
    )


@pytest.mark.parametrize("jump", [None, (0.0, -30.0, 40.0)])
def test_a_jump_is_told_with_its_time_point_and_nothing_else_is(
    jump: tuple[float, float, float] | None, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[str, int, str]] = []
    books = SimpleNamespace(counts={}, tell=lambda what, row, t, reason: told.append((what, t, reason)))
    job = SimpleNamespace(acquisition=ROW, acquisition_id=ROW.id, t=6, source_t=7)
    found = SimpleNamespace(job=job, nuclei=nuclei(20))
    tracked = Tracked(TrackUpdate((), (), (), jump=jump), b"", None, 1)
    with caplog.at_level("WARNING", logger="nusetd"):
        Committing(pipeline.FLOW[0], books)._doubt(found, tracked)  # type: ignore[arg-type]
    assert [(what, t) for what, t, _ in told] == ([] if jump is None else [("doubted", 6)])
    assert all("time point 7: the whole sample lies 50 um" in reason for *_, reason in told)
    assert [record.getMessage() for record in caplog.records] == ([] if jump is None else ["field jumped"])
