"""What speaks for and against a nucleus being exactly one: its section count, its size beside others and over time."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, PointsZYX, RowsN
from tracking.doubts.surroundings import along, column, followed, follower, light
from tracking.evidence.frame import Frame, middle
from tracking.evidence.neighbours import nearest

FAR = 5.0
"""Distances count up to so many distances between neighbours."""


def nucleus_features(frames: list[Frame], index: int) -> dict[str, FloatsN]:
    """Features (N,) of the nuclei of a frame, by name; NaN where unknown."""
    frame = frames[index]
    score = column(frame, "score_seen")
    size = frame.size - frame.middle_size
    features = {
        "distrust": -np.log(np.clip(1.0 - score, 1e-4, 1.0)),
        "thickness": column(frame, "thickness"),
        "unseen": column(frame, "unseen"),
        "bridged": column(frame, "bridged"),
        "border": column(frame, "border"),
        "suspect": column(frame, "suspect"),
        "fused": column(frame, "fused"),
        "size": size,
        "light": light(frame) - frame.middle_light,
        "contrast": _relative(frame, "contrast"),
        "elongation": column(frame, "elongation"),
        "extent": _relative(frame, "extent"),
        "age": np.minimum(frame.length, 6).astype(np.float64),
        "newborn": frame.newborn.astype(np.float64),
    }
    return features | _over_time(frames, index) | _beside(frames, index, size)


def _over_time(frames: list[Frame], index: int) -> dict[str, FloatsN]:
    """How size and form change from the nucleus before and to the one after."""
    frame = frames[index]
    linked = np.where((frame.back > 0) & ~frame.newborn, index - frame.back, -1)
    later, row = follower(frames, index)
    found: dict[str, FloatsN] = {}
    for name in ("size", "elongation", "log_intensity", "thickness"):
        now = column(frame, name)
        before, after = along(frames, linked, frame.row, name), along(frames, later, row, name)
        found[f"{name}_rise"] = now - before
        found[f"{name}_fall"] = now - after
    found["usual"] = frame.size - along(frames, linked, frame.row, "usual")
    if index + 1 < len(frames):
        found["lost"] = ((later < 0) & ~_divides(frames, index)).astype(np.float64)
    return found


def _divides(frames: list[Frame], index: int) -> FlagsN:
    found = np.zeros(len(frames[index]), bool)
    for later in range(index + 1, len(frames)):
        some = (frames[later].back == later - index) & frames[later].newborn
        found[frames[later].row[some]] = True
    return found


def _beside(frames: list[Frame], index: int, size: FloatsN) -> dict[str, FloatsN]:
    """The nearest neighbour, and tracks that end or begin beside it."""
    frame = frames[index]
    if len(frame) < 2:
        return {}
    distance, row = frame.beside
    scale = float(np.median(distance[:, 1])) or 1.0
    radius = np.exp(frame.size) / 2.0
    other = row[:, 1]
    with np.errstate(invalid="ignore"):  # of sizes that are not known
        both = np.logaddexp(3.0 * frame.size, 3.0 * frame.size[other]) / 3.0 - frame.middle_size
    found = {
        "crowding": np.minimum(distance[:, 1] / scale, FAR),
        "gap": np.clip(distance[:, 1] / (radius + radius[other]), 0.0, FAR),
        "neighbour": size[other],
        "both": both,
    }
    if index > 0:
        before = frames[index - 1]
        ended = ~followed(frames, index - 1)
        found["ended_beside"] = _reach(frame, before.positions[ended], scale)
        began = (frame.back == 0) | frame.newborn
        found["began_beside"] = _reach(frame, frame.positions[began], scale, np.flatnonzero(began))
    if index + 1 < len(frames):
        after = frames[index + 1]
        found["begins_beside"] = _reach(frame, after.positions[after.back == 0], scale)
        ends = ~followed(frames, index)
        found["ends_beside"] = _reach(frame, frame.positions[ends], scale, np.flatnonzero(ends))
    return found


def _reach(frame: Frame, places: PointsZYX, scale: float, own: RowsN | None = None) -> FloatsN:
    """Distance to the nearest of some places, which are others than the nucleus itself."""
    found = np.full(len(frame), FAR)
    count = min(1 if own is None else 2, len(places))
    if not len(places) or not len(frame):
        return found
    distance, row = nearest(places, frame.positions, count)
    if own is not None:
        distance = np.where(own[row] == np.arange(len(frame))[:, None], np.inf, distance)
    return np.asarray(np.minimum(distance.min(axis=1) / scale, FAR))


def _relative(frame: Frame, name: str) -> FloatsN:
    values = column(frame, name)
    return np.asarray(values - middle(values))
