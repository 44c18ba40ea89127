"""Open ends joined to beginnings where corrections left some: by the motion and size that the neighbours show."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nuset_engine.arrays import IntsN, PointsZYX, RowsN
from nuset_engine.assignment import assign
from tracking.corrections.local_links import NONE, LocalLinks
from tracking.evidence.motion import local_flow, spacing

GATE = 20.0
"""What an end and a beginning in the midst of others cost, in the measure of squared distances in spreads."""
HEAVY = 10.0
"""Degrees of freedom of steps, which have heavy tails (as in `evidence.costs`)."""
OFF_CENTRE = 0.3
"""How far the middle of a corrected nucleus may lie from where that of its track is expected, over the distance between
neighbours."""
FARTHEST = 1.5
"""No link goes farther in unit time, over the distance between neighbours, nor spreads by more than a third of it."""
SIZE_SPREAD = 0.35
"""Of the logarithm of the diameter along a track."""
FIRST_SPREAD = 0.2
"""Spread of steps where none is known, over the distance between neighbours."""


@dataclass
class Constraints:
    """What no solution may do: join these pairs, continue these, give these a past, or go by way of these."""

    never: set[tuple[int, int]] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    fixed: set[int] = field(default_factory=set)  # whose past a person gave
    parted: dict[tuple[int, int], set[int]] = field(default_factory=dict)  # whom a person's link took from its ends

    def forbid(self, first: int, last: int, gap: tuple[int, int]) -> bool:
        """Say whether nuclei that follow each other, from first to last, may not be put between two."""
        one, two = gap
        parted = self.parted.get(gap, set())
        return last in self.ended or bool({(one, first), (last, two)} & self.never or {first, last} & parted)


def rejoin(links: LocalLinks, reach: int, constraints: Constraints) -> None:
    """Join what is free, at best once each, so that all joins together are the likeliest."""
    nodes, never, ended = links.nodes, constraints.never, constraints.ended
    sources = [row for row in range(len(nodes.t)) if _is_free(links, row) and links.is_open(row) and row not in ended]
    targets = [row for row in range(len(nodes.t)) if _is_free(links, row) and links.before[row] == NONE]
    motions = {t: _Motion.after(links, t) for t in {int(nodes.t[row]) for row in sources}}
    freed = [row for row in targets if row in links.freed]
    pairs = [
        (one, two, saving)
        for one in sources
        for two in _within(nodes.t, targets if one in links.freed else freed, int(nodes.t[one]), reach)
        if (one, two) not in never
        if (saving := _saving(links, one, two, motions[int(nodes.t[one])])) > 0
    ]
    if pairs:
        one, two, saved = (np.array(column) for column in zip(*pairs, strict=True))
        for chosen in assign(one, two, saved).tolist():
            links.join(int(one[chosen]), int(two[chosen]))
    _fill_gaps(links, constraints)


def _fill_gaps(links: LocalLinks, constraints: Constraints) -> None:
    """Let nuclei that corrections made, or left without links, take their place in tracks that miss them just there.

    Several that follow each other do so together: where a track misses two nuclei, both may have been added.
    """
    nodes = links.nodes
    chains = _chains(links)
    gaps = [
        (row, after)
        for row, after in enumerate(links.after)
        if after >= 0
        and any(nodes.t[row] < nodes.t[first] and nodes.t[last] < nodes.t[after] for first, last in chains)
    ]
    starts = {int(nodes.t[row]) for row in (*(last for _, last in chains), *(one for one, _ in gaps))} if gaps else ()
    motions = {t: _Motion.after(links, t) for t in starts}
    found = []
    for first, last in chains:
        for one, two in gaps:
            fits = nodes.t[one] < nodes.t[first] and nodes.t[last] < nodes.t[two]
            if fits and not constraints.forbid(first, last, (one, two)):
                before = _saving(links, one, first, motions[int(nodes.t[one])])
                after = _saving(links, last, two, motions[int(nodes.t[last])])
                if min(before, after) > 0:
                    found.append((-before - after, first, last, one, two))
    for _, first, last, one, two in sorted(found):
        if links.after[one] == two and links.before[first] == NONE:
            links.join(one, first)
            links.join(last, two)


def _chains(links: LocalLinks) -> list[tuple[int, int]]:
    """First and last of nuclei that follow each other, come from none, and go on as none; a lone one is both."""
    found = []
    for first in links.freed:
        last = first
        while links.after[last] >= 0:
            last = links.after[last]
        if links.before[first] == NONE and links.is_open(last):
            found.append((first, last))
    return found


def _is_free(links: LocalLinks, row: int) -> bool:
    return not links.nodes.gone[row]


def _within(t: IntsN, rows: list[int], start: int, reach: int) -> list[int]:
    return [row for row in rows if start < t[row] <= start + reach]


@dataclass(frozen=True)
class _Motion:
    """What links out of one time point show: places, displacements in unit time, distance of neighbours, spread."""

    at: PointsZYX
    step: PointsZYX
    scale: float
    spread: float

    @classmethod
    def after(cls, links: LocalLinks, t: int) -> _Motion:
        nodes = links.nodes
        here = np.flatnonzero((nodes.t == t) & ~nodes.gone)
        scale = spacing(nodes.place[here]) or _own_size(links, here)
        linked = np.array([row for row in here.tolist() if links.after[row] >= 0], np.int64)
        after = np.array([links.after[row] for row in linked.tolist()], np.int64)
        elapsed = (nodes.t[after] - nodes.t[linked])[:, None] if len(linked) else np.ones((0, 1))
        at = nodes.place[linked]
        step = (nodes.place[after] - at) / elapsed
        if len(linked) < 3:
            return cls(at, step, scale, FIRST_SPREAD * scale)
        off = np.linalg.norm(step - local_flow(at, step, at, np.arange(len(at)), scale), axis=1)
        spread = float(np.clip(np.median(off) / 1.538, 0.02 * scale, FARTHEST / 3 * scale))
        return cls(at, step, scale, spread)

    def flow(self, place: PointsZYX) -> PointsZYX:
        """Displacement in unit time at some places."""
        return local_flow(self.at, self.step, place, np.full(len(place), -1), self.scale)


def _own_size(links: LocalLinks, rows: RowsN) -> float:
    size = links.nodes.size[rows]
    return 2.0 * float(np.exp(np.nanmedian(size))) if np.isfinite(size).any() else 1.0


def _saving(links: LocalLinks, one: int, two: int, motion: _Motion) -> float:
    """What a link saves over an end and a beginning; below 0 where these are likelier."""
    nodes = links.nodes
    elapsed = float(nodes.t[two] - nodes.t[one])
    expected = nodes.place[one] + motion.flow(nodes.place[one : one + 1])[0] * elapsed
    made = any(nodes.track[row] == 0 or nodes.redrawn[row] for row in (one, two))
    spread2 = motion.spread**2 * elapsed + (OFF_CENTRE * motion.scale if made else 0.0) ** 2
    distance2 = float(((nodes.place[two] - expected) ** 2).sum())
    if distance2 > (FARTHEST * motion.scale) ** 2 * elapsed:
        return -1.0
    change = float(nodes.size[two] - nodes.size[one])
    unlike = 0.0 if np.isnan(change) else (change / SIZE_SPREAD) ** 2
    return GATE - (HEAVY + 3.0) * float(np.log1p(distance2 / (HEAVY * spread2))) - unlike - float(elapsed > 1)
