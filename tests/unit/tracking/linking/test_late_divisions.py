"""Divisions of which one daughter was missed at first."""

from __future__ import annotations

import numpy as np
import pytest

from nuset_engine.nuclei import Nuclei
from tests.unit.tracking.movies import Record, dividing, numbered, play
from tracking.graph import TrackGraph
from tracking.linking.late_edit import complete, undo
from tracking.params import TrackingParams
from tracking.tracker import Tracker


def without_first_sight(missed: int, frames: int = 14) -> dict[int, np.ndarray]:
    """A division at 6 of which the second daughter (row 27, label 28) is missed in the first frames."""
    movie = numbered(dividing(frames))
    for t in range(6, 6 + missed):
        movie[t] = movie[t][:27]
    return movie


def daughters_of(record: Record) -> tuple[int, ...]:
    """Daughters of the nucleus that divides, as the tracks say."""
    return TrackGraph(record.tracks.values(), record.nodes()).daughters(record.ids[5][14])


def test_a_late_division_is_made_and_taken_back() -> None:
    tracker = Tracker()
    for t, places in list(without_first_sight(1).items())[:8]:
        tracker.advance(Nuclei.from_positions(t, places))
    frames = tracker._memory.frames
    index = len(frames) - 1
    frame, born, before = frames[index], frames[index - 1], frames[index - 2]
    target = int(np.flatnonzero(frame.labels == 28)[0])
    row = int(np.flatnonzero(born.labels == 14)[0])
    parent = int(np.flatnonzero(before.labels == 14)[0])
    born.newborn[row], born.back[row], born.row[row] = False, 1, parent
    undone = {name: array.copy() for name, array in born.arrays().items()}
    complete(frames, index, (1, row), 1, target, 0.8)
    assert (frame.back[target], frame.row[target]) == (2, parent)
    assert frame.newborn[target]
    assert born.newborn[row]
    assert frame.born_t[target] == born.born_t[row] == born.t
    assert born.length[row] == 1
    undo(frames, index)
    for name, array in born.arrays().items():
        np.testing.assert_array_equal(array, undone[name], err_msg=name)


def test_a_daughter_that_appears_beyond_the_memory_has_none() -> None:
    record = play(without_first_sight(3))
    assert daughters_of(record) == ()
    assert record.ids[5][14] == record.ids[9][14]


def test_no_late_daughters_where_divisions_are_switched_off() -> None:
    record = play(without_first_sight(1), TrackingParams(find_divisions=False))
    assert all(track.parent_track_id is None for track in record.tracks.values())


def test_final_frames_are_never_cut() -> None:
    # With so short a lag the sister's first frame is final before the other daughter is seen for the last time.
    record = play(without_first_sight(2), TrackingParams(lag_frames=3, memory_frames=2))
    TrackGraph(record.tracks.values(), record.nodes())


def test_a_nucleus_from_nothing_far_away_is_no_daughter() -> None:
    movie = without_first_sight(1)
    for t in range(7, 14):
        movie[t][27] += (0.0, 0.0, 60.0)
    assert daughters_of(play(movie)) == ()


@pytest.mark.parametrize("cut", [7, 8, 9])
def test_a_restart_between_the_two_daughters_changes_nothing(cut: int) -> None:
    movie, record, tracker = without_first_sight(1), Record(), Tracker()
    for t, places in movie.items():
        if t == cut:
            tracker = Tracker.from_state(tracker.state())
        record.take(tracker.advance(Nuclei.from_positions(t, places)))
    record.take(tracker.finish())
    assert record.ids == play(movie).ids
