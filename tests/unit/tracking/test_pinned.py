"""Numbers of the tracker that change on purpose only: what it decided and noted down about two crowded movies.

That a decision is as good as it was, other tests and the benchmarks say. This one says that nothing changed at all: who
means to change how tracks are found looks at those, and then enters the new numbers here, which a failure prints.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from nuset_engine.nuclei import Nuclei
from tests.unit.tracking.movies import Record
from tracking.params import TrackingParams
from tracking.state import Memory, unpack
from tracking.tracker import Tracker

NOTED = ("residual", "usual", "growth", "cycle", "born_t", "born_score", "length", "score")
# Tracks, divisions, sum of their scores, a number for the ids, sums of what the frames hold, and of all observations.
PINNED: dict[str, list[float]] = {
    "stacks": [
        43, 1.0, 1.201138, 1232275, 280.133912, 571.966295, 4.573512, 0.0, 1113.0, 9.609108, 2903.0, 0.0,
        -122.703139, 124.099679, 72.709055, 160.507895, -0.281009, 7.482389, 6.83908, 1.470184, 0.001522, 5e-06,
        0.774539, 0.48525, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.192529, 161.020192, 9.852019, 11.327301, 8.067243,
        0.0, 222.724521, 12.197845, 25.330455, 530.405396, 61.592955, 559.741967, -0.104742, 0.021977, 1.2582,
    ],
    "planes": [
        54, 4.0, 4.773466, 1290142, 156.702559, 448.499146, 3.71758, 39.0, 1376.0, 25.418167, 2096.0, 0.0,
        -122.747459, 125.695057, 52.922724, 118.344411, 1.13996, 24.299072, 16.630956, 5.888473, 0.101898,
        0.580259, 3.726018, 1.931554, 0.278469, 0.30593, 0.253474, 0.0, 0.0, 0.0, 0.555499, 158.396522,
        13.729445, 14.162199, 5.561513, 0.630249, 242.588295, 13.587953, 26.347927, 552.973421, 72.256901,
        612.961041, -0.243622, 0.099318, 5.016509,
    ],
    "limits": [
        42, 0.0, 0.0, 1172833, 280.133912, 572.131277, 4.573512, 0.0, 1092.0, 0.0, 2931.0, 0.0, -121.693932,
        124.309394, 74.586295, 166.239097, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        0.0, 169.966575, 10.550356, 11.327301, 8.067243, 0.0, 222.724521, 12.197845, 25.588788, 532.500408,
        61.592955, 559.741967, 0.0, 0.0, 0.0,
    ],
}  # fmt: skip


def movie(dimensions: int, seed: int) -> list[Nuclei]:
    """Crowded nuclei that drift, divide, grow, are missed, cut in two and taken for one; time points are left out."""
    chance = np.random.default_rng(seed)
    count = 26
    places = chance.uniform(0, 22.0 if dimensions == 3 else 34.0, (count, 3))
    volumes, brightness = chance.uniform(300, 500, count), chance.uniform(40, 60, count)
    velocity = chance.normal(0, 0.4, (count, 3))
    found, t = [], 0
    for step in range(16):
        t += 2 if step in (5, 11) else 1
        velocity = 0.7 * velocity + chance.normal(0, 0.3, velocity.shape)
        places = places + velocity + np.array([0.0, 0.5, -0.2])
        volumes = volumes * 1.02
        if step >= 3 and step % 2 == 1:  # two divide
            parents = chance.choice(len(places), 2, replace=False)
            apart = chance.normal(0, 1.0, (2, 3))
            apart *= 2.2 / np.linalg.norm(apart, axis=1, keepdims=True)
            places = np.concatenate([places, places[parents] - apart])
            places[parents] += apart
            volumes = np.concatenate([volumes, volumes[parents] / 2])
            volumes[parents] /= 2
            brightness = np.concatenate([brightness, brightness[parents] * 1.1])
            velocity = np.concatenate([velocity, velocity[parents]])
        seen = np.flatnonzero(chance.random(len(places)) > 0.06)
        shown = places[seen] if dimensions == 3 else places[seen] * np.array([0.0, 1.0, 1.0])
        table = {
            "volume_um3": volumes[seen] * chance.uniform(0.95, 1.05, len(seen)),
            "intensity_mean": brightness[seen],
            "elongation": chance.uniform(0.1, 0.5, len(seen)),
            "split_suspected": chance.random(len(seen)) < 0.05,
            "merge_suspected": chance.random(len(seen)) < 0.05,
        }
        found.append(Nuclei.from_positions(t, shown, **table))
    return found


def numbers_of(record: Record, memory: Memory) -> list[float]:
    """What is pinned."""
    scores = [track.division_score or 0.0 for track in record.tracks.values()]
    ids = sum(t * label * track % 9973 for t, row in record.ids.items() for label, track in row.items())
    divisions = sum(track.parent_track_id is not None for track in record.tracks.values()) / 2
    held = [sum(float(np.nansum(np.abs(getattr(frame, name)))) for frame in memory.frames) for name in NOTED]
    observed = [sum(value) if isinstance(value, tuple) else value for value in asdict(memory.sums).values()]
    return [len(record.tracks), divisions, sum(scores), ids, *held, *map(float, observed)]


@pytest.mark.parametrize(
    ("name", "dimensions", "params"),
    [
        ("stacks", 3, TrackingParams()),
        ("planes", 2, TrackingParams(lag_frames=4, memory_frames=1)),
        ("limits", 3, TrackingParams(search_range=3.0, division_range=5.0, min_division_score=0.7)),
    ],
)
def test_numbers_change_on_purpose_only(name: str, dimensions: int, params: TrackingParams) -> None:
    tracker, record = Tracker(params), Record()
    for nuclei in movie(dimensions, seed=11):
        record.take(tracker.advance(nuclei))
    memory = unpack(tracker.state())
    record.take(tracker.finish())
    found = [round(number, 6) for number in numbers_of(record, memory)]
    assert found == pytest.approx(PINNED.get(name, []), rel=1e-5, abs=1e-5), f'"{name}": {found},'
