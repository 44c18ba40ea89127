"""What speaks for and against a link, a division, a beginning and an end: what else could be, and for how much more."""

from __future__ import annotations

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, RowsN
from tracking.doubts.surroundings import Crossing, Logits, along, column, edge, follower, light, odds_along
from tracking.evidence.frame import Frame
from tracking.evidence.neighbours import nearest

FAR = 20.0
"""Costs and margins count up to this."""
AWAY = 5.0
"""Distances count up to so many distances between neighbours."""


def link_features(frames: list[Frame], index: int, step: Crossing, wrong: Logits) -> tuple[RowsN, dict[str, FloatsN]]:
    """Rows (L,) of frame `index` that go on from a nucleus of the frame before, and features of those links."""
    frame = frames[index]
    rows = np.flatnonzero((frame.back == 1) & ~frame.newborn)
    source = frame.row[rows]
    own = step.cost(source, rows)
    before = np.full(len(rows), index - 1)
    later, after = follower(frames, index)
    size_before = along(frames, before, frame.row[rows], "size")
    light_before = along(frames, before, frame.row[rows], "log_intensity")
    features = {
        "cost": np.minimum(own, FAR),
        "rise": np.maximum(frame.size[rows] - size_before, 0.0),
        "fall": np.maximum(size_before - frame.size[rows], 0.0),
        "light": np.abs(light(frame)[rows] - light_before),
        "wrong_after": wrong[index][rows],
        "wrong_before": odds_along(wrong, before, frame.row[rows]),
        "young": along(frames, before, frame.row[rows], "newborn"),
        "size_back": along(frames, later[rows], after[rows], "size") - size_before,
        "moved": np.linalg.norm(frame.residual[rows], axis=1) / step.spread,
    }
    if index + 1 < len(frames):
        features["lost"] = (later[rows] < 0).astype(np.float64)
    return rows, features | _margins(step, rows, source, own)


def _margins(step: Crossing, rows: RowsN, source: RowsN, own: FloatsN) -> dict[str, FloatsN]:
    """How much worse it would be to change places with a neighbour, to take a free nucleus, or to leave it to one."""
    swap, free, other = (np.full(len(rows), FAR) for _ in range(3))
    near = step.near[source]
    pick, k = np.nonzero(near != rows[:, None])
    rival = near[pick, k]
    owner = step.source[rival]
    gain = step.cost(source[pick], rival) - own[pick]
    taken, spare = owner >= 0, step.open_target[rival]
    change = step.cost(owner[taken], rows[pick[taken]]) - step.cost(owner[taken], rival[taken])
    np.minimum.at(swap, pick[taken], gain[taken] + change)
    np.minimum.at(free, pick[spare], gain[spare])
    place = np.full(len(step.after), -1, np.int64)  # of each nucleus among `rows`
    place[rows] = np.arange(len(rows))
    left = np.flatnonzero(step.open_source)
    here = place[step.near[left]]
    which, k = np.nonzero(here >= 0)
    here, left = here[which, k], left[which]
    np.minimum.at(other, here, step.cost(left, rows[here]) - own[here])
    return {name: np.clip(value, -FAR, FAR) for name, value in (("swap", swap), ("free", free), ("other", other))}


def division_features(
    frames: list[Frame], index: int, step: Crossing, wrong: Logits
) -> tuple[RowsN, dict[str, FloatsN]]:
    """Pairs (D, 2) of daughters, the second of which is in frame `index`, and features of their division.

    The first is the sister in the same frame; where she was born frames before, it is repeated.
    """
    frame = frames[index]
    pairs, at, mother = _newborn_pairs(frame, index)
    one, two = pairs[:, 0], pairs[:, 1]
    usual_size = frame.middle_size
    score = np.clip(frame.score[two], 1e-4, 1.0 - 1e-4)
    parent_size, usual = along(frames, at, mother, "size"), along(frames, at, mother, "usual")
    later, after = follower(frames, index)
    apart = np.linalg.norm(frame.positions[one] - frame.positions[two], axis=1) / step.scale
    big, small = np.maximum(frame.size[one], frame.size[two]), np.minimum(frame.size[one], frame.size[two])
    features = {
        "score": np.log(score / (1.0 - score)),
        "late": (one == two).astype(np.float64),
        "apart": np.where(one == two, np.nan, np.minimum(apart, AWAY)),
        "uneven": np.where(one == two, np.nan, big - small),
        "daughters": (frame.size[one] + frame.size[two]) / 2.0 - usual_size,
        "shrunk": (frame.size[one] + frame.size[two]) / 2.0 - usual,
        "largest": big - parent_size,
        "parent": usual - usual_size,
        "parent_light": along(frames, at, mother, "log_intensity") - frame.middle_light,
        "light": (light(frame)[one] + light(frame)[two]) / 2.0 - frame.middle_light,
        "parent_fused": along(frames, at, mother, "fused"),
        "parent_age": np.minimum(along(frames, at, mother, "length"), 8.0),
        "parts": (frame.suspect[one] | frame.suspect[two]).astype(np.float64),
        "wrong_after": np.maximum(wrong[index][one], wrong[index][two]),
        "wrong_before": odds_along(wrong, at, mother),
        "off": np.linalg.norm((frame.residual[one] + frame.residual[two]) / 2.0, axis=1) / step.spread,
    }
    if index + 1 < len(frames):
        features["lost"] = (later[one] < 0).astype(np.float64) + (later[two] < 0)
        grown = along(frames, later[one], after[one], "size") + along(frames, later[two], after[two], "size")
        features["grown"] = grown / 2.0 - usual
    return pairs, features


def _newborn_pairs(frame: Frame, index: int) -> tuple[RowsN, RowsN, RowsN]:
    """Daughters (D, 2) in a frame, a late one twice; frame and row of each mother."""
    rows = np.flatnonzero(frame.newborn)
    at, mother = index - frame.back[rows], frame.row[rows]
    order = np.lexsort((rows, mother, at))
    rows, at, mother = rows[order], at[order], mother[order]
    same = np.zeros(len(rows), bool)
    same[1:] = (mother[1:] == mother[:-1]) & (at[1:] == at[:-1])
    second = np.flatnonzero(same)
    alone = np.setdiff1d(np.arange(len(rows)), np.concatenate([second, second - 1]))
    pairs = np.concatenate([np.stack([rows[second - 1], rows[second]], axis=1), np.stack([rows[alone]] * 2, axis=1)])
    which = np.concatenate([second, alone])
    return pairs, at[which], mother[which]


def birth_features(frames: list[Frame], index: int, step: Crossing, wrong: Logits) -> tuple[RowsN, dict[str, FloatsN]]:
    """Rows (B,) of frame `index` that come from nothing, and features of that."""
    frame, before = frames[index], frames[index - 1]
    rows = np.flatnonzero(frame.back == 0)
    taken, distance = _nearest_of(step, rows, ~step.open_source)
    host = np.where(taken >= 0, step.target[taken], -1)
    has = host >= 0
    drop, neighbour = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    drop[has] = frame.size[host[has]] - before.size[taken[has]]
    neighbour[has] = frame.size[host[has]]
    later, _ = follower(frames, index)
    usual_size = frame.middle_size
    features = {
        "border": column(frame, "border")[rows],
        "edge": edge(frame)[rows] / step.scale,
        "open": _nearest_of(step, rows, step.open_source)[1],
        "host": distance,
        "host_drop": drop,
        "host_size": neighbour - frame.size[rows],
        "size": frame.size[rows] - usual_size,
        "light": light(frame)[rows] - frame.middle_light,
        "wrong": wrong[index][rows],
    }
    if index + 1 < len(frames):
        features["lost"] = (later[rows] < 0).astype(np.float64)
    return rows, features


def end_features(frames: list[Frame], index: int, step: Crossing, wrong: Logits) -> tuple[RowsN, dict[str, FloatsN]]:
    """Rows (E,) of the frame before `index` that nothing follows, and features of that."""
    frame, after = frames[index - 1], frames[index]
    rows = np.flatnonzero(step.open_source)
    near, distance = step.near[rows, 0], step.distance[rows, 0] / step.scale
    host = step.source[near]
    rise = np.where(host >= 0, after.size[near] - frame.size[host], np.nan)
    free = np.where(step.open_target[step.near[rows]], step.distance[rows], np.inf)
    usual_size = frame.middle_size
    linked = np.where((frame.back[rows] > 0) & ~frame.newborn[rows], index - 1 - frame.back[rows], -1)
    features = {
        "border": column(frame, "border")[rows],
        "edge": edge(frame)[rows] / step.scale,
        "open": np.minimum(free.min(axis=1, initial=np.inf) / step.scale, AWAY),
        "host": np.minimum(distance, AWAY),
        "host_rise": rise,
        "host_wrong": wrong[index][near],
        "size": frame.size[rows] - usual_size,
        "light": light(frame)[rows] - frame.middle_light,
        "shrunk": frame.size[rows] - along(frames, linked, frame.row[rows], "size"),
        "age": np.minimum(frame.length[rows], 6).astype(np.float64),
        "wrong": wrong[index - 1][rows],
        "newborn": frame.newborn[rows].astype(np.float64),
    }
    return rows, features


def _nearest_of(step: Crossing, rows: RowsN, which: FlagsN) -> tuple[RowsN, FloatsN]:
    """The nearest expected place of some sources to each of the rows: source (-1: none), and how far."""
    some = np.flatnonzero(which)
    if not len(some) or not len(rows):
        return np.full(len(rows), -1, np.int64), np.full(len(rows), AWAY)
    distance, found = nearest(step.expected[some], step.after.positions[rows], 1)
    return some[found[:, 0]], np.minimum(distance[:, 0] / step.scale, AWAY)
