"""What is final a few frames after a time point is what would be said with the whole movie before one's eyes."""

from __future__ import annotations

import pytest

from tracking.evaluation.link_scores import links, score_links
from tracking.params import TrackingParams
from tracking.synthetic.movie import MovieParams, simulate
from tracking.table import track_table


@pytest.mark.parametrize("seed", [0, 1])
def test_online_equals_the_whole_movie_at_the_end(seed: int) -> None:
    movie = simulate(MovieParams(frames=16, nuclei=30, divisions=5, deaths=1, stage_jumps=1), seed)
    truth = movie.table()
    scores = []
    for lag in (TrackingParams().lag_frames, 50):  # with the longer one nothing is final before the end
        found = track_table(truth[["t", "z", "y", "x", "diameter"]], params=TrackingParams(lag_frames=lag))
        scores.append(score_links(links(truth), links(found.assign(label=truth["label"]))).link_f1)
    assert scores[0] > 0.9
    assert abs(scores[0] - scores[1]) <= 0.003
