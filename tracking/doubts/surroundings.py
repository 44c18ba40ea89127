"""A frame between the frames beside it: who goes on as whom, what is expected where, what another link would cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, PointsZYX, RowsN
from tracking.arrays import DistancesNK, RowsNK
from tracking.evidence.frame import SEEN, Frame
from tracking.evidence.motion import local_flow
from tracking.evidence.neighbours import nearest
from tracking.evidence.sources import known_steps

RIVALS = 4
"""Nuclei near an expected place that are asked whether they would fit as well."""
HEAVY = 10.0
FEATURE_LIMIT = 4.0
"""As in `evidence.costs`: steps have heavy tails, and no single feature speaks louder than this."""
UNKNOWN = -1

Logits = list[FloatsN]
"""Of each frame, the logarithmic odds that its nuclei are wrong."""


@dataclass(frozen=True)
class Crossing:
    """The step into a frame from the one before it: n nuclei before, m after.

    Attributes
    ----------
    before, after : Frame
    target, source : (n,), (m,) int64
        Who goes on as whom by a plain link, -1 for none.
    open_source, open_target : (n,), (m,) bool
        Nothing follows within the window; nothing precedes.
    expected : (n, 3) float64
        Where each nucleus would be after the step.
    spread, scale : float
        Usual distance of nuclei from where they are expected, and from their nearest neighbour.
    size_scale, light_scale : float
        Usual change of logarithmic size and intensity along links.
    near, distance : (n, K) int64, float64
        Nuclei near each expected place, nearest first.
    """

    before: Frame
    after: Frame
    target: RowsN
    source: RowsN
    open_source: FlagsN
    open_target: FlagsN
    expected: PointsZYX
    spread: float
    scale: float
    size_scale: float
    light_scale: float
    near: RowsNK
    distance: DistancesNK

    def cost(self, source: RowsN, target: RowsN) -> FloatsN:
        """Negative logarithm of how well each target fits as what the source goes on as, up to a constant."""
        off = self.after.positions[target] - self.expected[source]
        cost = (HEAVY + 3) / 2 * np.log1p((off**2).sum(axis=1) / (HEAVY * self.spread**2))
        pairs = (
            (self.after.size, self.before.size, self.size_scale),
            (light(self.after), light(self.before), self.light_scale),
        )
        for after, before, scale in pairs:
            change = np.abs(after[target] - before[source]) / scale
            cost = cost + np.where(np.isnan(change), 0.0, np.minimum(change, FEATURE_LIMIT))
        return np.asarray(cost)


def light(frame: Frame) -> FloatsN:
    """Logarithmic intensity of the nuclei of a frame, parts and several taken for one included."""
    return np.asarray(frame.seen[:, SEEN.index("log_intensity")])


def crossing(frames: list[Frame], index: int) -> Crossing | None:
    """The step into frame `index`; None where one of the two has no nuclei."""
    before, after = frames[index - 1], frames[index]
    if not len(before) or not len(after):
        return None
    scale = after.spacing or before.spacing or 1.0
    plain = np.flatnonzero((after.back == 1) & ~after.newborn)
    source, target = np.full(len(after), UNKNOWN, np.int64), np.full(len(before), UNKNOWN, np.int64)
    source[plain] = after.row[plain]
    target[after.row[plain]] = plain
    open_source = ~followed(frames, index - 1)
    own_motion = _persistence(before.residual[after.row[plain]], after.residual[plain]) * before.residual
    expected = _flow(frames, index, scale) + own_motion
    off = np.linalg.norm(after.positions[plain] - expected[after.row[plain]], axis=1)
    spread = max(float(np.median(off)) / 1.5 if len(off) else 0.0, 0.03 * scale)
    distance, near = nearest(after.tree, expected, min(RIVALS, len(after)))
    sizes = np.abs(after.size[plain] - before.size[after.row[plain]])
    lights = np.abs(light(after)[plain] - light(before)[after.row[plain]])
    return Crossing(
        before=before,
        after=after,
        target=target,
        source=source,
        open_source=open_source,
        open_target=after.back == 0,
        expected=expected,
        spread=spread,
        scale=scale,
        size_scale=_usual(sizes, 0.02),
        light_scale=_usual(lights, 0.03),
        near=near,
        distance=distance,
    )


def _flow(frames: list[Frame], index: int, scale: float) -> PointsZYX:
    """Where each nucleus of the frame before would be if it moved as its neighbours do: known of those that go on."""
    before, after = frames[index - 1], frames[index]
    place = np.full_like(before.positions, np.nan)
    direct = np.flatnonzero(after.back == 1)
    place[after.row[direct]] = after.positions[direct] - after.residual[direct]
    rest = np.flatnonzero(np.isnan(place[:, 0]))
    at, step = known_steps(frames, index)
    none = np.full(len(rest), UNKNOWN, np.int64)
    place[rest] = before.positions[rest] + local_flow(at, step, before.positions[rest], none, scale)
    return place


def followed(frames: list[Frame], index: int) -> FlagsN:
    """(N,) bool: which nuclei of a frame go on or divide within the window."""
    found = np.zeros(len(frames[index]), bool)
    for later in range(index + 1, len(frames)):
        found[frames[later].row[frames[later].back == later - index]] = True
    return found


def follower(frames: list[Frame], index: int) -> tuple[RowsN, RowsN]:
    """Frame and row of the one nucleus as which each of a frame goes on, -1 where it does not or divides."""
    frame, row = np.full(len(frames[index]), UNKNOWN, np.int64), np.full(len(frames[index]), UNKNOWN, np.int64)
    for later in range(index + 1, len(frames)):
        some = np.flatnonzero((frames[later].back == later - index) & ~frames[later].newborn)
        frame[frames[later].row[some]], row[frames[later].row[some]] = later, some
    return frame, row


def along(frames: list[Frame], frame: RowsN, row: RowsN, name: str) -> FloatsN:
    """An attribute of nuclei by frame and row, NaN for those that are none; `name` is of `Frame` or of `SEEN`."""
    found = np.full(len(row), np.nan)
    for index in _each(frame):
        here = np.flatnonzero(frame == index)
        found[here] = column(frames[index], name)[row[here]]
    return found


def column(frame: Frame, name: str) -> FloatsN:
    """An attribute of a frame's nuclei as numbers."""
    values = frame.seen[:, SEEN.index(name)] if name in SEEN else getattr(frame, name)
    return np.asarray(values, np.float64)


def edge(frame: Frame) -> FloatsN:
    """How far each nucleus lies within the box that all of the frame span, along the axes in which they extend."""
    low, high = frame.positions.min(axis=0, initial=np.inf), frame.positions.max(axis=0, initial=-np.inf)
    inside = np.minimum(frame.positions - low, high - frame.positions)
    return np.asarray(np.where(high > low, inside, np.inf).min(axis=1, initial=np.inf).clip(0.0, 1e6))


def odds_along(wrong: Logits, frame: RowsN, row: RowsN) -> FloatsN:
    """Logarithmic odds of nuclei by frame and row."""
    found = np.full(len(row), np.nan)
    for index in _each(frame):
        here = np.flatnonzero(frame == index)
        found[here] = wrong[index][row[here]]
    return found


def _each(frame: RowsN) -> list[int]:
    """Each frame that is named once, rising; -1 is none."""
    return np.flatnonzero(np.bincount(frame + 1)[1:]).tolist()


def _persistence(before: PointsZYX, after: PointsZYX) -> float:
    """Share of their own motion that nuclei repeat."""
    square = float((before**2).sum())
    return float(np.clip(0.9 * (before * after).sum() / square, 0.0, 0.95)) if square > 0 else 0.0


def _usual(change: FloatsN, least: float) -> float:
    known = change[np.isfinite(change)]
    return max(float(np.mean(known)), least) if len(known) else 1.0
