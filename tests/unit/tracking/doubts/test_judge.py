"""What the tracker says of its own decisions: what is strange is doubted more than what is usual."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nuset_engine.nuclei import Nuclei
from tests.unit.tracking.movies import wandering
from tracking.doubts.told import FrameDoubts
from tracking.params import TrackingParams
from tracking.tracker import Tracker

VOLUME = 300.0


def nuclei_at(t: int, places: np.ndarray, **columns: np.ndarray) -> Nuclei:
    """Nuclei as a good stack gives them."""
    count = len(places)
    known = {
        "score": np.full(count, 0.95),
        "volume_um3": np.full(count, VOLUME),
        "equivalent_diameter_um": np.full(count, 8.3),
        "intensity_mean": np.full(count, 1000.0),
        "intensity_std": np.full(count, 200.0),
        "elongation": np.full(count, 1.2),
        "extent": np.full(count, 0.5),
        "slices_seen": np.full(count, 9),
        "slices_expected": np.full(count, 9),
    }
    return Nuclei.from_positions(t, places, "um", **(known | columns))


def told(frames: list[Nuclei], params: TrackingParams | None = None) -> dict[int, FrameDoubts]:
    """The last that is told of each time point."""
    tracker, found = Tracker(params), dict[int, FrameDoubts]()
    for update in (*(tracker.advance(nuclei) for nuclei in frames), tracker.finish()):
        for doubts in update.doubts:
            found[doubts.t] = doubts.over(found.get(doubts.t))
    return found


def by_label(doubts: FrameDoubts, name: str) -> np.ndarray:
    return np.asarray(pd.Series(getattr(doubts, name), index=doubts.labels).sort_index())


def test_a_piece_of_a_nucleus_is_doubted_more_than_whole_ones() -> None:
    places = wandering(8, spread=0.2)
    frames = []
    for t, where in enumerate(places):
        columns = {}
        if t == 4:
            small = np.where(np.arange(len(where)) == 13, 0.1, 1.0)
            score = np.where(np.arange(len(where)) == 13, 0.4, 0.95)
            seen = np.where(np.arange(len(where)) == 13, 2, 9)
            columns = {"volume_um3": VOLUME * small, "equivalent_diameter_um": 8.3 * np.cbrt(small)}
            columns |= {"score": score, "slices_seen": seen, "split_suspected": small < 1}
        frames.append(nuclei_at(t, where, **columns))
    doubt = by_label(told(frames)[4], "doubt")
    assert doubt[13] > 10 * np.median(doubt)
    assert np.argmax(doubt) == 13


def test_a_nucleus_that_is_gone_and_comes_back_elsewhere_is_doubted() -> None:
    places = wandering(10, spread=0.2)
    frames = []
    for t, where in enumerate(places):
        moved = where.copy()
        if t >= 5:
            moved[13] += [0.0, 5.0, 5.0]
        frames.append(nuclei_at(t, moved))
    found = told(frames)
    usual = np.nanmedian(by_label(found[3], "link_doubt"))
    strange = max(np.nanmax(by_label(found[5], "link_doubt")), np.nanmax(by_label(found[4], "end_doubt"), initial=0.0))
    assert strange > 10 * usual


def test_nothing_is_said_of_how_the_first_begin_and_the_last_end() -> None:
    found = told([nuclei_at(t, where) for t, where in enumerate(wandering(4))])
    assert np.isnan(found[0].link_doubt).all()
    assert np.isnan(found[3].end_doubt).all()
    assert np.isfinite(found[0].doubt).all()
    assert np.isfinite(found[1].link_doubt).all()


def test_all_of_a_new_time_point_is_told_and_of_earlier_ones_what_changed() -> None:
    tracker, parts = Tracker(), []
    for t, where in enumerate(wandering(12)):
        update = tracker.advance(nuclei_at(t, where))
        assert [len(doubts) for doubts in update.doubts if doubts.t == t] == [len(where)]
        parts += [len(doubts) for doubts in update.doubts if doubts.t != t]
    assert sum(parts) < 0.5 * 12 * 27


def test_positions_alone_are_doubted_too_and_empty_time_points_harm_nothing() -> None:
    places = wandering(6)
    frames = [Nuclei.from_positions(t, where) for t, where in enumerate(places)]
    frames[3] = Nuclei.empty(3)
    found = told(frames)
    assert all(((d.doubt >= 0) & (d.doubt <= 1)).all() for t, d in found.items() if t != 3)
    lone = told([Nuclei.from_positions(t, where[:1]) for t, where in enumerate(places)])
    assert len(lone) == 6


def test_tracks_carry_how_they_begin_and_end() -> None:
    places = wandering(8)
    frames = [nuclei_at(t, where if t < 5 else where[:-1]) for t, where in enumerate(places)]
    tracker = Tracker(TrackingParams(lag_frames=3))
    tracks = {}
    for update in (*(tracker.advance(nuclei) for nuclei in frames), tracker.finish()):
        tracks |= {track.track_id: track for track in update.tracks}
    ended = [track for track in tracks.values() if track.last_t == 4]
    assert [track.doubt for track in ended] == [None]
    assert ended[0].end_doubt is not None
    assert all(track.end_doubt is None for track in tracks.values() if track.last_t == 7)
