"""What the tracker solves anew with each time point, what it knows of the movie then, and which doubts it tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nuset_engine.nuclei import Nuclei
from tests.unit.tracking.movies import dividing, wandering
from tracking import tracker as under_test
from tracking.doubts.told import LITTLE
from tracking.params import TrackingParams
from tracking.tracker import Tracker


class Watched:
    """A tracker that is watched while it solves.

    Attributes
    ----------
    calls : list of (what, time point)
    dimensions : list of int
        Of each solution.
    intervals : list of float
        Time between frames, as each solution takes it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **params: int) -> None:
        self.tracker = Tracker(TrackingParams(**params))  # type: ignore[arg-type]
        self.calls: list[tuple[str, float]] = []
        self.dimensions: list[int] = []
        self.intervals: list[float] = []
        for name in ("undo", "solve_step", "believe"):
            monkeypatch.setattr(under_test, name, self._watching(name, getattr(under_test, name)))

    def _watching(self, name: str, good: Any) -> Any:
        def call(*given: Any) -> Any:
            if name == "believe":
                self.intervals.append(given[1])
            else:
                self.calls.append((name, given[0][given[1]].t))
            if name == "solve_step":
                self.dimensions.append(given[6].dimensions)
            return good(*given)

        return call

    def take(self, places: Sequence[np.ndarray], every: int = 1) -> None:
        """All time points."""
        for t, one in enumerate(places):
            self.tracker.advance(Nuclei.from_positions(t * every, one))


@pytest.mark.parametrize(
    ("params", "again"),
    [({"lag_frames": 3, "memory_frames": 2}, 1), ({"lag_frames": 6, "memory_frames": 0}, 3), ({}, 3)],
)
def test_a_frame_is_solved_again_from_what_it_was_before(
    monkeypatch: pytest.MonkeyPatch, params: dict[str, int], again: int
) -> None:
    """So often that no decision is taken back which reaches into final frames; and the new one for the first time."""
    watched = Watched(monkeypatch, **params)
    expected: list[tuple[str, float]] = []
    for t, places in enumerate(dividing(9)):
        watched.tracker.advance(Nuclei.from_positions(t, places))
        for earlier in range(max(1, t - again), t):
            expected += [("undo", earlier), ("solve_step", earlier)]
        expected += [("solve_step", t)] if t else []
        assert watched.calls == expected


LINE = np.array([[0.0, 0.0, 10.0 * n] for n in range(6)])
PLANE = LINE + np.array([[0.0, 8.0 * (n % 2), 0.0] for n in range(6)])
THIN = PLANE + np.array([[0.3 * (n % 3), 0.0, 0.0] for n in range(6)])


@pytest.mark.parametrize(("places", "dimensions"), [(LINE, 1), (PLANE, 2), (THIN, 3), (LINE[:1], 1), (LINE[:0], 3)])
def test_nuclei_lie_in_as_many_dimensions_as_they_differ_in(
    monkeypatch: pytest.MonkeyPatch, places: np.ndarray, dimensions: int
) -> None:
    watched = Watched(monkeypatch)
    watched.take([places] * 3)
    assert set(watched.dimensions) == {dimensions}


@pytest.mark.parametrize("every", [1, 3])
def test_time_between_frames_is_what_most_of_them_have(monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    watched = Watched(monkeypatch)
    watched.take(wandering(6), every)
    assert set(watched.intervals) == {every}


def test_the_step_before_tells_where_all_of_them_went() -> None:
    tracker, drift = Tracker(), np.array([0.5, 4.0, -1.0])
    for t, places in enumerate(wandering(4, spread=0.01)):
        tracker.advance(Nuclei.from_positions(t, places + t * drift))
    frames = tracker._memory.frames
    assert under_test._usual_shift(frames, 1).tolist() == [0.0] * 3, "nobody has seen a step yet"
    for index in (2, 3):
        np.testing.assert_allclose(under_test._usual_shift(frames, index), drift, atol=0.05)


def test_doubts_are_told_of_new_nuclei_and_again_where_they_changed() -> None:
    """Of those of one time point once in an update; nothing is left to tell when all is final."""
    tracker = Tracker(TrackingParams(lag_frames=4, memory_frames=1))
    known: dict[tuple[int, int], np.ndarray] = {}
    chance = np.random.default_rng(5)
    again = 0
    movie = [places[chance.random(len(places)) > 0.1] for places in dividing(10)]
    updates = [tracker.advance(Nuclei.from_positions(t, places)) for t, places in enumerate(movie)]
    for t, update in enumerate([*updates, tracker.finish()]):
        times = [doubts.t for doubts in update.doubts]
        assert len(set(times)) == len(times)
        for doubts in update.doubts:
            now = np.stack([doubts.doubt, doubts.link_doubt, doubts.end_doubt], axis=1)
            if doubts.t == t:
                assert sorted(doubts.labels.tolist()) == list(range(1, len(movie[t]) + 1))
            else:
                before = np.stack([known[doubts.t, label] for label in doubts.labels.tolist()])
                other = (np.isnan(before) != np.isnan(now)) | (np.abs(now - before) > LITTLE)
                assert other.any(axis=1).all()
                again += 1
            known |= {(doubts.t, label): row for label, row in zip(doubts.labels.tolist(), now, strict=True)}
    assert again > 3
    assert tracker.finish().doubts == ()
