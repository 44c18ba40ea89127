"""Sections to columns: one assignment that links neighbouring slices and bridges missed ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nuset_engine.arrays import FlagsN, FloatsN, IntsN, PointsYX, RowsN
from nuset_engine.assignment import assign
from nuset_engine.reconstruction.sections import SectionStack

SAFE_IOU = 0.5  # above it the best partner is unique on both sides, so nothing else can compete
GAP_FACTOR = 0.8  # a link over a missed slice counts less than one between neighbours
OCCUPIED = 0.5  # share of a gap that other sections may fill before it is no gap


@dataclass(frozen=True)
class Nodes:
    """All sections of a stack as one table, ordered by slice, then by label; arrays (N,), centroids (N, 2).

    Attributes
    ----------
    offset : (Z + 1,) int64
        Sections of slice z are the rows offset[z] .. offset[z + 1] - 1.
    """

    z: IntsN
    area: FloatsN
    score: FloatsN
    brightness: FloatsN
    centroid: PointsYX
    offset: IntsN

    @classmethod
    def of(cls, stack: SectionStack) -> Nodes:
        """The table of a stack with at least one slice."""
        slices = range(len(stack))
        counts = [stack.count(z) for z in slices]
        return cls(
            z=np.repeat(np.arange(len(stack)), counts),
            area=np.concatenate([stack.areas(z) for z in slices]).astype(np.float64),
            score=np.concatenate([stack.scores[z] for z in slices]),
            brightness=np.concatenate([stack.brightness[z] for z in slices]),
            centroid=np.concatenate([stack.centroids(z) for z in slices]),
            offset=np.concatenate([[0], np.cumsum(counts)]),
        )


@dataclass(frozen=True)
class Reach:
    """How far links go.

    Attributes
    ----------
    blank : (Z,) bool
        Slices that show nothing of any nucleus.
    missed : int
        Longest gap in which other nuclei were seen.
    blank_run : int
        Longest gap of blank slices.
    """

    blank: FlagsN
    missed: int
    blank_run: int

    @property
    def longest(self) -> int:
        """Longest gap of any kind."""
        return max(self.missed, self.blank_run)

    def spans(self, z: int, step: int) -> bool:
        """Whether a link may lead from slice `z` to the one `step` slices on."""
        between = self.blank[z + 1 : z + step]
        return step - 1 <= self.missed or (step - 1 <= self.blank_run and bool(between.all()))


@dataclass(frozen=True)
class Links:
    """Candidate links from a section to one of a later slice; arrays (L,)."""

    source: RowsN
    target: RowsN
    iou: FloatsN
    over_smaller: FloatsN

    def where(self, keep: FlagsN) -> Links:
        """Some of the links."""
        return Links(self.source[keep], self.target[keep], self.iou[keep], self.over_smaller[keep])


def candidates(stack: SectionStack, nodes: Nodes, step: int, reach: Reach) -> Links:
    """All pairs of sections `step` slices apart that share pixels, where a link may reach so far."""
    found = []
    for z in range(len(stack) - step):
        if not reach.spans(z, step):
            continue
        pairs = stack.pairs(z, z + step)
        ends = nodes.offset[z] + pairs.own, nodes.offset[z + step] + pairs.other
        found.append((*ends, pairs.iou, pairs.over_smaller))
    if not found:
        rows, shares = np.zeros(0, np.int64), np.zeros(0)
        return Links(rows, rows, shares, shares)
    source, target, iou, over_smaller = (np.concatenate(part) for part in zip(*found, strict=True))
    return Links(source, target, iou, over_smaller)


def link(stack: SectionStack, nodes: Nodes, reach: Reach, min_iou: float, min_overlap: float) -> RowsN:
    """Give every section at most one successor and at most one predecessor.

    Links between neighbouring slices and over missed ones compete in one assignment that maximises the summed overlap,
    so a nucleus that a slice missed is continued behind it rather than into a neighbour.

    Parameters
    ----------
    stack : SectionStack
    nodes : Nodes
    reach : Reach
    min_iou, min_overlap : float
        A link needs this IoU or, over the smaller section, this overlap.

    Returns
    -------
    (N,) int64
        Row of the successor, -1 where a nucleus ends.
    """
    successor = np.full(len(nodes.z), -1, dtype=np.int64)
    taken = np.zeros(len(nodes.z), dtype=bool)
    direct = candidates(stack, nodes, 1, reach)
    safe = direct.iou > SAFE_IOU
    successor[direct.source[safe]] = direct.target[safe]
    taken[direct.target[safe]] = True
    options, gains = [], []
    for step in range(1, reach.longest + 2):
        links = direct if step == 1 else candidates(stack, nodes, step, reach)
        fits = (links.iou >= min_iou) | (links.over_smaller >= min_overlap)
        links = links.where(fits & (successor[links.source] < 0) & ~taken[links.target])
        if step > 1:
            links = links.where(_free(stack, nodes, links))
        options.append(links)
        gains.append((links.iou + links.over_smaller) / 2 * GAP_FACTOR ** (step - 1))
    source, target = (np.concatenate([getattr(o, name) for o in options]) for name in ("source", "target"))
    chosen = assign(source, target, np.concatenate(gains))
    successor[source[chosen]] = target[chosen]
    return successor


def _free(stack: SectionStack, nodes: Nodes, links: Links) -> FlagsN:
    """Which links over missed slices pass through free space: what both ends share may not belong to others between."""
    free = np.ones(len(links.source), dtype=bool)
    boxes = {z: stack.boxes(z) for z in np.unique(nodes.z[links.source]).tolist()}
    for i, (source, target) in enumerate(zip(links.source.tolist(), links.target.tolist(), strict=True)):
        low, high = int(nodes.z[source]), int(nodes.z[target])
        first, second = source - int(nodes.offset[low]), target - int(nodes.offset[high])
        box = boxes[low][first]
        shared = (stack.planes[low][box] == first + 1) & (stack.planes[high][box] == second + 1)
        size = np.count_nonzero(shared)
        between = (np.count_nonzero(stack.planes[z][box][shared]) for z in range(low + 1, high))
        free[i] = max(between) <= OCCUPIED * size
    return free


def columns_of(successor: RowsN) -> list[RowsN]:
    """Columns as arrays of rows, each from its lowest slice up, ordered by their first row."""
    starts = np.setdiff1d(np.arange(len(successor)), successor[successor >= 0])
    columns = []
    for start in starts.tolist():
        column = [start]
        while successor[column[-1]] >= 0:
            column.append(int(successor[column[-1]]))
        columns.append(np.array(column))
    return columns
