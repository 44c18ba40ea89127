"""Tracks without gaps, and the challenge's measures on tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.unit.tracking.evaluation.test_link_scores import TRUE
from tracking.errors import TrackingError
from tracking.evaluation.challenge import MEASURES, challenge_scores, match_frame
from tracking.segments import gapless


def test_a_gap_makes_a_child() -> None:
    tracks, number = gapless(TRUE.assign(t=TRUE["t"] + 5))
    assert tracks.tolist() == [[1, 5, 6, 0], [2, 7, 8, 1], [3, 7, 8, 1], [4, 5, 5, 0], [5, 7, 7, 4]]
    assert number.tolist() == [1, 1, 2, 3, 2, 3, 4, 5]


def test_nuclei_without_track_stand_alone() -> None:
    tracks, number = gapless(TRUE.assign(track_id=[np.nan] * 8, parent_track_id=[1.0] * 8))
    assert tracks[:, 3].tolist() == [0] * 8
    assert sorted(number) == list(range(1, 9))
    assert gapless(TRUE.iloc[:0])[0].shape == (0, 4)


def test_half_covered_is_not_matched() -> None:
    true, found = np.array([[1, 1, 2, 2, 2, 3]]), np.array([[7, 0, 8, 8, 0, 8]])
    frame = match_frame(true, found)
    assert frame.pairs.tolist() == [[2, 8], [3, 8]]
    assert frame.true.tolist() == [1, 2, 3]


def test_the_truth_scores_one_and_losses_count() -> None:
    pytest.importorskip("ctc_metrics")
    nodes = set(zip(TRUE["t"], TRUE["label"], strict=True))
    scores = challenge_scores(TRUE, TRUE, {(node, node) for node in nodes})
    assert tuple(scores) == MEASURES
    assert all(scores[name] == 1.0 for name in ("DET", "TRA", "LNK", "CT", "TF", "BC", "division_recall"))
    assert np.isnan(scores["CCA"])
    lost = challenge_scores(TRUE, TRUE[TRUE["track_id"] != 4], {(n, n) for n in nodes if n[1] != 3})
    assert lost["DET"] == pytest.approx(1 - 2 / 8)
    assert lost["CT"] == pytest.approx(2 * 3 / (5 + 3))


def test_a_single_frame_has_no_links() -> None:
    pytest.importorskip("ctc_metrics")
    one = pd.DataFrame({"t": [3], "label": [1], "track_id": [1], "parent_track_id": [None]})
    scores = challenge_scores(one, one, {((3, 1), (3, 1))})
    assert scores["DET"] == scores["TRA"] == 1.0
    assert np.isnan(scores["LNK"])


def test_an_empty_truth_measures_nothing() -> None:
    with pytest.raises(TrackingError, match="no nuclei"):
        challenge_scores(TRUE.iloc[:0], TRUE, set())
