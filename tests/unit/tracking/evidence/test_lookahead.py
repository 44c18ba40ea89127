"""What the next frame tells of nuclei that a frame does not show."""

from __future__ import annotations

import numpy as np

from nuset_engine.nuclei import Nuclei
from tests.unit.tracking.movies import wandering
from tracking.evidence.beliefs import believe
from tracking.evidence.expectation import CostModel
from tracking.evidence.lookahead import regain_saving
from tracking.evidence.sources import open_ends
from tracking.tracker import Tracker

WHEN, ROW = 5, 13


def tracked(seen_again: bool) -> tuple[np.ndarray, int]:
    """Savings of the sources of frame `WHEN`, which misses one nucleus, and which source that one is."""
    tracker, movie = Tracker(), wandering(WHEN + 3)
    for t, places in enumerate(movie):
        lost = t == WHEN or (t > WHEN and not seen_again)
        kept = np.delete(np.arange(len(places)), ROW) if lost else np.arange(len(places))
        tracker.advance(Nuclei.from_positions(t, places[kept], label=kept + 1))
    memory = tracker._memory
    index = next(i for i, frame in enumerate(memory.frames) if frame.t == WHEN)
    sources = open_ends(memory.frames, index, 2, 10.0)
    model = CostModel(3, 10.0, believe(memory.sums, 1.0), tracker.params)
    saving = regain_saving(memory.frames, index, sources, 0.6, model)
    of = int(np.flatnonzero(memory.frames[index - 1].labels[sources.row] == ROW + 1)[0])
    return saving, of


def test_only_the_nucleus_that_comes_back_saves_anything_by_being_missed() -> None:
    saving, of = tracked(seen_again=True)
    assert saving[of] > 2.0
    assert (np.delete(saving, of) == 0).all()


def test_nothing_is_saved_where_nothing_comes_back() -> None:
    saving, _ = tracked(seen_again=False)
    assert (saving == 0).all()


def test_the_newest_frame_knows_no_future() -> None:
    tracker, movie = Tracker(), wandering(4)
    for t, places in enumerate(movie):
        tracker.advance(Nuclei.from_positions(t, places[: len(places) - (t >= 2)]))
    memory = tracker._memory
    model = CostModel(3, 10.0, believe(memory.sums, 1.0), tracker.params)
    sources = open_ends(memory.frames, 3, 2, 10.0)
    np.testing.assert_array_equal(regain_saving(memory.frames, 3, sources, 0.6, model), np.zeros(len(sources)))
