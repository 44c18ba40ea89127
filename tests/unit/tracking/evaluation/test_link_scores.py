"""Scores of links and divisions."""

from __future__ import annotations

import pandas as pd
import pytest

from tracking.evaluation.link_scores import divisions, links, score_links

ROWS = [  # t, label, track, parent
    (0, 1, 1, None),
    (1, 1, 1, None),
    (2, 1, 2, 1),
    (2, 2, 3, 1),
    (3, 1, 2, 1),
    (3, 2, 3, 1),
    (0, 3, 4, None),
    (2, 3, 4, None),
]
TRUE = pd.DataFrame(ROWS, columns=["t", "label", "track_id", "parent_track_id"]).assign(y=0.0, x=0.0)


def test_links_follow_tracks_gaps_and_divisions() -> None:
    found = links(TRUE)
    assert found == {
        ((0, 1), (1, 1)), ((1, 1), (2, 1)), ((1, 1), (2, 2)), ((2, 1), (3, 1)), ((2, 2), (3, 2)), ((0, 3), (2, 3)),
    }  # fmt: skip
    assert divisions(found) == {(1, 1): frozenset({(2, 1), (2, 2)})}


def test_perfect_and_empty_scores() -> None:
    assert score_links(links(TRUE), links(TRUE)).link_f1 == 1.0
    assert score_links(set(), set()).division_f1 == 1.0


def test_a_division_needs_both_daughters() -> None:
    half = TRUE.assign(parent_track_id=[None, None, 1, None, 1, None, None, None])
    scores = score_links(links(TRUE), links(half))
    assert scores.division_f1 == 0.0
    assert scores.link_f1 == pytest.approx(2 * 5 / 11)
