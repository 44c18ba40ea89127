"""The tracker on small movies: drawn cases of motion, division, gaps and odd input."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from nuset_engine.nuclei import Nuclei
from tests.unit.tracking.movies import Record, dividing, grid, numbered, play, wandering
from tracking.errors import TrackingError
from tracking.graph import TrackGraph
from tracking.params import TrackingParams
from tracking.tracker import Tracker


def test_wandering_points_keep_their_tracks() -> None:
    record = play(numbered(wandering()))
    assert len(record.tracks) == 27
    assert all(len({ids[label] for ids in record.ids.values()}) == 1 for label in range(1, 28))
    assert all(track.is_final and track.nuclei_count == 10 for track in record.tracks.values())


def test_a_division_has_the_right_parent_and_daughters() -> None:
    record = play(numbered(dividing()))
    graph = TrackGraph(record.tracks.values(), record.nodes())
    parent = record.ids[5][14]
    assert set(graph.daughters(parent)) == {record.ids[6][14], record.ids[6][28]}
    assert graph.tracks[parent].last_t == 5
    assert sum(track.parent_track_id is not None for track in record.tracks.values()) == 2
    score = graph.tracks[record.ids[6][14]].division_score
    assert score is not None
    assert 0.5 <= score <= 1.0


def test_divisions_can_be_switched_off() -> None:
    record = play(numbered(dividing()), TrackingParams(find_divisions=False))
    assert all(track.parent_track_id is None for track in record.tracks.values())


def test_a_missed_nucleus_keeps_its_track() -> None:
    movie = numbered(wandering())
    movie[5] = np.delete(movie[5], 13, axis=0)
    record = play(movie)
    assert record.ids[4][14] == record.ids[6][14]
    assert record.tracks[record.ids[4][14]].nuclei_count == 9


def test_a_nucleus_missed_for_longer_than_the_memory_begins_anew() -> None:
    movie = numbered(wandering(12))
    for t in (4, 5, 6):
        movie[t] = np.delete(movie[t], 13, axis=0)
    assert (
        play(movie, TrackingParams(memory_frames=2)).ids[3][14]
        != play(movie, TrackingParams(memory_frames=2)).ids[7][14]
    )
    long = play(movie, TrackingParams(memory_frames=3))
    assert long.ids[3][14] == long.ids[7][14]


@pytest.mark.parametrize("jump", [(0.0, 45.0, -30.0), (5.0, 4.0, 3.0)])
def test_a_stage_jump_breaks_no_track(jump: tuple[float, float, float]) -> None:
    places = wandering()
    moved = [place + (np.array(jump) if t >= 5 else 0.0) for t, place in enumerate(places)]
    assert len(play(numbered(moved)).tracks) == 27


def through_a_window(jump: float) -> dict[int, np.ndarray]:
    """Two lattices beside each other, seen through a field that moves by a share of its side at time point 5."""
    chance, places, movie = (
        np.random.default_rng(4),
        np.concatenate([grid(4), grid(4) + np.array([0.0, 0.0, 40.0])]),
        {},
    )
    places = places + chance.normal(0, 2.0, places.shape)
    for t in range(9):
        places = places + chance.normal(0, 0.4, places.shape)
        begin = -5.0 + 40.0 * jump * (t >= 5)
        movie[t] = places[(places[:, 2] >= begin) & (places[:, 2] < begin + 40.0)] - [0.0, 0.0, begin]
    return movie


def test_a_jump_by_half_of_the_field_breaks_no_track_that_stays_in_sight_and_is_told() -> None:
    movie = through_a_window(0.5)
    tracker, record, jumps = Tracker(), Record(), {}
    for t, places in movie.items():
        tracker = Tracker.from_state(tracker.state())
        update = tracker.advance(Nuclei.from_positions(t, places))
        record.take(update)
        if update.jump is not None:
            jumps[t] = update.jump
    record.take(tracker.finish())
    assert list(jumps) == [5]
    assert np.abs(np.array(jumps[5]) - [0.0, 0.0, -20.0]).max() < 1.0
    before, after = set(record.ids[4].values()), set(record.ids[5].values())
    assert len(before & after) == 32
    assert all(track.parent_track_id is None for track in record.tracks.values())


def test_a_field_that_stays_tells_of_no_jump() -> None:
    tracker = Tracker()
    updates = [tracker.advance(Nuclei.from_positions(t, places)) for t, places in through_a_window(0.0).items()]
    assert [update.jump for update in (*updates, tracker.finish())] == [None] * 10


def test_steady_drift_of_more_than_the_distance_between_nuclei() -> None:
    drifting = [place + np.array([0.0, 12.0, 0.0]) * t for t, place in enumerate(wandering())]
    assert len(play(numbered(drifting)).tracks) == 27


def test_missing_time_points_are_gaps_in_t() -> None:
    movie = {t: place for t, place in numbered(wandering(12)).items() if t not in (3, 7, 8)}
    assert len(play(movie).tracks) == 27


def test_time_points_absent_for_longer_than_the_memory_end_all_tracks() -> None:
    movie = {t: place for t, place in numbered(wandering(14)).items() if t not in (5, 6, 7)}
    record = play(movie, TrackingParams(memory_frames=2))
    assert len(record.tracks) == 54
    assert not set(record.ids[4].values()) & set(record.ids[8].values())
    assert len(play(movie, TrackingParams(memory_frames=3)).tracks) == 27


def test_frames_without_a_nucleus_and_absent_ones_count_together() -> None:
    movie = {t: place for t, place in numbered(wandering(12)).items() if t not in (5, 6)}
    movie[4] = np.delete(movie[4], 13, axis=0)
    record = play(movie, TrackingParams(memory_frames=2))
    assert record.ids[3][14] != record.ids[7][14], "unseen at three time points"
    assert record.ids[3][1] == record.ids[7][1], "unseen at two"


def test_a_lone_nucleus_does_not_live_through_a_long_absence() -> None:
    movie = {t: np.array([[0.0, 50.0, 50.0]]) for t in (0, 1, 2, 7, 8)}
    assert len(play(movie, TrackingParams(memory_frames=2)).tracks) == 2


@pytest.mark.parametrize(("later", "count"), [(3, 1), (4, 2), (999_999, 2)])
def test_two_time_points_tell_no_step_between_them(later: int, count: int) -> None:
    movie = {t: np.array([[0.0, 50.0, 50.0]]) for t in (0, later)}
    assert len(play(movie, TrackingParams(memory_frames=2)).tracks) == count


@pytest.mark.parametrize("step", [3, 10])
def test_a_series_that_counts_in_steps_is_a_series(step: int) -> None:
    movie = {t * step: place for t, place in numbered(wandering(12)).items()}
    assert len(play(movie).tracks) == 27
    del movie[4 * step], movie[5 * step], movie[6 * step]
    assert len(play(movie).tracks) == 54, "memory counts steps"


def test_empty_frames_within_the_memory() -> None:
    movie = numbered(wandering())
    movie[4] = np.zeros((0, 3))
    assert len(play(movie).tracks) == 27


def test_more_found_again_than_ever_lost() -> None:
    movie = {t: place if t % 2 == 0 else place[:0] for t, place in numbered(wandering(14, spread=0.3)).items()}
    assert len(play(movie).tracks) == 27


def test_only_empty_frames() -> None:
    record = play({t: np.zeros((0, 3)) for t in range(8)})
    assert record.tracks == {}
    assert set(record.final) == set(range(8))


def test_one_nucleus() -> None:
    record = play({t: np.array([[5.0, 5.0 + 0.3 * t, 5.0]]) for t in range(8)})
    assert len(record.tracks) == 1


def test_flat_movies() -> None:
    flat = [place[:, 1:][::3] for place in wandering(spread=0.3)]
    record = play(numbered([np.unique(np.round(place, 9), axis=0) for place in flat]))
    assert len(record.tracks) == 9


def test_duplicate_positions_are_ordinary() -> None:
    movie = {t: np.concatenate([place, place[:3]]) for t, place in numbered(wandering()).items()}
    record = play(movie)
    assert all(len(ids) == 30 for ids in record.ids.values())


def test_time_points_must_rise() -> None:
    tracker = Tracker()
    tracker.advance(Nuclei.from_positions(3, grid()))
    with pytest.raises(TrackingError, match="rising order"):
        tracker.advance(Nuclei.from_positions(3, grid()))


def test_positions_must_be_finite() -> None:
    places = grid()
    places[0, 0] = np.nan
    with pytest.raises(TrackingError, match="no finite position"):
        Tracker().advance(Nuclei.from_positions(0, places))


def test_units_must_not_change() -> None:
    tracker = Tracker()
    tracker.advance(Nuclei.from_positions(0, grid()))
    with pytest.raises(TrackingError, match="one unit"):
        tracker.advance(Nuclei.from_positions(1, grid(), unit="px"))


def test_pixels_are_tracked_like_micrometres() -> None:
    tracker = Tracker()
    ids = [
        set(tracker.advance(Nuclei.from_positions(t, p, unit="px")).frames[-1].track_ids)
        for t, p in enumerate(wandering(3))
    ]
    assert ids[0] == ids[1] == ids[2]


def test_an_acquisition_that_resumes_continues_its_tracks() -> None:
    places = wandering()
    tracker = Tracker()
    for t in range(5):
        tracker.advance(Nuclei.from_positions(t, places[t]))
    tracker.finish()
    update = tracker.advance(Nuclei.from_positions(5, places[5]))
    assert set(update.frames[-1].track_ids.tolist()) == set(range(1, 28))
    assert all(not track.is_final for track in update.tracks)


def test_frames_become_final_after_the_lag() -> None:
    tracker = Tracker(TrackingParams(lag_frames=4))
    updates = [tracker.advance(Nuclei.from_positions(t, place)) for t, place in enumerate(wandering())]
    became = [[frame.t for frame in update.frames if frame.is_final] for update in updates]
    assert became == [[], [], [], [], [0], [1], [2], [3], [4], [5]]


def test_a_long_movie_does_not_grow_the_state() -> None:
    tracker = Tracker()
    sizes = []
    for t, place in enumerate(wandering(30)):
        tracker.advance(Nuclei.from_positions(t, place))
        sizes.append(len(tracker.state()))
    assert max(sizes[15:]) < 1.1 * max(sizes[8:15])


@pytest.mark.parametrize(
    ("memory", "lag"),
    [(0, 1), (1, 3), (2, 5), *(pytest.param(*more, marks=pytest.mark.long) for more in ((0, 3), (2, 3)))],
)
def test_what_is_forgotten_is_never_missed(monkeypatch: pytest.MonkeyPatch, memory: int, lag: int) -> None:
    """A tracker that keeps every frame for ever comes to the same tracks, whatever is lost, divides and comes back."""
    params = TrackingParams(lag_frames=lag, memory_frames=memory)
    chance = np.random.default_rng(3)
    movie = {t: place[chance.random(len(place)) > 0.2] for t, place in numbered(dividing(14)).items()}
    usual = play(movie, params)
    monkeypatch.setattr(Tracker, "_forget", lambda self: None)
    kept = play(movie, params)
    assert (kept.ids, kept.tracks) == (usual.ids, usual.tracks)


def test_a_damaged_state_is_refused() -> None:
    with pytest.raises(TrackingError, match="cannot be read"):
        Tracker.from_state(b"nothing of the kind")


@pytest.mark.parametrize(
    ("name", "value"), [("lag_frames", 2), ("memory_frames", -1), ("search_range", 0.0), ("min_division_score", 1.0)]
)
def test_wrong_parameters_are_named(name: str, value: float) -> None:
    with pytest.raises(TrackingError, match=name):
        TrackingParams(**{name: value})  # type: ignore[arg-type]


def test_a_search_range_limits_links() -> None:
    movie = numbered(wandering(spread=0.2))
    movie[6] = movie[6] + np.where(np.arange(27)[:, None] == 13, np.array([[0.0, 4.0, 0.0]]), 0.0)
    record = play(movie, TrackingParams(search_range=2.0))
    assert record.ids[5][14] != record.ids[6][14]


@pytest.mark.parametrize(
    ("memory", "times"),
    [(0, (0, 3, 6, 7, 8)), (1, (0, 5, 10, 11, 12)), (2, (0, 10, 20, 21, 22, 23)), (2, (0, 10, 20, 21, 31, 41))],
)
def test_a_series_in_steps_that_turns_out_to_count_closer_goes_on(memory: int, times: tuple[int, ...]) -> None:
    """What counted as the next time point was a gap after all: tracks over it end, those after it are whole."""
    tracker, record, movie = Tracker(TrackingParams(memory_frames=memory)), Record(), wandering(len(times))
    for t, places in zip(times, movie, strict=True):
        record.take(tracker.advance(Nuclei.from_positions(t, places)))
    record.take(tracker.finish())
    assert set(record.ids) == set(times)
    close = [(a, b) for a, b in pairwise(times) if b - a == 1]
    assert close
    for a, b in close:
        assert record.ids[a] == record.ids[b], "nobody is lost from one time point to the next"


def test_what_is_told_is_the_newest_frame_what_became_final_and_what_changed() -> None:
    tracker = Tracker(TrackingParams(lag_frames=4, memory_frames=1))
    for t, places in enumerate(wandering(9)):
        told = [(frame.t, frame.is_final) for frame in tracker.advance(Nuclei.from_positions(t, places)).frames]
        assert told == ([(t - 4, True), (t, False)] if t >= 4 else [(t, False)])
    assert [(frame.t, frame.is_final) for frame in tracker.finish().frames] == [(t, True) for t in (5, 6, 7, 8)]


def test_tracks_count_their_nuclei_from_two_on_where_the_movie_begins() -> None:
    """They may have been there long before, so that none of them is new; and that is said once."""
    tracker = Tracker(TrackingParams(lag_frames=4, memory_frames=1))
    for t, places in enumerate(wandering(9)):
        tracker.advance(Nuclei.from_positions(t, places))
        for frame in tracker._memory.frames:
            assert frame.length.tolist() == [frame.t + 2] * len(places)


def test_each_new_frame_is_doubted_at_first_sight() -> None:
    tracker = Tracker()
    doubted: list[set[int]] = []
    for t, positions in numbered(wandering(8)).items():
        update = tracker.advance(Nuclei.from_positions(t, positions))
        doubted.append({doubts.t for doubts in update.doubts})
    assert all(t in times for t, times in enumerate(doubted) if t)
