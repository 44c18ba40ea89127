"""Time points that come in steps: found over three, counted as one each, and told as they are numbered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nuset_engine.nuclei import Nuclei
from tests.unit.tracking.movies import dividing, numbered, play
from tracking.errors import TrackerStateError, TrackingError
from tracking.graph import Track
from tracking.measures import track_measures
from tracking.steps import absent, off_step, step_of
from tracking.tracker import Tracker


@pytest.mark.parametrize(
    ("numbers", "step"),
    [
        ((0, 3, 6), 3),
        ((6, 0, 3), 3),
        ((1, 4, 7, 13), 3),  # one is absent
        ((70, 71, 72), 1),
        ((0, 3), 1),  # two files tell no step
        ((0, 3, 6, 7), 1),
        ((10, 20, 40), 1),  # seen once only
        ((0, 2, 6), 1),
        ((), 1),
    ],
)
def test_a_step_is_seen_over_three_and_holds_for_all(numbers: tuple[int, ...], step: int) -> None:
    assert step_of(numbers) == step


def test_what_is_absent_and_what_does_not_fit() -> None:
    assert absent((70, 71, 73, 75)) == (72, 74)
    assert absent((1, 4, 13), 3) == (7, 10)
    assert absent(()) == ()
    assert off_step((1, 4, 6, 8), 3) == (6, 8)
    assert off_step((1, 4), 3) == ()


def in_steps(places: list[np.ndarray], step: int, start: int) -> list[Nuclei]:
    return [Nuclei.from_positions(t * step + start, one) for t, one in enumerate(places)]


@pytest.mark.parametrize("start", [0, 2])
def test_every_fifth_frame_is_tracked_as_every_frame_is(start: int) -> None:
    places = dividing()
    plain, tracker = play(numbered(places)), Tracker(step=5)
    tracks: dict[int, Track] = {}
    ids: dict[int, list[int]] = {}
    updates = [tracker.advance(table) for table in in_steps(places, 5, start)] + [tracker.finish()]
    for update in updates:
        ids |= {frame.t: frame.track_ids.tolist() for frame in update.frames}
        tracks |= {track.track_id: track for track in update.tracks}
    assert set(ids) == {5 * t + start for t in plain.ids}
    found = {i: (k.parent_track_id, k.first_t, k.last_t, k.nuclei_count) for i, k in tracks.items()}
    assert {
        i: (k.parent_track_id, 5 * k.first_t + start, 5 * k.last_t + start, k.nuclei_count)
        for i, k in plain.tracks.items()
    } == {i: found[i] for i in plain.tracks}


def test_a_tracker_goes_on_in_its_own_steps_only() -> None:
    tables = in_steps(dividing(), 3, 1)
    tracker = Tracker(step=3)
    tracker.advance(tables[0])
    again = Tracker.from_state(tracker.state(), step=3)
    assert [frame.t for frame in again.advance(tables[1]).frames] == [4]
    with pytest.raises(TrackerStateError, match="steps of 3, they come in steps of 1"):
        Tracker.from_state(tracker.state())
    with pytest.raises(TrackingError, match="does not fit the step of 3"):
        again.advance(Nuclei(6, tables[0].table, "um"))


@pytest.mark.parametrize(("gone", "goes_on"), [(2, True), (3, False)])
def test_an_absence_without_any_rows_ends_tracks_beyond_the_memory(gone: int, goes_on: bool) -> None:
    """The memory is two: with three time points removed altogether, every nucleus begins anew; so with steps."""
    places = np.array([[0.0, 30.0 * i, 0.0] for i in range(6)])
    for step in (1, 4):
        tracker = Tracker(step=step)
        before: set[int] = set()
        after: set[int] = set()
        for t in (*range(8), *range(8 + gone, 14)):
            update = tracker.advance(Nuclei.from_positions(t * step, places))
            (last,) = [frame for frame in update.frames if frame.t == t * step]
            (before if t < 8 else after).update(last.track_ids.tolist())
        assert (before == after) is goes_on
        assert before.isdisjoint(after) is not goes_on


def test_measures_count_steps_and_division_is_told_as_it_is_numbered() -> None:
    rows = pd.DataFrame({"t": [1, 4, 7, 10], "track_id": 1, "parent_track_id": pd.array([9] * 4, dtype="Int64")})
    for axis in "zyx":
        rows[f"centroid_{axis}_um"] = 0.0
    rows["centroid_x_um"] = [0.0, 2.0, 4.0, 6.0]
    measures = track_measures(rows, 90.0, dividing={1}, step=3).loc[1]
    assert (measures["duration_frames"], measures["duration_s"]) == (4, 360.0)
    assert (measures["cycle_frames"], measures["cycle_s"], measures["division_t"]) == (4, 360.0, 10)
    assert (measures["mean_speed_um_per_frame"], measures["msd_1_um2"]) == (2.0, 4.0)
