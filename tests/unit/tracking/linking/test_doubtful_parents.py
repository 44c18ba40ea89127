"""Errors of the segmentation that look like divisions: nuclei taken for one, or broken, in a single frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nuset_engine.nuclei import Nuclei
from tests.unit.tracking.movies import Record, dividing, wandering
from tracking.tracker import Tracker

WHEN, WHOLE = 6, 300.0


def play(movie: list[pd.DataFrame]) -> Record:
    """What the tracker says of tables with z, y, x, volume, split, merge."""
    tracker, record = Tracker(), Record()
    for t, table in enumerate(movie):
        flags = {f"{name}_suspected": table[name].to_numpy(bool) for name in ("split", "merge")}
        places = table[["z", "y", "x"]].to_numpy(float)
        record.take(
            tracker.advance(Nuclei.from_positions(t, places, volume_um3=table["volume"].to_numpy(float), **flags))
        )
    record.take(tracker.finish())
    return record


def sized(movie: list[np.ndarray]) -> list[pd.DataFrame]:
    """The movie with volumes that are a little wrong, and no suspicions."""
    rng = np.random.default_rng(3)
    tables = [pd.DataFrame(places, columns=["z", "y", "x"]) for places in movie]
    return [t.assign(volume=WHOLE * np.exp(rng.normal(0, 0.06, len(t))), split=False, merge=False) for t in tables]


def divisions(record: Record) -> int:
    """Tracks that have a parent."""
    return sum(track.parent_track_id is not None for track in record.tracks.values())


@pytest.mark.parametrize("suspected", [False, True])
def test_nuclei_that_were_taken_for_one_in_a_frame_did_not_divide(suspected: bool) -> None:
    movie = sized(wandering(14))
    frame = movie[WHEN]
    frame.loc[13, ["z", "y", "x"]] = frame.loc[[13, 14], ["z", "y", "x"]].mean()
    frame.loc[13, ["volume", "merge"]] = 2 * WHOLE, suspected
    movie[WHEN] = frame.drop(index=14)
    assert divisions(play(movie)) == 0


def test_a_nucleus_that_was_broken_in_a_frame_did_not_divide() -> None:
    movie = sized(wandering(14))
    frame = movie[WHEN]
    part = frame.loc[[13]].assign(volume=0.4 * WHOLE, y=frame.loc[13, "y"] + 2.5, split=True)
    frame.loc[13, ["volume", "y", "split"]] = 0.6 * WHOLE, frame.loc[13, "y"] - 2.0, True
    movie[WHEN] = pd.concat([frame, part], ignore_index=True)
    assert divisions(play(movie)) == 0


def test_daughters_that_stay_small_are_found() -> None:
    movie = sized(dividing(14, WHEN))
    for t in range(WHEN, 14):
        movie[t].loc[[13, 27], "volume"] *= 0.45
    assert divisions(play(movie)) == 2
