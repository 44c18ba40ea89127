"""Small movies of points with known truth for the tracker's tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nuset_engine.nuclei import Nuclei
from tracking.graph import Track
from tracking.params import TrackingParams
from tracking.tracker import Tracker, TrackUpdate


def grid(edge: int = 3, distance: float = 10.0) -> np.ndarray:
    """Points (edge^3, 3) on a cubic lattice, shaken a little so that nothing is symmetric."""
    points = np.stack(np.meshgrid(*[np.arange(edge) * distance] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return points + np.random.default_rng(0).normal(0, 0.05 * distance, points.shape)


def wandering(frames: int = 10, seed: int = 1, spread: float = 0.6) -> list[np.ndarray]:
    """The lattice, every point of which wanders."""
    rng = np.random.default_rng(seed)
    places = [grid()]
    for _ in range(frames - 1):
        places.append(places[-1] + rng.normal(0, spread, places[-1].shape))
    return places


def dividing(frames: int = 12, when: int = 6, seed: int = 2) -> list[np.ndarray]:
    """The lattice; at `when` its middle point (row 13) becomes two, 4 apart, which then drift apart: rows 13 and 27."""
    places = wandering(frames, seed)
    for index in range(when, frames):
        middle = places[index][13]
        apart = np.array([0.0, 2.0 + 0.2 * (index - when), 0.0])
        places[index] = np.concatenate([places[index], [middle - apart]])
        places[index][13] = middle + apart
    return places


class Record:
    """What a listener to the tracker's updates knows, checked on the way: final ids never change."""

    def __init__(self) -> None:
        """Know nothing."""
        self.ids: dict[int, dict[int, int]] = {}
        self.final: dict[int, dict[int, int]] = {}
        self.tracks: dict[int, Track] = {}

    def take(self, update: TrackUpdate) -> None:
        """Enter an update."""
        for frame in update.frames:
            ids = dict(zip(frame.labels.tolist(), frame.track_ids.tolist(), strict=True))
            assert len(set(ids.values())) == len(ids), "two nuclei of one frame in one track"
            assert frame.t not in self.final or self.final[frame.t] == ids, "a final id changed"
            self.ids[frame.t] = ids
            if frame.is_final:
                self.final[frame.t] = ids
        for track in update.tracks:
            self.tracks[track.track_id] = track
        for track_id in update.removed_tracks:
            assert track_id not in {i for ids in self.final.values() for i in ids.values()}
            del self.tracks[track_id]

    def nodes(self) -> pd.DataFrame:
        """One row per nucleus."""
        rows = [(t, label, track) for t, ids in self.ids.items() for label, track in ids.items()]
        return pd.DataFrame(rows, columns=["t", "label", "track_id"])


def play(
    movie: dict[int, np.ndarray], params: TrackingParams | None = None, finish: bool = True, **columns: object
) -> Record:
    """Track a movie given as positions by time point; labels count from 1."""
    tracker, record = Tracker(params), Record()
    for t, places in movie.items():
        record.take(tracker.advance(Nuclei.from_positions(t, places)))
    if finish:
        record.take(tracker.finish())
    return record


def numbered(places: list[np.ndarray]) -> dict[int, np.ndarray]:
    """Time points 0, 1, 2, ..."""
    return dict(enumerate(places))
