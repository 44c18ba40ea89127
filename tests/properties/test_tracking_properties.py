"""What holds for any movie: unique ids, final ids that stay, exact state, no dependence on the order of rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nuset_engine.nuclei import Nuclei
from tests.unit.tracking.movies import Record
from tracking.graph import TrackGraph
from tracking.params import TrackingParams
from tracking.tracker import Tracker, TrackUpdate

QUICK = settings(max_examples=12, deadline=None, derandomize=True)


@st.composite
def movies(draw: st.DrawFn) -> list[tuple[int, np.ndarray]]:
    """Crowded movies with empty frames, missing time points, duplicates, births and losses."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    flat = draw(st.booleans())
    places = rng.uniform(0, draw(st.sampled_from([5.0, 20.0])), (draw(st.integers(0, 14)), 3))
    frames, t = [], 0
    for _ in range(draw(st.integers(2, 9))):
        t += draw(st.sampled_from([1, 1, 1, 3]))
        kept = places[rng.random(len(places)) > 0.1]
        born = kept[rng.random(len(kept)) < 0.1] + rng.normal(0, 1.0, 3)
        places = np.concatenate([kept + rng.normal(0, 0.5, kept.shape), born])
        shown = places[:0] if draw(st.integers(0, 9)) == 0 else np.round(places, draw(st.sampled_from([0, 6])))
        frames.append((t, shown * np.array([0.0 if flat else 1.0, 1.0, 1.0])))
    return frames


def nuclei_of(t: int, places: np.ndarray, order: np.ndarray | None = None) -> Nuclei:
    """Nuclei with labels 1..n, rows in any order."""
    order = np.arange(len(places)) if order is None else order
    return Nuclei.from_positions(t, places[order], label=order + 1)


def same(one: TrackUpdate, two: TrackUpdate) -> bool:
    """Bit for bit the same update."""
    frames = all(
        a.t == b.t and a.is_final == b.is_final and (a.labels == b.labels).all() and (a.track_ids == b.track_ids).all()
        for a, b in zip(one.frames, two.frames, strict=True)
    )
    return frames and one.tracks == two.tracks and one.removed_tracks == two.removed_tracks


@given(movies(), st.sampled_from([3, TrackingParams().lag_frames]))
@QUICK
def test_listeners_always_hold_a_lineage(movie: list[tuple[int, np.ndarray]], lag: int) -> None:
    tracker, record = Tracker(TrackingParams(lag_frames=lag)), Record()
    for t, places in movie:
        record.take(tracker.advance(nuclei_of(t, places)))
        assert sorted(record.ids[t]) == list(range(1, len(places) + 1))
        TrackGraph(record.tracks.values(), record.nodes())
    record.take(tracker.finish())
    assert all(track.is_final for track in record.tracks.values())
    assert set(record.final) == {t for t, _ in movie}
    TrackGraph(record.tracks.values(), record.nodes())


@given(movies())
@QUICK
def test_a_restart_at_any_frame_changes_nothing(movie: list[tuple[int, np.ndarray]]) -> None:
    steady, restarted = Tracker(), Tracker()
    for t, places in movie:
        restarted = Tracker.from_state(restarted.state())
        assert same(steady.advance(nuclei_of(t, places)), restarted.advance(nuclei_of(t, places)))
        assert steady.state() == restarted.state()
    assert same(steady.finish(), Tracker.from_state(restarted.state()).finish())


@given(movies(), st.integers(0, 2**32 - 1))
@QUICK
def test_the_order_of_rows_changes_nothing(movie: list[tuple[int, np.ndarray]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    plain, shuffled = Tracker(), Tracker()
    for t, places in movie:
        order = rng.permutation(len(places))
        assert same(plain.advance(nuclei_of(t, places)), shuffled.advance(nuclei_of(t, places, order)))
