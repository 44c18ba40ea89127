"""Synthetic movies: deterministic, with a truth that is a lineage, nuclei that touch and stay in the field."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.errors import TrackingError
from tracking.synthetic.movie import LATE_FRAMES, MovieParams, simulate

SMALL = MovieParams(shape=(12, 128, 128), frames=9, nuclei=9, clusters=2, divisions=1)


def touching_pairs(labels: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of labels with neighbouring voxels."""
    pairs = set()
    for axis in range(3):
        a, b = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        border = (a != b) & (a > 0) & (b > 0)
        pairs |= set(zip(np.minimum(a, b)[border].tolist(), np.maximum(a, b)[border].tolist(), strict=True))
    return pairs


def test_the_same_seed_gives_the_same_movie_and_the_same_bytes() -> None:
    first, second, other = simulate(SMALL, 3), simulate(SMALL, 3), simulate(SMALL, 4)
    assert first.table().equals(second.table())
    assert not first.table().equals(other.table())
    for k in (5, 0):
        ours, theirs = first.render(first.frames[k]), second.render(second.frames[k])
        assert [a.tobytes() for a in ours] == [a.tobytes() for a in theirs]


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    nuclei=st.integers(0, 30),
    clusters=st.integers(1, 4),
    frames=st.integers(10, 16),
    divisions=st.integers(0, 4),
    deaths=st.integers(0, 3),
    jumps=st.integers(0, 2),
    missed=st.integers(0, 4),
)
def test_the_truth_of_any_movie_is_a_lineage(
    seed: int, nuclei: int, clusters: int, frames: int, divisions: int, deaths: int, jumps: int, missed: int
) -> None:
    params = MovieParams(
        frames=frames,
        nuclei=nuclei,
        clusters=clusters,
        divisions=divisions,
        deaths=deaths,
        stage_jumps=jumps,
        missed_time_points=missed,
        missed_slices=3,
    )
    movie = simulate(params, seed)
    table = movie.table()
    assert len(movie.frames) == frames - missed
    assert not table.duplicated(["t", "track_id"]).any()
    assert not table.duplicated(["t", "label"]).any()
    recorded = [frame.t for frame in movie.frames]
    spans = table.groupby("track_id")["t"].agg(["min", "max", "count"])
    for start, end, count in spans.itertuples(index=False):
        assert count == sum(start <= t <= end for t in recorded), "a track has no holes but the missed time points"
    for division in movie.divisions:
        assert spans.loc[division.parent, "max"] < division.t
        for daughter in division.daughters:
            assert division.t <= spans.loc[daughter, "min"]
            assert movie.parents()[daughter] == division.parent
    assert len(movie.divisions) <= divisions
    assert Counter(movie.parents().values()) == Counter({d.parent: 2 for d in movie.divisions})
    extent = (np.array(params.shape) - 1) * params.voxel_size_um
    assert (table[["z", "y", "x"]].to_numpy() >= 0).all()
    assert (table[["z", "y", "x"]].to_numpy() <= extent).all()


def test_everything_that_is_asked_for_happens() -> None:
    params = MovieParams(frames=20, divisions=3, deaths=2, missed_time_points=2, missed_slices=4, stage_jumps=1)
    movie = simulate(params, 8)
    assert len(movie.divisions) == 3
    assert all(division.t <= params.frames - LATE_FRAMES for division in movie.divisions)
    spans = movie.table().groupby("track_id")["t"].max()
    mothers = {division.parent for division in movie.divisions}
    assert len([track for track, last in spans.items() if last < 19 and track not in mothers]) == 2
    assert sum(len(frame.missed_slices) for frame in movie.frames) == 4
    assert len(movie.frames) == 18


def test_every_nucleus_can_be_seen_and_many_touch() -> None:
    movie = simulate(MovieParams(), 2)
    for frame in movie.frames[::4]:
        _, labels = movie.render(frame)
        volume = np.bincount(labels.ravel(), minlength=len(frame.track_ids) + 1)[1:]
        assert volume.min() > 200
        assert len({label for pair in touching_pairs(labels) for label in pair}) > len(frame.track_ids) / 2


def test_a_dividing_nucleus_shrinks_and_brightens_and_has_smaller_daughters() -> None:
    movie = simulate(MovieParams(), 2)
    division = movie.divisions[0]

    def look(t: int, track: int) -> tuple[float, float, float]:
        frame = movie.frames[t]
        row = int(np.flatnonzero(frame.track_ids == track)[0])
        axes = np.sort(frame.shapes.semi_axes_um[row])
        return float(axes.prod()), float(frame.shapes.brightness[row]), float(axes[2] / axes[0])

    before, plate = look(0, division.parent), look(division.t - 1, division.parent)
    daughters = [look(division.t, daughter) for daughter in division.daughters]
    assert plate[0] < before[0]
    assert plate[1] > 1.5 * before[1]
    assert plate[2] > 1.8
    assert all(d[0] < 0.5 * before[0] and d[1] > 1.3 * before[1] for d in daughters)
    later = [look(division.t + 2, daughter) for daughter in division.daughters]
    assert all(b[0] > a[0] for a, b in zip(daughters, later, strict=True))


def test_a_stage_jump_moves_all_nuclei_alike() -> None:
    still = {"motility_um": 0.0, "cluster_spin": 0.0, "drift_um": (0.0, 0.0, 0.0), "jitter_um": 0.0, "divisions": 0}
    movie = simulate(MovieParams(stage_jumps=1, stage_jump_um=7.0, **still), 1)
    moves = [
        b.shapes.centres_um - a.shapes.centres_um for a, b in zip(movie.frames[:-1], movie.frames[1:], strict=True)
    ]
    lengths = np.array([np.linalg.norm(move, axis=1) for move in moves])
    jump = lengths.mean(axis=1).argmax()
    assert lengths[jump] == pytest.approx(7.0, abs=0.3)
    assert np.delete(lengths, jump, axis=0).max() < 0.5


def test_single_planes_stay_in_focus() -> None:
    movie = simulate(MovieParams(shape=(1, 200, 200), nuclei=12, missed_slices=0), 1)
    image, labels = movie.render(movie.frames[-1])
    assert image.shape == (1, 200, 200)
    assert (movie.table()["z"] == 0).all()
    assert len(np.unique(labels)) - 1 == len(movie.frames[-1].track_ids)


def test_wrong_parameters_are_refused_all_at_once() -> None:
    with pytest.raises(
        TrackingError, match=r"shape = .*voxel_size_um = .*clusters = 0.*too few for a division"
    ) as caught:
        MovieParams(shape=(0, 5, 5), voxel_size_um=(1, 0, 1), clusters=0, frames=5)
    assert "take at least 7" in str(caught.value)
    MovieParams(frames=7)
    with pytest.raises(TrackingError, match="fewer than two"):
        MovieParams(frames=8, missed_time_points=7)
    with pytest.raises(TrackingError, match="at least 3 slices"):
        MovieParams(shape=(2, 50, 50))
