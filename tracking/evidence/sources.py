"""The nuclei that one frame can continue: those of the frame before, and those lost a few frames ago."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, IntsN, PointsZYX, RowsN
from tracking.arrays import FeaturesNF, StoredArray
from tracking.evidence.frame import Frame
from tracking.evidence.motion import local_flow


@dataclass(frozen=True)
class Sources:
    """n nuclei with an open end. Arrays as in `Frame`, and:

    Attributes
    ----------
    back, row : (n,) int64
        Which frame before the one to be solved, and which row there.
    t : (n,) float64
        When it was last seen.
    place : (n,) float64
        Where it was last seen, moved with its neighbours through the frames in which it was missed.
    young : (n,) bool
        It was born in the frame in which it was last seen.
    fresh : (n,) bool
        Its track began from nothing and has this one nucleus.
    suspect, fused : (n,) bool
    growth, usual : (n,) float64
    """

    back: IntsN
    row: RowsN
    t: FloatsN
    place: PointsZYX
    features: FeaturesNF
    residual: PointsZYX
    born_t: FloatsN
    age_known: FlagsN
    cycle: FloatsN
    born_score: FloatsN
    length: IntsN
    young: FlagsN
    fresh: FlagsN
    suspect: FlagsN
    fused: FlagsN
    growth: FloatsN
    usual: FloatsN

    def __len__(self) -> int:
        """Number of sources."""
        return len(self.row)

    def usual_features(self) -> FeaturesNF:
        """Features (n, F) with the usual size in place of the last one where that is known."""
        usual = self.features.copy()
        usual[:, 0] = np.where(np.isnan(usual[:, 0]), np.nan, self.usual)
        return usual


def open_ends(frames: list[Frame], index: int, memory: int, scale: float) -> Sources:
    """Nuclei that frame `index` may continue, nearest frame first, given the links of all frames before it.

    Parameters
    ----------
    frames : list of Frame
    index : int
        The frame to be solved; its own links and those of later frames are not looked at.
    memory : int
        Time points that a nucleus may go unseen, be they frames without it or time points that are absent altogether.
    scale : float
        Distance between neighbours.
    """
    parts: list[tuple[IntsN, RowsN]] = []
    reach = (memory + 1) * usual_interval(frames)
    for back in range(1, min(memory + 1, index) + 1):
        frame = frames[index - back]
        is_open = np.full(len(frame), frames[index].t - frame.t <= reach)
        for later in range(index - back + 1, index):
            linked = frames[later].row[frames[later].back == later - (index - back)]
            is_open[linked] = False
        rows = np.flatnonzero(is_open)
        parts.append((np.full(len(rows), back, np.int64), rows))
    return collect(frames, index, parts, scale)


def usual_interval(frames: list[Frame]) -> int:
    """Difference of t between time points that follow each other: the smallest one, since any may be absent.

    Two time points tell none: what lies between them may be absent.
    """
    return int(np.diff([frame.t for frame in frames]).min()) if len(frames) > 2 else 1


def collect(frames: list[Frame], index: int, parts: list[tuple[IntsN, RowsN]], scale: float) -> Sources:
    """Gather the attributes of the rows of each frame."""

    def column(name: str) -> StoredArray:
        return np.concatenate([getattr(frames[index - i - 1], name)[rows] for i, (_, rows) in enumerate(parts)])

    back = np.concatenate([part[0] for part in parts])
    length, newborn, age_known = column("length"), column("newborn"), column("age_known")
    return Sources(
        back=back,
        row=np.concatenate([part[1] for part in parts]).astype(np.int64),
        t=np.array([frame.t for frame in frames], np.float64)[index - back],
        place=np.concatenate(
            [_carried(frames, index, back, rows, scale) for back, (_, rows) in enumerate(parts, start=1)]
        ),
        features=column("features"),
        residual=column("residual"),
        born_t=column("born_t"),
        age_known=age_known,
        cycle=column("cycle"),
        born_score=column("born_score"),
        length=length,
        young=newborn,
        fresh=(length == 1) & ~age_known,
        suspect=column("suspect"),
        fused=column("fused"),
        growth=column("growth"),
        usual=column("usual"),
    )


def _carried(frames: list[Frame], index: int, back: int, rows: RowsN, scale: float) -> PointsZYX:
    """Positions of `rows`, `back` frames before `index`, moved with their neighbours up to the frame before `index`."""
    place = frames[index - back].positions[rows]
    for later in range(index - back + 1, index):
        if not len(rows):
            break
        at, step = known_steps(frames, later)
        place = place + local_flow(at, step, place, np.full(len(place), -1), scale)
    return place


def known_steps(frames: list[Frame], index: int) -> tuple[PointsZYX, PointsZYX]:
    """Places in the frame before, and displacements into frame `index`, of nuclei that were simply linked."""
    frame = frames[index]
    plain = (frame.back == 1) & ~frame.newborn
    at = frames[index - 1].positions[frame.row[plain]]
    return at, frame.positions[plain] - at
