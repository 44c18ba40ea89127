"""What speaks for a nucleus having been missed where a track goes on over a time point: its place, and who is there."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FloatsN, PointsZYX, RowsN, VectorZYX
from tracking.doubts.surroundings import Crossing, Logits, along, column, edge, follower, light, odds_along
from tracking.evidence.frame import Frame
from tracking.evidence.neighbours import nearest

AWAY = 5.0
"""Distances count up to so many distances between neighbours."""


def missed_features(frames: list[Frame], index: int, step: Crossing, wrong: Logits) -> tuple[RowsN, dict[str, FloatsN]]:
    """Rows (G,) of frame `index` that go on over a gap, and features of nothing having been there in the meantime."""
    frame = frames[index]
    rows = np.flatnonzero((frame.back > 1) & ~frame.newborn)
    if not len(rows):
        return rows, {}
    back, source = frame.back[rows], frame.row[rows]
    before = index - back
    start = np.array([frames[at].positions[row] for at, row in zip(before.tolist(), source.tolist(), strict=True)])
    moved = frame.positions[rows] - start
    expected = start + moved / back[:, None] + _jolt(frames, index)
    distance, size, light_there, odds = _there(frames, before + 1, expected, wrong)
    later, _ = follower(frames, index)
    border = np.maximum(column(frame, "border")[rows], along(frames, before, source, "border"))
    features = {
        "length": (back - 1).astype(np.float64),
        "moved": np.minimum(np.linalg.norm(moved, axis=1) / step.scale, AWAY),
        "rise": np.abs(frame.size[rows] - along(frames, before, source, "size")),
        "light": np.abs(light(frame)[rows] - along(frames, before, source, "log_intensity")),
        "size": frame.size[rows] - frame.middle_size,
        "border": border,
        "edge": edge(frame)[rows] / step.scale,
        "host": np.minimum(distance / step.scale, AWAY),
        "host_size": size,
        "host_light": light_there,
        "host_wrong": odds,
        "wrong_after": wrong[index][rows],
        "wrong_before": odds_along(wrong, before, source),
    }
    if index + 1 < len(frames):
        features["lost"] = (later[rows] < 0).astype(np.float64)
    return rows, features


def _jolt(frames: list[Frame], index: int) -> VectorZYX:
    """How far the frame before `index` lies off the middle between those beside it, known of who is in all three."""
    frame, before = frames[index], frames[index - 1]
    rows = np.flatnonzero((frame.back == 1) & ~frame.newborn)
    rows = rows[(before.back[frame.row[rows]] == 1) & ~before.newborn[frame.row[rows]]]
    if index < 2 or not len(rows):
        return np.zeros(3)
    there = frame.row[rows]
    first = frames[index - 2].positions[before.row[there]]
    return np.asarray(np.median(before.positions[there] - (first + frame.positions[rows]) / 2.0, axis=0))


def _there(
    frames: list[Frame], at: RowsN, places: PointsZYX, wrong: Logits
) -> tuple[FloatsN, FloatsN, FloatsN, FloatsN]:
    """Distance of the nearest nucleus of each frame to a place, its size and light beside others, and its odds."""
    distance, size, bright, odds = (np.full(len(at), np.nan) for _ in range(4))
    for index in np.unique(at).tolist():
        frame, here = frames[index], np.flatnonzero(at == index)
        if not len(frame):
            continue
        far, row = nearest(frame.tree, places[here], 1)
        distance[here], found = far[:, 0], row[:, 0]
        size[here] = frame.size[found] - frame.middle_size
        bright[here] = light(frame)[found] - frame.middle_light
        odds[here] = wrong[index][found]
    return distance, size, bright, odds
