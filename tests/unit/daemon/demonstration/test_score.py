"""The demonstration's judge: a perfect result is perfect, and each kind of fault is counted as what it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from daemon.demonstration.score import Score, links, match, score
from tracking.synthetic.movie import Movie, MovieParams, simulate


@pytest.fixture(scope="module")
def movie() -> Movie:
    """Two divisions among nine nuclei."""
    return simulate(MovieParams(shape=(12, 160, 160), frames=12, nuclei=9, clusters=2, divisions=2), 5)


def perfect(movie: Movie) -> tuple[dict[int, dict[int, int]], pd.DataFrame]:
    """A result that equals the truth, under other labels and other track ids."""
    table = movie.table()
    pairs = {int(t): {int(a): int(a) + 50 for a in rows["label"]} for t, rows in table.groupby("t")}
    found = table.assign(label=table["label"] + 50, track_id=table["track_id"] + 200)
    return pairs, found.assign(parent_track_id=found["parent_track_id"] + 200)


def test_a_perfect_result_has_no_faults(movie: Movie) -> None:
    result = score(movie, *perfect(movie))
    assert result.nuclei_found == result.nuclei == len(movie.table())
    assert result.links_found == result.links == len(movie.table()) - 9
    assert (result.divisions_found, result.divisions) == (2, 2)
    assert (result.nuclei_false, result.links_false, result.divisions_false) == (0, 0, 0)
    assert result.tracks == result.tracks_found == 13
    assert result.faults() == []


def test_a_missed_nucleus_costs_its_links(movie: Movie) -> None:
    pairs, found = perfect(movie)
    frame = movie.frames[3]
    label = int(np.flatnonzero(frame.track_ids == min(set(frame.track_ids) - set(movie.parents().values())))[0]) + 1
    del pairs[3][label]
    found = found[~((found["t"] == 3) & (found["label"] == label + 50))]
    result = score(movie, pairs, found)
    assert result.nuclei_found == result.nuclei - 1
    assert result.links_found == result.links - 2
    assert result.links_false == 1, "the link over the gap is no true link"


def test_a_false_nucleus_is_counted(movie: Movie) -> None:
    pairs, found = perfect(movie)
    extra = pd.DataFrame({"t": [2], "label": [999], "track_id": [999], "parent_track_id": [pd.NA]})
    result = score(movie, pairs, pd.concat([found, extra.astype({"parent_track_id": "Int64"})]))
    assert (result.nuclei_false, result.tracks_found - result.tracks) == (1, 1)
    assert result.faults() == []


def test_a_division_needs_both_daughters_and_the_right_mother(movie: Movie) -> None:
    pairs, found = perfect(movie)
    first, second = movie.divisions
    orphan = found["track_id"] == first.daughters[0] + 200
    result = score(movie, pairs, found.assign(parent_track_id=found["parent_track_id"].mask(orphan)))
    assert (result.divisions_found, result.divisions_false) == (1, 0)
    assert result.links_found == result.links - 1
    assert result.faults() == ["1 of the 2 divisions were not found"]

    stranger = next(k for k in movie.frames[0].track_ids if k not in movie.parents().values()) + 200
    adopted = found["track_id"].isin([k + 200 for k in second.daughters])
    result = score(movie, pairs, found.assign(parent_track_id=found["parent_track_id"].mask(adopted, stranger)))
    assert (result.divisions_found, result.divisions_false) == (1, 1)


@pytest.mark.parametrize(("delay", "counts"), [(1, 2), (2, 1)])
def test_a_division_may_come_one_frame_late(movie: Movie, delay: int, counts: int) -> None:
    pairs, found = perfect(movie)
    division = movie.divisions[0]
    # The first daughter passes for her mother, and the second is not seen, for `delay` frames.
    early = found["t"] < division.t + delay
    first, second = (found["track_id"] == k + 200 for k in division.daughters)
    found = found.assign(track_id=found["track_id"].mask(early & first, division.parent + 200))
    found = found.assign(parent_track_id=found["parent_track_id"].mask(early & first))[~(early & second)]
    for t in range(division.t, division.t + delay):
        row = int(np.flatnonzero(movie.frames[t].track_ids == division.daughters[1])[0])
        del pairs[t][row + 1]
    assert score(movie, pairs, found).divisions_found == counts


def test_links_cross_divisions_and_missed_time_points() -> None:
    rows = [(0, 5, 1, pd.NA), (2, 6, 1, pd.NA), (3, 1, 2, 1), (3, 2, 3, 1)]
    table = pd.DataFrame(rows, columns=["t", "label", "track_id", "parent_track_id"]).astype(
        {"parent_track_id": "Int64"}
    )
    assert links(table) == {((0, 5), (2, 6)), ((2, 6), (3, 1)), ((2, 6), (3, 2))}


def test_nuclei_match_from_half_overlap_on_and_only_once() -> None:
    truth = np.zeros((1, 4, 12), dtype=np.uint16)
    found = np.zeros_like(truth)
    truth[0, :, 0:4], truth[0, :, 6:10] = 1, 2
    found[0, :, 0:2], found[0, :, 6:7], found[0, 0, 3] = 7, 8, 9
    assert match(truth, found) == {1: 7}


def test_bounds_are_shares_of_what_is_true() -> None:
    good = Score(100, 95, 50, 200, 190, 3, 2, 2, 1, 9, 12)
    assert good.faults() == []
    bad = Score(100, 94, 0, 200, 189, 0, 2, 0, 0, 9, 9)
    assert len(bad.faults()) == 3
